"""How events that excite one another cluster: the Hawkes process with an exponential kernel.

Intensity mu + sum over past events of n beta exp(-beta age): each event has n children on average
(`branching`), after 1/beta on average. Source: Hawkes (1971),
Biometrika 58:83; the moments of counts follow from his covariance.
"""

from __future__ import annotations

import numpy as np

from lablib.theory.domain import POSITIVE, Domain, Result, Values, elementwise

_BRANCHING = Domain(low=0.0, high=1.0, open_low=False)


@elementwise(base_rate=POSITIVE, branching=_BRANCHING)
def hawkes_rate(base_rate: Values, branching: Values) -> Result:
    """Events per unit of time in the long run: mu / (1 - n).

    >>> round(hawkes_rate(1.0, branching=0.8), 12)
    5.0
    """
    return base_rate / (1 - branching)


@elementwise(branching=_BRANCHING)
def hawkes_fano(branching: Values) -> Result:
    """Variance over mean of counts in long windows: 1 / (1 - n)^2, and 1 for Poisson.

    >>> hawkes_fano(np.array([0.0, 0.5, 0.8])).round(9)
    array([ 1.,  4., 25.])
    """
    return 1 / np.square(1 - branching)


@elementwise(window=POSITIVE, branching=_BRANCHING, decay=POSITIVE)
def hawkes_window_fano(window: Values, branching: Values, decay: Values) -> Result:
    """Variance over mean of counts in windows of finite length; 1 for the shortest, as above for long ones.

    1 + (1/(1-n)^2 - 1) (1 - (1 - exp(-x)) / x), with x = beta (1 - n) window.

    >>> round(hawkes_window_fano(200.0, branching=0.8, decay=5.0), 2)
    24.88
    """
    x = decay * (1 - branching) * window
    return 1 + (1 / np.square(1 - branching) - 1) * (1 + np.expm1(-x) / x)
