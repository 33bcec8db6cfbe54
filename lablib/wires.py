"""Named wires: the delays of a place, a link or a person, each with its source.

No exchange publishes p50/p99 tables of its latencies. The medians of the links are those of public
notes, held against the speed of light (3.336 µs/km in vacuum, 4.937 in fibre); the shapes of the tails
are engineering judgement and say so. The measured ones are our quantiles of the order event logs of
supervik/crypto-exchanges-latencies-test (MIT licence, © 2023 supervik).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Model = dict[str, Any]  # a delay model as `lablib.delays` validates it


@dataclass(frozen=True)
class Wires:
    """A named set of delays.

    Attributes
    ----------
    title, source
        What it is, and where its numbers come from.
    one_way
        One delay by itself: what any leg gets that is given this name and has none in `legs`.
    legs
        Delays of the legs of `lablib.config.LatencyConfig`.
    """

    title: str
    source: str
    one_way: Model
    legs: dict[str, Model]

    @property
    def changes(self) -> dict[str, Model]:
        """The whole set, for `SimConfig.replace`."""
        return {f"latency.{leg}": dict(delay) for leg, delay in self.legs.items()}

    def leg(self, name: str) -> Model:
        """The delay of one leg."""
        return dict(self.legs.get(name, self.one_way))


def _lognormal(median_ms: float, sigma: float, shift_ms: float = 0.0, **more: float) -> Model:
    law = {"model": "lognormal", "median_ms": median_ms, "sigma": sigma, "shift_ms": shift_ms}
    return {**law, **more}


def _gamma(shift_ms: float, mean_ms: float, shape: float = 2.0) -> Model:
    return {"model": "gamma", "shift_ms": shift_ms, "mean_ms": mean_ms, "shape": shape}


def _link(title: str, source: str, one_way: Model) -> Wires:
    """A link between two cities: the leader trades at its far end, we sit beside the venue."""
    return Wires(title, source, one_way, {"external_feed_ms": one_way})


_QUANTILES = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 1)
_LOGS = "supervik/crypto-exchanges-latencies-test (MIT, © 2023 supervik)"


def _measured(title: str, log: str, create: tuple[float, ...], cancel: tuple[float, ...]) -> Wires:
    """Halves of measured round trips.

    There and back are drawn by themselves, so that their sum has the round trip's floor, about its
    median, and thinner tails.
    """
    table = {"model": "empirical", "probabilities": list(_QUANTILES), "scale": 0.5}
    order: Model = {**table, "quantiles_ms": list(create)}
    withdrawal: Model = {**table, "quantiles_ms": list(cancel)}
    legs = {"order_entry_ms": order, "cancel_ms": withdrawal, "ack_ms": order}
    source = (
        f"Round trips of {log}, from the event logs of {_LOGS}; each leg is one half (judgement)."
    )
    return Wires(title, source, order, legs)


WIRES: dict[str, Wires] = {
    "colo": Wires(
        "Cross-connect inside the exchange's own building",
        "Order to acknowledgement about 0.05-0.15 ms (LSE 2015: median ~0.15, minimum reaction 0.029;"
        " secondary sources); lognormal 0.3 (judgement).",
        _lognormal(0.04, 0.3, 0.03),
        {
            "external_feed_ms": _lognormal(0.03, 0.3, 0.01),
            "venue_feed_ms": _lognormal(0.03, 0.3, 0.01),
            "decision_ms": _lognormal(0.01, 0.3, 0.005),
            "order_entry_ms": _lognormal(0.04, 0.3, 0.03),
            "ack_ms": _lognormal(0.04, 0.3, 0.03),
        },
    ),
    "nj_metro_fibre": _link(
        "Mahwah to Carteret (56 km) by fibre",
        "0.35 ms one way (secondary sources); gamma tail of 10 µs (judgement).",
        _gamma(0.34, 0.01),
    ),
    "nj_metro_microwave": _link(
        "Mahwah to Carteret (56 km) by millimetre wave",
        "0.19 ms one way (secondary sources); gamma tail of 3 µs (judgement).",
        _gamma(0.187, 0.003),
    ),
    "chicago_nj_microwave": _link(
        "Chicago (Aurora) to New Jersey (1,130-1,180 km) by microwave",
        "3.96-4.09 ms one way (NLN 3.97, McKay Carteret-Aurora 3.982; secondary sources), jitter 5-20 µs;"
        " what rain does is not in it.",
        {"model": "uniform", "base_ms": 3.97, "jitter_ms": 0.02},
    ),
    "chicago_nj_fibre": _link(
        "Chicago (Aurora) to New Jersey by fibre",
        "6.55 ms one way (Spread Networks' 13.1 ms round trip), jitter 20-50 µs.",
        {"model": "uniform", "base_ms": 6.55, "jitter_ms": 0.05},
    ),
    "london_frankfurt_microwave": _link(
        "London to Frankfurt by microwave",
        "2.13-2.15 ms one way (secondary sources).",
        {"model": "uniform", "base_ms": 2.13, "jitter_ms": 0.02},
    ),
    "london_frankfurt_fibre": _link(
        "London to Frankfurt by fibre",
        "4.2-4.67 ms one way (secondary sources): the range of routes, taken as jitter (judgement).",
        {"model": "uniform", "base_ms": 4.2, "jitter_ms": 0.47},
    ),
    "new_york_london": _link(
        "New York to London by the Hibernia Express cable",
        "Round trip below 58.95 ms as tested, so 29.3-29.5 ms one way; jitter 50-100 µs.",
        {"model": "uniform", "base_ms": 29.4, "jitter_ms": 0.1},
    ),
    "cloud_same_region": Wires(
        "A server in the venue's own cloud region",
        "Venue API 2-12 ms end to end (vendor statements); lognormal 0.4-0.5 with spikes of 1 in 1,000"
        " (judgement).",
        _lognormal(4.0, 0.5, 1.0, spike_probability=0.001, spike_ms=40),
        {
            "external_feed_ms": _lognormal(1.0, 0.4, 0.2),
            "venue_feed_ms": _lognormal(1.5, 0.4, 0.3),
            "decision_ms": _lognormal(0.2, 0.3),
            "order_entry_ms": _lognormal(4.0, 0.5, 1.0, spike_probability=0.001, spike_ms=40),
            "ack_ms": _lognormal(4.0, 0.5, 1.0, spike_probability=0.001, spike_ms=40),
        },
    ),
    "cloud_cross_region": _link(
        "Tokyo to Virginia between two cloud regions",
        "75-80 ms one way (round trip 150-165; secondary sources and memory); lognormal 0.15 above a floor,"
        " spikes of 1 in 1,000 (judgement).",
        _lognormal(8.0, 0.15, 70.0, spike_probability=0.001, spike_ms=40),
    ),
    "retail": Wires(
        "A home connection through a broker",
        "Internet 8-40 ms one way plus broker 20-150 ms (generic sources); lognormal 0.6-0.7 with a Pareto"
        " tail of exponent 2.5 (judgement).",
        _lognormal(60, 0.7, 20, spike_probability=0.01, spike_ms=150, spike_alpha=2.5),
        {
            "external_feed_ms": _lognormal(25, 0.6, 5),
            "venue_feed_ms": _lognormal(25, 0.6, 5),
            "decision_ms": _lognormal(5, 0.5),
            "order_entry_ms": _lognormal(
                60, 0.7, 20, spike_probability=0.01, spike_ms=150, spike_alpha=2.5
            ),
            "ack_ms": _lognormal(
                60, 0.7, 20, spike_probability=0.01, spike_ms=150, spike_alpha=2.5
            ),
        },
    ),
    "human": Wires(
        "A person who sees, decides and clicks",
        "200-500 ms; Moallemi and Sağlam (2013) take 500 ms as the human scale (from memory); lognormal 0.3.",
        _lognormal(300, 0.3),
        {"decision_ms": _lognormal(300, 0.3)},
    ),
    "binance_tokyo": _measured(
        "Binance from Tokyo, 2023-09-19, as measured",
        "669 orders, binance_aws_1_Tokyo, 2023-09-19",
        (36, 40, 46, 50, 56, 71, 93, 125.4, 179.8, 286.9, 307.6, 354.6, 447),
        (36, 39.7, 43, 45, 52, 62, 79, 97.2, 114.6, 169.8, 288.3, 341.1, 503),
    ),
    "binance_tokyo_night": _measured(
        "Binance from Tokyo, 2023-09-20 to 21, as measured",
        "1,908 orders, binance_aws_asia_1_Tokyo, 2023-09-20 to 21",
        (67, 77, 88, 93, 106, 126, 154.3, 192, 241.7, 357, 403.7, 429.5, 681),
        (67, 73, 81.4, 87, 99, 116, 142, 175, 222.6, 363.7, 399.8, 421.1, 641),
    ),
    "binance_london": _measured(
        "Binance from London, 2023-09-19, as measured",
        "669 orders, binance_aws_3_London, 2023-09-19",
        (223, 225, 230, 234, 238, 243, 279, 571.8, 690, 725, 756.2, 782.9, 939),
        (230, 232.7, 237, 241, 245, 252, 264, 343.2, 696, 707.9, 716.6, 728.6, 965),
    ),
    "binance_sao_paulo": _measured(
        "Binance from São Paulo, 2023-09-18, as measured",
        "606 orders, binance_aws_6_Sao_Paolo, 2023-09-18",
        (273, 284, 288, 290, 295, 301.5, 312.8, 367, 450.5, 850.8, 867.6, 884.7, 1132),
        (281, 283.1, 286, 287, 290, 295.5, 305, 330.5, 391.8, 845.9, 853.9, 860, 1133),
    ),
    "gate_io_tokyo": _measured(
        "Gate.io from Tokyo, 2023-10-23, as measured",
        "973 orders, gate_io_aws_1_Tokyo, 2023-10-23",
        (37, 37, 38, 38, 39, 40, 41, 45, 84.4, 208, 210.3, 213.1, 225),
        (44, 45, 45, 46, 47, 48, 49, 51, 68.2, 212, 216.3, 221.3, 378),
    ),
    "htx_seoul": _measured(
        "HTX from Seoul, 2023-10-23, as measured",
        "973 orders, htx_aws_3_Seoul, 2023-10-23 (one cancel of 82 s left out)",
        (51, 52, 53, 53, 55, 58, 68, 97, 170.4, 222.6, 228.8, 240.4, 369),
        (42, 43, 43, 44, 45, 48, 66.3, 132.4, 186.4, 214.6, 219.9, 227.4, 321),
    ),
    "kucoin_hf": _measured(
        "KuCoin high-frequency accounts, 2023-10-31 to 11-03, as measured",
        "2,958 orders, kucoin_hft, 2023-10-31 to 11-03",
        (20, 22, 23, 24, 29, 39, 56, 85, 125, 229.9, 281.6, 329.5, 600),
        (20, 22, 24, 25, 31, 41, 58, 84, 112.7, 204.1, 269.7, 311.8, 522),
    ),
}
