"""The order book as a teaching piece, and for whole order streams: a face over the engine's own kernels.

Prices are in currency and quantities in units here, ticks and lots below; nothing is matched twice.
Importing this module does not load numba, making a book does.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.stream import MAX_LOTS, check_stream

_GRID = 1e-6  # how far from a tick, in ticks, a price may be through rounding


class Side(IntEnum):
    """The side of an order."""

    BUY = 1
    SELL = -1


class Fill(NamedTuple):
    """What an order took from the book: mean price (currency) and quantity (units)."""

    avg_price: float
    filled_qty: float


class Placed(NamedTuple):
    """What became of a limit order."""

    order_id: int | None  # None when nothing of it rests
    fill: Fill | None  # None when it traded nothing
    refused: str = ""  # why the rest found no place: "book_full" or "price_out_of_range"


class Depth(NamedTuple):
    """Prices (currency) and quantities (units) of one side, from the touch outwards."""

    px: NDArray[np.float64]
    qty: NDArray[np.float64]


class End(NamedTuple):
    """Where a book stands: since its start, lots traded and fills; now, orders and touch in ticks."""

    traded: int
    fills: int
    resting: int
    bb: int  # 0 when there are no bids
    ba: int


class OrderBook:
    """A limit order book with price-time priority.

    It opens with a ladder: `level_lots` lots on each of `levels` levels to both sides of `mid`.

    Parameters
    ----------
    mid
        Price the ladder stands around, in currency; no order rests at it.
    tick, lot
        Smallest step of price (currency) and of quantity (units).
    levels
        Levels per side, 0 for an empty book.
    level_lots
        Lots per level.

    Examples
    --------
    >>> book = OrderBook(mid=100.0, tick=0.01, levels=20)
    >>> book.execute_market(Side.BUY, 2.0)
    Fill(avg_price=100.015, filled_qty=2.0)
    >>> book.place_limit(Side.BUY, 99.99, 0.5)
    Placed(order_id=0, fill=None, refused='')
    >>> book.queue_ahead(0)
    1.0
    """

    def __init__(
        self,
        mid: float = 100.0,
        tick: float = 0.01,
        levels: int = 20,
        *,
        lot: float = 0.001,
        level_lots: int = 1_000,
    ) -> None:
        self._tick, self._lot = _Step("tick", tick), _Step("lot", lot)
        if not 0 <= levels < t.N_LEVELS // 2:
            raise ConfigError(f"levels {levels!r}: give 0 to {t.N_LEVELS // 2 - 1} levels a side")
        if not 0 < level_lots <= MAX_LOTS:
            raise ConfigError(f"level_lots {level_lots!r}: give 1 to {MAX_LOTS} lots")
        ticks = self._tick.count("mid", mid)
        bid, ask = math.ceil(ticks) - 1, math.floor(ticks) + 1
        if levels and bid - levels < 0:
            raise ConfigError(f"mid {mid!r}: {levels} levels of {tick!r} below it reach zero")

        from lablib.kernels import book  # numba loads here, not with this module

        self._kernels: Any = book
        self._record: Any = np.zeros(1, t.BOOK)[0]
        self._slot_of = np.zeros(64, np.int32)
        self._next_id = 0
        book.open_book(self._record)
        for rung in range(levels):
            book.add(self._record, 0, bid - rung, level_lots, t.MAKER, rung)
            book.add(self._record, 1, ask + rung, level_lots, t.MAKER, rung)

    @classmethod
    def empty(cls, tick: float = 1.0, lot: float = 1.0) -> Self:
        """A book in which nothing rests."""
        return cls(0.0, tick, levels=0, lot=lot)

    def __repr__(self) -> str:
        return f"OrderBook(bid {self.best_bid}, ask {self.best_ask}, {self.resting} orders resting)"

    # ------------------------------------------------------------------------------------- reading
    @property
    def best_bid(self) -> float | None:
        """Highest price someone buys at, None when nobody does."""
        ticks = int(self._record.best[0])
        return None if ticks == t.NO_BID else self._tick.units(ticks)

    @property
    def best_ask(self) -> float | None:
        """Lowest price someone sells at, None when nobody does."""
        ticks = int(self._record.best[1])
        return None if ticks == t.NO_ASK else self._tick.units(ticks)

    @property
    def resting(self) -> int:
        """Orders in the book, the ladder's among them."""
        return int(self._record.resting)

    @property
    def refused(self) -> int:
        """Limit orders of streams that found no room, or bore the id of one still resting."""
        return int(self._record.refused)

    def depth(self, side: Side, levels: int | None = None) -> Depth:
        """One side of the book from the touch outwards, `levels` deep or all of it."""
        half = _half(side)
        occupied = int(np.count_nonzero(self._record["levels"]["head"][half]))
        room = occupied if levels is None else max(0, min(levels, occupied))
        ticks, lots = np.zeros(room, np.int64), np.zeros(room, np.int64)
        self._kernels.depth(self._record, half, ticks, lots)
        return Depth(self._tick.array(ticks), self._lot.array(lots))

    # -------------------------------------------------------------------------------------- orders
    def execute_market(self, side: Side, qty: float) -> Fill | None:
        """Trade `qty` (rounded to the lot) at the best prices there are.

        Returns what was filled, which is less when the other side runs dry, and None when it is empty.
        """
        half = _half(side)
        _, fill = self._take(half, t.NO_ASK if half == 0 else t.NO_BID, self._lots(qty))
        return fill

    def place_limit(self, side: Side, px: float, qty: float, *, ioc: bool = False) -> Placed:
        """Trade up to `px`, then rest with what is left; with `ioc` drop it instead.

        `px` must lie on a tick (rounding it could make the order cross); `qty` is rounded to the lot.
        """
        half, lots = _half(side), self._lots(qty)
        ticks = self._tick.count("px", px)
        if not isinstance(ticks, int):
            raise ConfigError(f"px {px!r}: not a multiple of the tick, {self._tick.size!r}")
        left, fill = self._take(half, ticks, lots)
        if left == 0 or ioc:
            return Placed(None, fill)
        order_id = self._next_id
        slot = self._kernels.add(self._record, half, ticks, left, t.STRANGER, order_id)
        if slot < 0:
            return Placed(None, fill, t.REASONS[-slot])
        self._next_id += 1
        self._make_room(self._next_id)
        self._slot_of[order_id] = slot
        return Placed(order_id, fill)

    def cancel(self, order_id: int) -> float:
        """Take an order out; returns the quantity removed, 0.0 when it no longer rests."""
        return self._lot.units(self._kernels.cancel(self._record, self._slot(order_id)))

    def reduce(self, order_id: int, qty: float) -> float:
        """Take `qty` off an order, which keeps its place; returns what is left, 0.0 when it is gone."""
        lots = self._lots(qty)
        return self._lot.units(self._kernels.reduce(self._record, self._slot(order_id), lots))

    def replace(
        self, order_id: int, *, px: float | None = None, qty: float | None = None
    ) -> Placed | None:
        """Change an order to `qty` left at `px`; what is not given stays. None when it rests no more.

        Less at the same price keeps the place in the queue, and the id. Anything else is a cancel and a
        new order: the back of the queue, a new id, and a trade first where the new price crosses. A
        change that is refused (`px` off the tick, `qty` of no lot) leaves the order where it was.
        """
        slot = self._slot(order_id)
        if not slot:
            return None
        order = self._record["orders"][slot]
        side, left = Side(1 - 2 * int(order["half"])), int(order["lots"])
        at = int(order["px"]) if px is None else self._tick.count("px", px)
        if not isinstance(at, int):
            raise ConfigError(f"px {px!r}: not a multiple of the tick, {self._tick.size!r}")
        lots = left if qty is None else self._lots(qty)
        if at == order["px"] and lots <= left:
            if lots < left:
                self._kernels.reduce(self._record, slot, left - lots)
            return Placed(order_id, None)
        self._kernels.cancel(self._record, slot)
        return self.place_limit(side, self._tick.units(at), self._lot.units(lots))

    def queue_ahead(self, order_id: int) -> float | None:
        """Quantity in front of an order at its price; None when it does not rest."""
        slot = self._slot(order_id)
        return self._lot.units(self._kernels.queue_ahead(self._record, slot)) if slot else None

    def apply(
        self, op: ArrayLike, side: ArrayLike, px: ArrayLike, qty: ArrayLike, oid: ArrayLike
    ) -> End:
        """Put a whole order stream through the book in one call.

        Parameters
        ----------
        op
            0 limit, 1 cancel, 2 market, 3 limit that does not rest, 4 reduce by `qty`.
        side
            0 buy, 1 sell.
        px, qty
            Ticks and lots; `px` counts for limits, `qty` for all but cancels.
        oid
            Id of the order placed, cancelled or reduced; counted up from 0 or 1, not sparse. A limit
            order with the id of one that still rests is refused and counted in `refused`.

        Returns
        -------
        Where the book stands afterwards. Arrays with an error leave the book as it was.
        """
        columns, ids = check_stream(op, side, px, qty, oid)
        self._next_id = max(self._next_id, ids)
        self._make_room(self._next_id)
        self._kernels.apply(self._record, *columns, self._slot_of)
        book = self._record
        bb, ba = (0 if abs(px) == t.NO_ASK else px for px in book.best.tolist())
        return End(int(book.traded), int(book.fills), int(book.resting), bb, ba)

    # ------------------------------------------------------------------------------------- private
    def _take(self, half: int, limit: int, lots: int) -> tuple[int, Fill | None]:
        left, value, count = lots, 0, t.N_MATCHES
        while left and count == t.N_MATCHES:
            left = int(self._kernels.match(self._record, half, limit, left))
            count = int(self._record.match_count)
            matches = self._record["matches"][:count].tolist()  # Python's integers do not overflow
            value += sum(px * taken for px, taken, *_ in matches)
        if left == lots:
            return left, None
        filled = lots - left
        return left, Fill(self._tick.units(value / filled), self._lot.units(filled))

    def _lots(self, qty: float) -> int:
        lots = round(self._lot.count("qty", qty))
        if not 0 < lots <= MAX_LOTS:
            raise ConfigError(
                f"qty {qty!r}: give at least half a lot ({self._lot.size!r}), at most {MAX_LOTS} lots"
            )
        return lots

    def _slot(self, order_id: int) -> int:
        if not 0 <= order_id < self._next_id:
            return 0
        return int(self._kernels.named(self._record, self._slot_of, order_id))

    def _make_room(self, ids: int) -> None:
        if ids > self._slot_of.size:
            slot_of = np.zeros(max(ids, 2 * self._slot_of.size), np.int32)
            slot_of[: self._slot_of.size] = self._slot_of
            self._slot_of = slot_of


class _Step:
    """A grid of prices or quantities: counts of it on one side, a person's units on the other."""

    def __init__(self, name: str, size: float) -> None:
        if not (math.isfinite(size) and 1e-12 <= size <= 1e12):
            raise ConfigError(f"{name} {size!r}: give a positive number")
        self.size = size
        # 1/100 is not a binary fraction, 100 is: dividing by it gives 100.07, not 100.07000000000001.
        per_unit = round(1 / size)
        self._per_unit = per_unit if per_unit and abs(per_unit * size - 1) < 1e-12 else 1 / size

    def count(self, name: str, units: float) -> float | int:
        """Steps in `units`: an int when they lie on the grid."""
        steps = units * self._per_unit if math.isfinite(units) else math.nan
        if not abs(steps) < t.NO_ASK:
            raise ConfigError(f"{name} {units!r}: not a number this grid of {self.size!r} can hold")
        return round(steps) if abs(steps - round(steps)) < _GRID else steps

    def units(self, steps: float) -> float:
        return float(steps / self._per_unit)

    def array(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(steps / self._per_unit, np.float64)


def _half(side: Side) -> int:
    try:
        return (1 - Side(side)) >> 1
    except ValueError:
        raise ConfigError(f"side {side!r}: give Side.BUY (1) or Side.SELL (-1)") from None
