"""A book told by its changes, order by order or level by level, and its best levels. Knows no vendor's layout."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from lablib.tape.readers.text import Ints, Refusals

BIDS, ASKS = range(2)


class Message(NamedTuple):
    """One line or record: `what` is A (add), C (cancel a part or all), M (move), R (all gone), else nothing."""

    at: int  # its place among the messages
    line: int  # of the file
    what: str
    side: int  # BIDS or ASKS, neither of any other message
    order_id: int
    price: int
    size: int
    is_last: bool  # of one event of the venue: the book has settled


class Order(NamedTuple):
    """What rests."""

    side: int
    price: int
    size: int


class OrderBook:
    """Orders by id, and of each side the lots by price and the prices from low to high."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing rests any more."""
        self.orders: dict[int, Order] = {}
        self.lots: tuple[dict[int, int], ...] = ({}, {})
        self.prices: tuple[list[int], ...] = ([], [])

    def apply(self, message: Message) -> str:
        """Take one message; what is wrong with it, "" if nothing. A wrong one changes nothing."""
        match message.what:
            case "R":
                self.clear()
            case "A" | "M":
                return self._place(message)
            case "C":
                return self._cancel(message)
        return ""

    def top(self, depth: int) -> tuple[list[int], list[int]]:
        """Prices and lots: `depth` bids, then asks, each from the touch outward; 0 where there is none."""
        prices, lots = [], []
        for side in (BIDS, ASKS):
            best = (
                self.prices[side][:depth] if side == ASKS else self.prices[side][: -depth - 1 : -1]
            )
            absent = [0] * (depth - len(best))
            prices += best + absent
            lots += [self.lots[side][price] for price in best] + absent
        return prices, lots

    def _place(self, message: Message) -> str:
        here = self.orders.get(message.order_id)
        if message.side not in (BIDS, ASKS) or message.size <= 0 or message.price <= 0:
            return f"order {message.order_id} of {message.size} at {message.price} on no side or of no worth"
        if message.what == "A" and here is not None:
            return f"adds order {message.order_id}, which is there already"
        if here is not None:  # a move of what was never seen is an order come into view
            self.change(here.side, here.price, -here.size)
        self.orders[message.order_id] = Order(message.side, message.price, message.size)
        self.change(message.side, message.price, message.size)
        return ""

    def _cancel(self, message: Message) -> str:
        here = self.orders.get(message.order_id)
        if here is None:
            return f"cancels order {message.order_id}, which is not there"
        if not 0 < message.size <= here.size:
            return f"cancels {message.size} of order {message.order_id}, which has {here.size}"
        self.change(here.side, here.price, -message.size)
        if message.size == here.size:
            del self.orders[message.order_id]
        else:
            self.orders[message.order_id] = here._replace(size=here.size - message.size)
        return ""

    def change(self, side: int, price: int, by: int) -> None:
        """Let a level have more lots, or fewer; without any it is gone."""
        half, prices = self.lots[side], self.prices[side]
        if price not in half:
            insort(prices, price)
        half[price] = half.get(price, 0) + by
        if not half[price]:
            del half[price]
            del prices[bisect_left(prices, price)]


def top_of_book(
    messages: Iterable[Message], depth: int, refusals: Refusals
) -> tuple[Ints, Ints, Ints]:
    """Follow messages, and keep the best levels whenever the book has settled and they are others than before.

    Returns
    -------
    at
        Messages that settled it, n of them.
    prices, lots
        Shape (n, 2, depth), bids then asks, each from the touch outward; 0 where there is none.
    """
    book = OrderBook()
    at, levels = array("q"), array("q")
    before: tuple[list[int], list[int]] | None = None
    for message in messages:
        problem = book.apply(message)
        if problem:
            refusals.refuse(message.line, "order", problem)
        if message.is_last and (now := book.top(depth)) != before:
            before = now
            at.append(message.at)
            levels.extend(now[0] + now[1])
    told = np.frombuffer(levels.tobytes(), np.int64).reshape(len(at), 2, 2, depth)
    return np.frombuffer(at.tobytes(), np.int64), told[:, 0], told[:, 1]
