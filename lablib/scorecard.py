"""The scorecard of stylised facts, one column a market: `python -m lablib.scorecard`.

Watches order flow without us, change by change: a run with an eye on every update says when the best
quotes change, and the same run again, stopped at each of these times, says how. Measures and bands are
`lablib.stylised`'s; what the flow is not asked to show is said there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.stylised import Score, Tape, score

ALONE: dict[str, Any] = {
    "venue.model": "flow",
    "strategy": {"name": "idle", "decision_interval_ms": 0.0},
    "external": {"volatility_bps": 0.0, "interval_ms": 60_000.0},
}
_EXCITED: dict[str, Any] = {"flow.market_branching": 0.9, "flow.excitation_decay": 0.15}
MARKETS: dict[str, dict[str, Any]] = {
    "Poisson": {},
    "Hawkes": _EXCITED,
    "Hawkes, metaorders": {**_EXCITED, "flow.metaorders": 2, "flow.metaorder_tail": 1.5},
}
"""Changes to the flow of Cont, Stoikov and Talreja: independent, excited, and excited by large orders being worked."""

_EVERY = 64  # changes between two looks at the whole book


def watch(config: SimConfig | Mapping[str, Any], seed: int, seconds: float) -> Tape:
    """Every change of the best quotes and every market order of a `flow` market, without us.

    Raises
    ------
    ConfigError
        Another venue's config, or one in which we trade.
    """
    config = config if isinstance(config, SimConfig) else SimConfig().replace(config)
    if config.venue.model != "flow" or config.strategy.name != "idle":
        raise ConfigError("scorecard: it watches venue.model 'flow' with strategy.name 'idle'")
    first = Simulation(config.replace({"record.samples": True}), seed=seed)
    times = np.unique(first.advance(round(seconds * t.NS_PER_S)).samples["t_ns"])
    again = Simulation(config.replace({"record.samples": False}), seed=seed)
    flow = [again.view(f"venue.flow.{name}") for name in ("bought", "sold", "reference")]
    lots = [again.view(f"venue.quote.{name}") for name in ("bid_lots", "ask_lots")]
    rows = np.zeros((times.size, 6), np.int64)
    depth = np.zeros(int(config.venue.levels))
    for k, at in enumerate(times.tolist()):
        again.play(at)
        rows[k] = [number for view in (*flow, *lots) for number in view.ravel().tolist()]
        if k % _EVERY == 0:
            depth += _by_distance(again, depth.size)
    bought, sold = (np.diff(column, prepend=0) for column in rows.T[:2])
    which = np.repeat(np.arange(times.size), bought + sold)
    _, _, bid, ask, bid_lots, ask_lots = rows.T
    return Tape(
        at_s=times / t.NS_PER_S,
        bid=bid,
        ask=ask,
        bid_lots=bid_lots,
        ask_lots=ask_lots,
        trade_s=times[which] / t.NS_PER_S,
        signs=np.where(bought[which] > 0, 1, -1),
        depth=depth / (2 * -(-times.size // _EVERY)),
    )


def _by_distance(simulation: Simulation, levels: int) -> np.ndarray:
    """Lots that rest 1, 2, … ticks from the opposite best quote, both sides together."""
    frame, tick = simulation.frame(), simulation.config.venue.tick_size
    depth = np.zeros(levels)
    for rungs, opposite in ((frame.book.bids, frame.ask_px), (frame.book.asks, frame.bid_px)):
        if np.isfinite(opposite):
            away = np.rint(np.abs(rungs[:, 0] - opposite) / tick).astype(np.int64)
            near = away <= levels
            np.add.at(depth, away[near] - 1, rungs[near, 1])
    return depth


def scorecard(seconds: float = 20_000.0, seed: int = 7) -> dict[str, list[Score]]:
    """The rows of each of `MARKETS`."""
    return {
        name: score(watch({**ALONE, **changes}, seed, seconds)) for name, changes in MARKETS.items()
    }


def as_markdown(cards: Mapping[str, list[Score]]) -> str:
    """A table for people, one row a fact."""
    lines = ["| fact | measured as | real markets | " + " | ".join(cards) + " |"]
    lines.append("|---" * (3 + len(cards)) + "|")
    for scores in zip(*cards.values(), strict=True):
        fact = scores[0].fact
        what = f"{fact.what}; {fact.why_not}" if fact.why_not else fact.what
        cells = [fact.name, what, fact.band, *map(_cell, scores)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: Score) -> str:
    verdict = f"**{row.verdict}**" if row.verdict == "pass" else row.verdict
    if np.isnan(row.value):
        return verdict
    return f"{row.value:.2f} {verdict}" if row.value < 10 else f"{row.value:.0f} {verdict}"


if __name__ == "__main__":
    print(as_markdown(scorecard()))
