"""Every record type of the engine: fields, units, sizes and the integer codes.

One vocabulary in chapters, read as ``from lablib.kernels import tables as t``. Pure NumPy, so that
config, tape and faces may read it without numba. Each record is packed and holds 8-byte fields only (a
padding byte would poison a digest). Units: time int64 nanoseconds since the start of the run, price
integer ticks, quantity integer lots, money integer *units* of which ``MONEY`` make one tick times one
lot: half-tick marks and prices rounded to 1/1024 tick are exact.
"""

# The only star imports of the house: a list of two hundred names would say everything twice.
from lablib.kernels.tables.codes import *  # noqa: F403
from lablib.kernels.tables.layout import *  # noqa: F403
from lablib.kernels.tables.limits import *  # noqa: F403
from lablib.kernels.tables.market import *  # noqa: F403
from lablib.kernels.tables.output import *  # noqa: F403
from lablib.kernels.tables.params import *  # noqa: F403
from lablib.kernels.tables.state import *  # noqa: F403
from lablib.kernels.tables.trader import *  # noqa: F403
