"""Drills: something is broken on purpose, and what stopped us is told from the tables of the run."""

from lablib.drills.card import CARD as CARD
from lablib.drills.card import Limits as Limits
from lablib.drills.card import card as card
from lablib.drills.exercise import Drill as Drill
from lablib.drills.exercise import Step as Step
from lablib.drills.exercise import drill as drill
from lablib.drills.faults import FAULTS as FAULTS
from lablib.drills.faults import Fault as Fault
from lablib.drills.faults import desk as desk
from lablib.drills.timeline import Halt as Halt
