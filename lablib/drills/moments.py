"""When a fault begins, what is done to the market then, and when a control without delay would have acted."""

from __future__ import annotations

from typing import Any

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.drills.faults import BEFORE, HOLDING, SENDING, Fault, moving
from lablib.drills.timeline import NEVER
from lablib.engine import Simulation, open_orders
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.run import Run
from lablib.units import ns

WARM_S = 2  # before anything breaks
SEARCH_S = 120  # within which we must hold something
OWN_WIRES = ("external_feed_ms", "venue_feed_ms", "decision_ms", "order_entry_ms", "ack_ms")


def again(run: Run) -> Simulation:
    """The simulation of a run at its start, with everything that will be done to it."""
    opening = run.origin.opening
    return Simulation(opening.config, seed=run.seed, commands=run.origin.commands)


def moment(what: Fault, config: SimConfig, seed: int) -> tuple[int, int]:
    """When the fault begins, and the side that the market is to hurt (+1 or -1).

    The first time after the warm-up: after a decision, or within one just before it is thought of.
    """
    simulation = Simulation(config.replace({"record.samples": False}), seed=seed)
    step = ns(config.strategy.decision_interval_ms or 1.0)
    held = simulation.view("account.position")
    working = simulation.view("desk.working")
    halts = simulation.view("risk.halts")
    order = config.account.starting_cash * config.risk.max_position_pct
    half = order / (config.external.start_px * config.venue.lot_size) / 2  # of an order, in lots
    simulation.play(WARM_S * t.NS_PER_S)
    while simulation.now_ns < SEARCH_S * t.NS_PER_S and not halts[0]:
        if what.moment == HOLDING and abs(held[0]) > half and not working[0]:
            return simulation.now_ns + 1, 1 if held[0] > 0 else -1
        if what.moment == SENDING and working[0] and simulation.now_ns > WARM_S * t.NS_PER_S:
            sent = open_orders(simulation.state)
            entries = sent[(sent["is_exit"] == 0) & (sent["looked_at"] > simulation.now_ns - step)]
            if entries.size:
                return int(entries["looked_at"][0]), int(entries["side"][0])
        simulation.play(simulation.now_ns + step)
    at = f"{simulation.now_ns / t.NS_PER_S:.1f} s of seed {seed}"
    if halts[0]:
        raise ConfigError(f"config: halts by itself within {at}, before anything is broken")
    raise ConfigError(f"config: holds nothing and sends nothing within {at}: nothing to break")


def commands_of(
    what: Fault,
    config: SimConfig,
    begin_ns: int,
    direction: int,
    size: float,
    slide_bps_s: float,
    lasts_ns: int,
) -> tuple[Command, ...]:
    """What breaks, what the market does, and the repair of both; in order of time."""
    span_ns = ns(what.lasts_ms) or lasts_ns
    broken = what.changes(config, direction, size, begin_ns, span_ns)
    # A guard that was switched off stays off: it would judge the fault's time when that is over.
    repaired = {path: config.get(path) for path in broken if not path.startswith("risk.")}
    found = [Command(begin_ns, "set", path, value) for path, value in broken.items()]
    found += [Command(begin_ns + span_ns, "set", path, value) for path, value in repaired.items()]
    if slide_bps_s > 0 and what.prompt != BEFORE:
        # A price that jumps goes on sliding when it has.
        start_ns = begin_ns + (span_ns if "external.jumps" in broken else 0)
        left_ns = max(1, begin_ns + lasts_ns - start_ns)
        slide = moving(config, direction * slide_bps_s * left_ns / t.NS_PER_S, left_ns)
        still = {path: config.get(path) for path in slide}
        found += [Command(start_ns, "set", path, value) for path, value in slide.items()]
        found += [Command(start_ns + left_ns, "set", path, value) for path, value in still.items()]
    return tuple(sorted(found, key=lambda command: command.t_ns))


def promptly(commands: tuple[Command, ...], at: int) -> tuple[Command, ...]:
    """The same with the switch pulled, and every wire of ours at zero from there on."""
    kept = [c for c in commands if c.t_ns <= at or not c.field.startswith("latency.")]
    instant: dict[str, Any] = dict.fromkeys(OWN_WIRES, 0.0)
    pulled = [Command(at, "set", "latency", {**instant, "cancel_ms": None}), Command(at, "halt")]
    return tuple(sorted([*kept, *pulled], key=lambda command: command.t_ns))


def crossing(run: Run, begin_ns: int, until_ns: int) -> int:
    """When the true loss first came to a limit on losses, to the nanosecond; `NEVER` where it did not.

    The guards know what acknowledgements and quotes have told; this is the account as the venue has it.
    """
    low, high = begin_ns, until_ns
    for step in (t.NS_PER_MS, 10_000, 100, 1):
        simulation = again(run)
        simulation.play(low)
        crossed = _Loss(simulation)
        if crossed():
            return low
        while low < high:
            simulation.play(min(low + step, high))
            if crossed():
                high = simulation.now_ns
                break
            low = simulation.now_ns
        else:
            return NEVER
    return high


class _Loss:
    """Whether the true loss of a simulation stands at a limit."""

    def __init__(self, simulation: Simulation) -> None:
        self._account = {
            name: simulation.view(f"account.{name}") for name in ("equity", "realized", "fees")
        }
        self._risk = {
            name: simulation.view(f"risk.{name}")
            for name in ("peak", "cap", "day_realized", "day_fees")
        }
        self._drawdown = simulation.config.risk.drawdown_cap_pct

    def __call__(self) -> bool:
        account = {name: int(view[0]) for name, view in self._account.items()}
        risk = {name: int(view[0]) for name, view in self._risk.items()}
        lost = account["fees"] - risk["day_fees"] - account["realized"] + risk["day_realized"]
        if lost >= risk["cap"]:
            return True
        cap = max(1, int(risk["peak"] * self._drawdown))
        return self._drawdown > 0 and risk["peak"] - account["equity"] >= cap
