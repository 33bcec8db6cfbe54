"""The obvious slow book: a dict of prices, a deque of orders at each. An oracle for the fast one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lablib.kernels import tables as t


@dataclass(eq=False, slots=True)
class Order:
    half: int
    px: int
    lots: int
    owner: int
    tag: int

    def seen(self) -> tuple[int, int, int]:
        return self.lots, self.owner, self.tag


@dataclass(frozen=True, slots=True)
class Trade:
    px: int
    lots: int
    order: Order
    left: int


class ReferenceBook:
    """Price, then time. Half 0 bids, 1 asks; every bound is a sentence."""

    def __init__(self) -> None:
        self.halves: tuple[dict[int, deque[Order]], dict[int, deque[Order]]] = ({}, {})
        self.names: dict[int, Order] = {}  # orders of a stream, by id
        self.resting = self.traded = self.fills = self.refused = 0

    def best(self, half: int) -> int:
        prices = self.halves[half]
        if not prices:
            return t.NO_ASK if half else t.NO_BID
        return min(prices) if half else max(prices)

    def add(self, half: int, px: int, lots: int, owner: int, tag: int) -> Order | int:
        if lots <= 0:
            return -t.SIZE_ZERO
        prices = [px, *self.halves[0], *self.halves[1]]
        if max(prices) - min(prices) >= t.N_LEVELS or not t.NO_BID < px < t.NO_ASK:
            return -t.PRICE_OUT_OF_RANGE
        if self.resting == t.N_RESTING - 1:
            return -t.BOOK_FULL
        order = Order(half, px, lots, owner, tag)
        self.halves[half].setdefault(px, deque()).append(order)
        self.resting += 1
        return order

    def match(self, half: int, limit: int, lots: int) -> tuple[int, list[Trade]]:
        trades: list[Trade] = []
        other = self.halves[1 - half]
        while lots > 0 and other and len(trades) < t.N_MATCHES:
            px = self.best(1 - half)
            if (px > limit) if half == 0 else (px < limit):
                break
            order = other[px][0]
            taken = min(lots, order.lots)
            lots -= taken
            trades.append(Trade(px, taken, order, order.lots - taken))
            self.reduce(order, taken)
        self.traded += sum(trade.lots for trade in trades)
        self.fills += len(trades)
        return lots, trades

    def cancel(self, order: Order) -> int:
        lots, order.lots = order.lots, 0
        if lots:
            queue = self.halves[order.half][order.px]
            queue.remove(order)
            if not queue:
                del self.halves[order.half][order.px]
            self.resting -= 1
        return lots

    def reduce(self, order: Order, lots: int) -> int:
        if order.lots - lots > 0:
            order.lots -= max(lots, 0)
        else:
            self.cancel(order)
        return order.lots

    def queue_ahead(self, order: Order) -> int:
        if not order.lots:
            return 0
        queue = self.halves[order.half][order.px]
        return sum(other.lots for other in list(queue)[: queue.index(order)])

    def depth(self, half: int) -> list[tuple[int, int]]:
        return [(px, sum(o.lots for o in queue)) for px, queue in self.levels(half)]

    def levels(self, half: int) -> list[tuple[int, deque[Order]]]:
        return sorted(self.halves[half].items(), reverse=half == 0)

    def state(self) -> list[list[tuple[int, list[tuple[int, int, int]]]]]:
        """Both halves from the touch outwards: price, and (lots, owner, tag) of each order in turn."""
        return [[(px, [o.seen() for o in queue]) for px, queue in self.levels(h)] for h in (0, 1)]

    def apply(self, code: int, side: int, px: int, qty: int, oid: int) -> None:
        """One row of an order stream."""
        known = self.names.get(oid)
        if code in (t.OP_CANCEL, t.OP_REDUCE):
            if known:
                self.reduce(known, known.lots if code == t.OP_CANCEL else qty)
            return
        if code == t.OP_LIMIT and known and known.lots:
            self.refused += 1
            return
        limit = px if code != t.OP_MARKET else (t.NO_BID if side else t.NO_ASK)
        left, trades = self.match(side, limit, qty)
        while left and len(trades) == t.N_MATCHES:
            left, trades = self.match(side, limit, left)
        if code == t.OP_LIMIT and left:
            order = self.add(side, px, left, t.STRANGER, oid)
            if isinstance(order, int):
                self.refused += 1
            else:
                self.names[oid] = order
