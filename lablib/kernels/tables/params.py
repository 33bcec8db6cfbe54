"""The rules of a run: a config as the kernels' integers and floats, a record a room."""

from __future__ import annotations

from lablib.kernels.tables.codes import N_DELAYS
from lablib.kernels.tables.layout import f8, i8, table
from lablib.kernels.tables.limits import N_DISTANCES, N_MAKERS, N_PARAMETERS, N_QUANTILES

DELAY = table(
    ("model", i8),
    ("steady", i8),  # constant, undisturbed and in order: shift_ns is all there is
    ("disturbed", i8),  # has bursts or outages
    ("free", i8),  # its messages may overtake
    ("shift_ns", f8),
    ("scale_ns", f8),  # uniform: width; lognormal: median; gamma: mean / shape
    ("sigma", f8),  # lognormal: sd of the log
    ("gamma_shape", f8),
    ("log_gamma", f8),  # ln Γ(shape); here, since math.lgamma is not the same compiled and plain
    ("spike_probability", f8),
    ("spike_ns", f8),  # smallest spike
    ("spike_alpha", f8),  # tail exponent of its Pareto law
    ("burst_factor", f8),  # the delay is multiplied by this; up to 1: no bursts
    ("burst_swing", f8),  # while the external log return of late is larger than this
    ("outage_from_ns", i8),
    ("outage_ns", i8),  # 0: no outage
    ("outage_every_ns", i8),  # 0: once
    ("outage_loses", i8),  # what is sent then is lost, else it waits
    ("points", i8),  # empirical: points of the table
    ("probability", f8, (N_QUANTILES,)),  # ascending
    ("quantile_ns", f8, (N_QUANTILES,)),
)
EXTERNAL_PARAMS = table(
    ("model", i8),
    ("interval_ns", i8),
    ("start_ticks", f8),
    ("sigma", f8),  # sd over one interval: of the log price; bachelier: of the price in ticks
    ("decay", f8),  # mean reversion: share of the distance that is left after one interval
    ("jump_rate", f8),  # jumps expected in one interval
    ("jump_none", f8),  # chance of none: exp(-jump_rate)
    ("jump_law", i8),
    ("jump_mean", f8),  # normal: of the log
    ("jump_sigma", f8),
    ("jump_up_share", f8),  # double exponential
    ("jump_up", f8),  # mean of an upward jump
    ("jump_down", f8),  # and of a downward one, without its sign
    ("regimes", i8),  # 0: always normal
    ("regime_sigma", f8, (3,)),  # multiplier of sigma
    ("regime_stay", f8, (3,)),  # probability of staying over one interval
    ("burst_from_ns", i8),
    ("burst_until_ns", i8),
    ("burst_sigma", f8),
)
VENUE_PARAMS = table(
    ("model", i8),
    ("half_spread_ticks", i8),
    ("levels", i8),
    ("level_lots", i8),
    ("fee_rate", i8),  # of FEE_ONE
)
FLOW_PARAMS = table(
    ("distances", i8),
    ("limit_rate", f8, (N_DISTANCES,)),  # per second and side, by ticks from the opposite best - 1
    ("cancel_rate", f8, (N_DISTANCES,)),  # per second and order, likewise; the last holds beyond
    ("cancel_most", f8),  # the largest of them
    ("cancel_bound", i8),  # orders a side that cancel candidates are drawn for
    ("market_rate", f8),  # per second and side
    ("follow_rate", f8),  # per second
    ("order_lots", i8),  # one order
    ("mean_orders", f8),  # sizes: geometric with this mean, in orders; 1: always one
    ("branching", f8, (2,)),  # events an event begets, LIMITS and MARKETS; 0: Poisson
    ("kick", f8, (2,)),  # what one event adds to the excitement
    ("decay", f8),  # of the excitement, per ns
    ("headroom", f8),  # candidates come at this multiple of the mean rate
    ("metaorders", i8),  # being worked at once; 0: independent signs
    ("meta_power", f8),  # -1 / tail exponent of their length
    ("redraw", i8),
    ("touch_orders", i8, (2,)),  # at the first bid, at the first ask when queues are laid
    ("depth_orders", i8, (N_DISTANCES,)),  # at the levels behind
)
LADDER_PARAMS = table(
    ("count", i8),  # makers
    ("late_ns", i8, (N_MAKERS,)),  # on top of what the market's lag is to each
    ("refresh_ticks", i8, (N_MAKERS,)),  # how far the price it hears moves before it re-quotes
    ("widen_ticks", i8),  # after being picked off
    ("calm_ns", i8),  # and for how long
)
RIVAL_PARAMS = table(
    ("count", i8),
    ("edge_ticks", f8),  # how far beyond the touch the external price must be
    ("lots", i8),
)
INTENSITY_PARAMS = table(
    ("interval_ns", i8),  # one candidate a side at each multiple; 0: at random times
    ("candidates", f8),  # per second and side
    ("likely", f8),  # chance that a candidate trades at the mid
    ("premium_ticks", f8),  # how far from the mid it goes: fixed, or the mean of an exponential
    ("fixed", i8),
    ("order_lots", i8),  # 0: a whole order
)
MAKER_PARAMS = table(
    ("around_mid", i8),  # quote around the venue's mid, not the external price
    ("lots", i8),  # of a quote; 0: as large as an entry
    ("horizon_ns", i8),
    ("skew", f8),  # gamma sigma^2: ticks per order held and second left
    ("spread_ticks", f8),  # of the quotes at the horizon's end: (2 / gamma) ln(1 + gamma / k)
    ("inventory", i8),  # 0: quote the same on both sides whatever is held
)
STRATEGY_PARAMS = table(
    ("name", i8),
    ("threshold", f8),
    ("decision_ns", i8),
    ("exit", i8),
    ("exit_after_ns", i8),
    ("stack", i8),
    ("volatile_size", f8),  # size multiplier in a volatile regime
    ("replaces", i8),  # a quote is moved by one message, else cancelled and sent anew
    ("maker", MAKER_PARAMS),
    ("parameters", f8, (N_PARAMETERS,)),
)
RISK_PARAMS = table(
    ("max_position_pct", f8),
    ("max_gross_pct", f8),
    ("daily_loss_cap_pct", f8),
    ("check_notional", i8),
    ("day_ns", i8),
    ("flatten_on_halt", i8),
    ("rearm_each_day", i8),
    # Checks of an entry before it leaves; 0 is off.
    ("max_open_orders", i8),
    ("max_orders_per_s", i8),  # at most N_RATE
    ("price_collar_pct", f8),
    ("refuse_crossed", i8),
    # Guards that latch; 0 is off.
    ("drawdown_cap_pct", f8),
    ("max_loss_streak", i8),
    ("max_lost_messages", i8),
    ("stale_external_ns", i8),
    ("stale_venue_ns", i8),
    ("order_timeout_ns", i8),
    ("check_books", i8),
)
DRILL_PARAMS = table(
    ("stale_feed", i8),  # the external source sends us nothing
    ("feed_gap", f8),  # share of the venue feed's messages that are lost
    ("duplicate_order", i8),  # every entry goes out twice
    ("stuck_exit", i8),  # exits do not leave us
    ("size_multiple", f8),  # sizing goes wrong by this factor, the notional check does not
    ("latency_spike_ns", i8),  # on top of every order-entry and acknowledgement delay
    ("crossed_quotes", i8),  # ticks by which the bid reaches us above the ask
)
PARAMS = table(
    ("external", EXTERNAL_PARAMS),
    ("venue", VENUE_PARAMS),
    ("flow", FLOW_PARAMS),
    ("intensity", INTENSITY_PARAMS),
    ("makers", LADDER_PARAMS),
    ("rivals", RIVAL_PARAMS),
    ("delays", DELAY, (N_DELAYS,)),
    ("burst_memory_ns", f8),  # how long the return of late reaches back; 0: no delay has bursts
    ("strategy", STRATEGY_PARAMS),
    ("risk", RISK_PARAMS),
    ("drills", DRILL_PARAMS),
    ("starting_cash", i8),  # units
    ("tick_px", f8),  # currency of one tick
    ("unit_value", f8),  # currency of one money unit
    ("samples", i8),  # write a row of `samples` per decision
    ("key_low", i8),  # 32-bit words the delays' noise is keyed by; two fields, since numba counts
    ("key_high", i8),  # references to an array it hands to a function, even inside a record
)
