"""How much there is room for, how fine the units are, and what stands for none and never."""

from __future__ import annotations

# What happens at a limit is decided in the room that owns it, counted, and tested.
N_LEVELS = 16_384  # price levels per side; a power of two, the ladder wraps
N_RESTING = 32_768  # orders resting in one book
N_MATCHES = 512  # matches one call of `match` reports before it hands back
N_WIRES = 7
N_MESSAGES = 2_048  # messages in flight on one wire; a power of two
N_OWN = 256  # own orders between creation and final acknowledgement
N_LADDER = 64  # levels a maker quotes on each side
N_MAKERS = 8
N_MEMORY = 16  # floats an own strategy may keep
N_PARAMETERS = 8  # floats it may be given
N_INTENTS = 8  # requests of one look
N_LOOKS = 64  # looks in one instant: without latency, what our own order moves would have us look for ever
N_QUANTILES = 64  # points of an empirical delay's quantile table
N_JUMPS = 8  # jumps of the external price within one of its intervals
N_DISTANCES = 16  # distances from the opposite best that order flow has rates for
N_STRANGERS = 4_096  # flow orders resting on one side; a power of two
N_METAORDERS = 16  # large orders being worked at once
N_RIVALS = 64
N_RATE = 1_024  # orders a rate may allow in one second; a power of two
SUB_BITS = 7  # histogram: 128 buckets per doubling, relative error below 1/128
N_BUCKETS = (62 - SUB_BITS) * (1 << SUB_BITS) + (1 << SUB_BITS)

FAR = 1 << 62  # a time that never comes
NO_BID = -(1 << 40)  # best bid of an empty side, in ticks
NO_ASK = 1 << 40
MONEY = 1_024  # money units in one tick of one lot
FEE_ONE = 10_000_000_000  # a fee rate of 1 (all of the notional); 1 bps is 1_000_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
