"""Commands about what is at hand: recordings, and this computer."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from lablib.cli.simulate import bar, mention_compiling

# Simulated seconds that take each preset about half a second.
TIMED = {"classroom": 4_000.0, "stress": 2_000.0, "colo": 300.0, "cloud": 300.0, "flow": 600.0}
FRAMES = 500


def data(options: argparse.Namespace) -> int:
    """Look through a recording, or a pair of them, as a run would; refuse what a run would."""
    from lablib.report import recording
    from lablib.tape.recorded import load, load_pair

    if options.follower is None:
        market = load(options.leader, on_bad=options.on_bad)
    else:
        market = load_pair(options.leader, options.follower, on_bad=options.on_bad)
    about = {
        "name": market.name,
        "seconds": market.duration_ns / 1e9,
        "start_px": market.start_px,
        "tick_size": market.tick_size,
        "lot_size": market.lot_size,
        "sha256": market.sha256,
    }
    if options.json:
        print(json.dumps({**about, **market.report}))
        return 0
    print(
        f"  {market.name}: {about['seconds']:,.1f} s from {market.start_px:,.6g},"
        f" ticks of {market.tick_size:g}, lots of {market.lot_size:.3g}"
    )
    print(recording(market.report))
    return 0


def bench(options: argparse.Namespace) -> int:
    """How fast this computer simulates: medians of rounds in turn, by CPU time."""
    import numpy as np

    mention_compiling()
    rounds: list[dict[str, Any]] = []
    with bar("measuring") as progress:
        for number in range(options.rounds + 1):  # the first warms up
            for at, preset in enumerate(TIMED):
                row = _timed(preset)
                if number:
                    rounds.append(row)
                progress((number + (at + 1) / len(TIMED)) / (options.rounds + 1))
    median: list[dict[str, Any]] = []
    for preset in TIMED:
        mine = [row for row in rounds if row["preset"] == preset]
        numbers = {
            key: float(np.median([row[key] for row in mine])) for key in mine[0] if key != "preset"
        }
        median.append({"preset": preset, **numbers})
    if options.json:
        print(json.dumps({"rounds": options.rounds, "presets": median}))
        return 0
    print(
        f"  {'preset':<12} {'events/s':>12} {'decisions/s':>12} {'× real time':>12} {'frame':>10}"
    )
    for row in median:
        print(
            f"  {row['preset']:<12} {row['events_per_s']:>12,.0f} {row['decisions_per_s']:>12,.0f}"
            f" {row['simulated_s_per_s']:>12,.0f} {row['frame_us']:>7,.0f} µs"
        )
    print(f"  of one core, by its CPU time; medians of {options.rounds} rounds in turn")
    return 0


def _timed(preset: str) -> dict[str, Any]:
    """One round of a preset: all at once, and then in frames of 50 ms."""
    from lablib.engine import Simulation
    from lablib.kernels.tables import NS_PER_MS, NS_PER_S

    simulation = Simulation(preset, seed=7)
    until_ns = int(TIMED[preset] * NS_PER_S)
    began = time.process_time()
    simulation.play(until_ns)
    took_s = time.process_time() - began
    events, decisions = int(simulation.state.events), int(simulation.state.strategy.clock)
    began = time.process_time()
    for number in range(1, FRAMES + 1):
        simulation.advance(until_ns + number * 50 * NS_PER_MS)
    framed_s = time.process_time() - began
    return {
        "preset": preset,
        "events_per_s": events / took_s,
        "decisions_per_s": decisions / took_s,
        "simulated_s_per_s": TIMED[preset] / took_s,
        "frame_us": 1e6 * framed_s / FRAMES,
    }
