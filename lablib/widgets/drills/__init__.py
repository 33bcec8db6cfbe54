"""The drills: something is broken on purpose, and the kill switch is watched while it acts."""

from lablib.widgets.drills.lab import DrillsLab as DrillsLab
from lablib.widgets.drills.lab import drills_lab as drills_lab
