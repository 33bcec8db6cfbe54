"""Stylised facts of a market: what is measured on a tape, and the bands that real markets fall into.

Arrays in, one row a fact out. Definitions are those of the literature (Cont 2001; Bouchaud et al. 2002
and 2018; Lillo and Farmer 2004; Cont, Kukanov and Stoikov 2014), bands are wide, and a fact that a model
is given, or that nothing in it could show, is not claimed. Nothing here knows where the tape came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAN = float("nan")


@dataclass(frozen=True)
class Tape:
    """Every change of the best quotes and every market order of a market.

    Attributes
    ----------
    at_s
        Times of the changes, s, rising, shape (changes,).
    bid, ask
        Best quotes from then on, ticks.
    bid_lots, ask_lots
        What rests there, lots.
    trade_s
        Times of market orders, s, shape (trades,).
    signs
        +1 where one bought, -1 where one sold.
    depth
        Mean lots that rest 1, 2, … ticks from the opposite best quote, both sides together.
    """

    at_s: Floats
    bid: Ints
    ask: Ints
    bid_lots: Ints
    ask_lots: Ints
    trade_s: Floats
    signs: Ints
    depth: Floats

    @property
    def mid(self) -> Floats:
        """Ticks, from each change on."""
        return np.asarray(0.5 * (self.bid + self.ask), np.float64)

    def sampled(self, seconds: float) -> Floats:
        """The mid on a clock, ticks."""
        clock = np.arange(self.at_s[0], self.at_s[-1], seconds)
        return np.asarray(self.mid[np.searchsorted(self.at_s, clock, "right") - 1])


# ---------------------------------------------------------------------------------------- measures
def autocorrelation(values: Floats | Ints, lags: int) -> Floats:
    """At lags 1 … `lags`, shape (lags,); zeros where the values are all alike.

    >>> autocorrelation(np.array([1.0, -1.0] * 50), 2).round(1)
    array([-1.,  1.])
    """
    centred = np.asarray(values, np.float64) - np.mean(values)
    size = 1 << int(2 * centred.size - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    sums = np.fft.irfft(power, size)[: lags + 1]
    if sums[0] <= 0:
        return np.zeros(lags)
    return np.asarray(sums[1:] / sums[0] * centred.size / (centred.size - np.arange(1, lags + 1)))


def _standing(correlations: Floats, count: int) -> list[tuple[int, float, float]]:
    """Averages over lags 1, 2, 3-4, 5-8, … as long as they stand: last lag, log centre, log average.

    An average stands where it is three standard errors of independent values above 0.
    """
    blocks, low = [], 0
    while 2 * low <= correlations.size:
        high = max(1, 2 * low)
        part = correlations[low:high]
        if part.mean() < 3 / np.sqrt(count * part.size):
            break
        centre = np.log(np.arange(low + 1, high + 1)).mean()
        blocks.append((high, float(centre), float(np.log(part.mean()))))
        low = high
    return blocks


def memory_length(correlations: Floats, count: int) -> int:
    """The last lag, 1, 2, 4, 8, …, up to which autocorrelations of `count` values stand above 0.

    >>> memory_length(np.arange(1, 129) ** -0.5, 100_000), memory_length(np.zeros(128), 100_000)
    (128, 0)
    """
    blocks = _standing(correlations, count)
    return blocks[-1][0] if blocks else 0


def memory_exponent(correlations: Floats, count: int) -> float:
    """Exponent of a power law through autocorrelations; NaN where they die before the last lag.

    >>> round(memory_exponent(np.arange(1, 129) ** -0.5, 100_000), 2)
    0.5
    """
    blocks = _standing(correlations, count)
    if not blocks or blocks[-1][0] < correlations.size:
        return NAN
    _, centres, means = zip(*blocks, strict=True)
    return float(-np.polyfit(centres, means, 1)[0])


def _return_autocorrelation(tape: Tape) -> float:
    return float(np.abs(autocorrelation(np.diff(tape.sampled(1.0)), 20)[1:]).max())


def _excess_kurtosis(tape: Tape) -> float:
    moves = np.diff(tape.sampled(60.0))
    centred = moves - moves.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2 - 3)


def _volatility_memory(tape: Tape) -> tuple[Floats, int]:
    moves = np.abs(np.diff(tape.sampled(1.0)))
    return autocorrelation(moves, 128), moves.size


def _volatility_length(tape: Tape) -> float:
    return float(memory_length(*_volatility_memory(tape)))


def _volatility_exponent(tape: Tape) -> float:
    return memory_exponent(*_volatility_memory(tape))


def _sign_memory(tape: Tape) -> float:
    return memory_exponent(autocorrelation(tape.signs, 128), tape.signs.size)


def _sign_correlation(tape: Tape) -> float:
    return float(autocorrelation(tape.signs, 1)[0])


def _fano_factor(tape: Tape) -> float:
    windows = np.arange(tape.at_s[0], tape.at_s[-1], 100.0)
    counts, _ = np.histogram(tape.trade_s, windows)
    return float(counts.var(ddof=1) / counts.mean())


def _mid_before_trades(tape: Tape) -> Floats:
    return tape.mid[np.maximum(np.searchsorted(tape.at_s, tape.trade_s, "left") - 1, 0)]


def _signature_ratio(tape: Tape) -> float:
    mid = _mid_before_trades(tape)
    one, many = (np.var(mid[k:] - mid[:-k]) / k for k in (1, 100))
    return float(np.sqrt(one / many))


def _time_weighted(tape: Tape, which: NDArray[np.bool_]) -> float:
    stayed = np.diff(tape.at_s)
    return float(stayed[which[:-1]].sum() / stayed.sum())


def _one_tick_share(tape: Tape) -> float:
    return _time_weighted(tape, tape.ask - tape.bid == 1)


def _depth_hump(tape: Tape) -> float:
    return float(1 + np.argmax(tape.depth))


def _imbalance_foresight(tape: Tape) -> float:
    """How often the mid next moves towards the longer queue, where 0.7 <= |imbalance| <= 0.9."""
    mid = tape.mid
    moved = np.flatnonzero(np.diff(mid)) + 1
    rows = np.flatnonzero((tape.ask - tape.bid == 1) & (tape.bid_lots > 0) & (tape.ask_lots > 0))
    rows = rows[rows < moved.max(initial=0)]
    longer = tape.bid_lots[rows] - tape.ask_lots[rows]
    imbalance = longer / (tape.bid_lots[rows] + tape.ask_lots[rows])
    near = (np.abs(imbalance) >= 0.7) & (np.abs(imbalance) <= 0.9)
    rows, side = rows[near], np.sign(imbalance[near])
    if rows.size == 0:
        return NAN
    after = moved[np.searchsorted(moved, rows, "right")]
    return float(np.mean((mid[after] - mid[rows]) * side > 0))


def order_flow_imbalance(tape: Tape) -> Floats:
    """Of each change of the best quotes, lots (Cont, Kukanov and Stoikov 2014, eq. 4), shape (changes - 1,)."""
    bid, ask = tape.bid, tape.ask
    gained = (bid[1:] >= bid[:-1]) * tape.bid_lots[1:] - (bid[1:] <= bid[:-1]) * tape.bid_lots[:-1]
    lost = (ask[1:] <= ask[:-1]) * tape.ask_lots[1:] - (ask[1:] >= ask[:-1]) * tape.ask_lots[:-1]
    return np.asarray(gained - lost, np.float64)


def _flow_r2(tape: Tape) -> float:
    clock = np.arange(tape.at_s[0], tape.at_s[-1], 10.0)
    flow, _ = np.histogram(tape.at_s[1:], clock, weights=order_flow_imbalance(tape))
    moves = np.diff(tape.sampled(10.0))[: flow.size]
    return float(np.corrcoef(flow[: moves.size], moves)[0, 1] ** 2)


def response(tape: Tape, lag: int) -> float:
    """Mean move of the mid over `lag` trades in the direction of the first, ticks."""
    mid = _mid_before_trades(tape)
    return float(np.mean(tape.signs[:-lag] * (mid[lag:] - mid[:-lag])))


def _response_ratio(tape: Tape) -> float:
    return float(np.divide(response(tape, 100), response(tape, 1)))


# ------------------------------------------------------------------------------------------- facts
@dataclass(frozen=True)
class Fact:
    """A stylised fact: what is measured, and where real markets lie. Without a measure it is not claimed."""

    name: str
    what: str
    low: float = NAN
    high: float = NAN
    measure: Callable[[Tape], float] | None = None
    why_not: str = ""

    @property
    def band(self) -> str:
        """As a person writes it."""
        if self.measure is None:
            return "–"
        if np.isinf(self.high):
            return f"≥ {self.low:g}"
        return f"≤ {self.high:g}" if self.low == 0 else f"{self.low:g} – {self.high:g}"


@dataclass(frozen=True)
class Score:
    """One row of a scorecard; `verdict` is "pass", "fail" or "not claimed"."""

    fact: Fact
    value: float
    verdict: str


INF = float("inf")
LEAST_S, LEAST_TRADES = 600.0, 500
FACTS = (
    Fact(
        "no memory in returns",
        "largest autocorrelation of 1-s moves of the mid, either way, beyond the bounce: lags 2-20 s",
        0.0,
        0.05,
        _return_autocorrelation,
    ),
    Fact("fat tails", "excess kurtosis of 1-min moves", 3.0, INF, _excess_kurtosis),
    Fact(
        "volatility clustering",
        "seconds for which the autocorrelation of absolute 1-s moves stands above 0, up to 128",
        100.0,
        INF,
        _volatility_length,
    ),
    Fact(
        "slow decay of volatility",
        "exponent of that autocorrelation, lags 1-128; none where it dies before",
        0.2,
        0.4,
        _volatility_exponent,
    ),
    Fact(
        "memory of trade signs",
        "decay exponent of their autocorrelation, lags 1-128 trades; none where it dies before",
        0.4,
        0.7,
        _sign_memory,
    ),
    Fact(
        "alike neighbours", "autocorrelation of trade signs at lag 1", 0.1, 0.4, _sign_correlation
    ),
    Fact("clustered arrivals", "Fano factor of trades in 100 s", 2.0, INF, _fano_factor),
    Fact(
        "signature plot",
        "volatility per root trade, of 1 trade over that of 100",
        1.0,
        1.5,
        _signature_ratio,
    ),
    Fact("tight spread", "share of time at one tick (large tick)", 0.8, 0.98, _one_tick_share),
    Fact(
        "hump of the book",
        "ticks from the opposite best quote where most is resting",
        2.0,
        INF,
        _depth_hump,
    ),
    Fact(
        "imbalance foretells",
        "how often the next move goes towards the longer queue, at an imbalance of 0.7-0.9",
        0.7,
        0.9,
        _imbalance_foresight,
    ),
    Fact("order flow moves prices", "R² of 10-s moves on order flow imbalance", 0.5, 0.7, _flow_r2),
    Fact(
        "response grows",
        "mean signed move after 100 trades over that after 1",
        1.5,
        3.0,
        _response_ratio,
    ),
    Fact("tail of order sizes", "exponent of market order sizes", why_not="an input"),
    Fact("square-root impact", "impact of a large order", why_not="nothing in the flow makes it"),
    Fact("cancelled share", "share of limit orders cancelled", why_not="an input, by the rates"),
)


def score(tape: Tape) -> list[Score]:
    """One row for each of `FACTS`, in their order; a measure that is NaN fails.

    Raises
    ------
    ConfigError
        A tape too short to say anything.
    """
    seconds = tape.at_s[-1] - tape.at_s[0] if tape.at_s.size else 0.0
    if seconds < LEAST_S or tape.signs.size < LEAST_TRADES:
        raise ConfigError(
            f"scorecard: needs {LEAST_TRADES} trades in {LEAST_S:g} s or more, got {tape.signs.size}"
            f" in {seconds:g} s"
        )
    rows = []
    for fact in FACTS:
        value, verdict = NAN, "not claimed"
        if fact.measure is not None:
            with np.errstate(invalid="ignore", divide="ignore"):  # a price that never moves
                value = fact.measure(tape)
            verdict = "pass" if fact.low <= value <= fact.high else "fail"
        rows.append(Score(fact, value, verdict))
    return rows
