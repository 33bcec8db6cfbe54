"""Who else has come to the venue and what it brought them: makers, rivals, the crowd without names, its order flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.kernels import tables as t

PARTY = np.dtype(
    [
        ("name", "U16"),
        ("deals", "i8"),
        ("lots", "i8"),
        ("position", "i8"),
        ("edge_units", "i8"),
        ("edge", "f8"),
        ("pnl", "f8"),
        ("picked_off", "i8"),
    ]
)


def parties(state: Any, params: Any) -> np.ndarray:
    """A row for every party that may trade beside us, in currency and without fees.

    Parameters
    ----------
    state, params
        A `tables.STATE` and its `tables.PARAMS`.

    Returns
    -------
    Rows `name` ("maker 1", "rival 1", …, "crowd"), `deals`, `lots` traded, `position` (lots, signed),
    `edge` (what its deals were worth at the external price of their moment, less what they cost; exact in
    `edge_units`), `pnl` (the same at the external price of now) and `picked_off` (deals of a maker at a
    price that the external one was through). With our own deals they add up to nothing. Empty where no
    book is.
    """
    if int(params.venue.model) <= t.QUOTES_ONLY:
        return np.zeros(0, PARTY)
    makers = int(params.makers.count) if int(params.venue.model) == t.MAKERS else 0
    named = [(f"maker {k + 1}", t.FIRST_MAKER + k) for k in range(makers)]
    named += [(f"rival {k + 1}", t.FIRST_RIVAL + k) for k in range(int(params.rivals.count))]
    rows = np.zeros(len(named) + 1, PARTY)
    fair = int(np.floor(float(state.external.px) * t.MONEY + 0.5))  # 1/MONEY ticks, as deals were
    unit = float(params.unit_value)
    for row, (name, at) in zip(rows, [*named, ("crowd", t.CROWD)], strict=True):
        party = state.venue.parties[at]
        row["name"] = name
        row["deals"], row["lots"], row["position"] = party.deals, party.lots, party.position
        row["edge_units"] = party.edge
        row["edge"] = int(party.edge) * unit
        row["pnl"] = (int(party.cash) + int(party.position) * fair) * unit
    for k in range(makers):
        rows["picked_off"][k] = state.venue.ladders[k].picked_off
    return rows


def flow_counts(state: Any) -> dict[str, int]:
    """What the order flow of a real book has come to in a `tables.STATE`.

    Candidates that were events and that were thinned, market orders by side, moves of the mid, trades,
    and what went beyond a bound (`overrun`, `crowded`, `refused`: best all 0).
    """
    venue = state.venue
    names = ("accepted", "thinned", "bought", "sold", "ups", "downs", "overrun", "crowded")
    counts = {name: int(venue.flow[name]) for name in names}
    return {**counts, "trades": int(venue.trades), "refused": int(venue.refused)}
