"""Many runs on common noise: sweeps over a design, paired comparisons, the frontier of a strategy."""
