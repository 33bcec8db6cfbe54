"""The real pair, USD-M leading COIN-M, against the figures measured in the recordings' own README."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lablib.kernels.tables import EXTERNAL, LEVEL, N_LEVELS, SETTLED, TRADE
from lablib.tape.recorded import Market, load_pair

SECOND = 1_000_000_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real(shared: Path) -> Market:
    folder = shared / "data/binance_ws"
    return load_pair(folder / "usdm/btcusdt_20240808.gz", folder / "cm/btcusd_perp_20240808.gz")


def test_the_real_pair_is_what_its_readme_measured(real: Market) -> None:
    report = real.report
    assert report["book"]["comparisons"] == report["book"]["equal"] == 26_824
    assert report["book"]["crossed_when_settled"] == report["book"]["gaps"] == 0
    for role in ("leader", "follower"):
        clock = report[role]["clock"]
        assert clock["offset_s"] == pytest.approx(-1.2708, abs=1e-3)
        assert -5.4 < clock["drift_us_per_s"] < -4.6
        assert clock["negative"] == clock["messages"] == report[role]["lines"] - 1  # the snapshot
        assert report[role]["dropped"] == {}
        assert report[role]["depth_gaps"] == 0
    basis = report["basis"]
    assert basis["follower_minus_leader_median_px"] == pytest.approx(5.8, abs=0.05)
    assert basis["follower_minus_leader_p05_px"] == pytest.approx(0.8, abs=0.2)
    assert basis["follower_minus_leader_p95_px"] == pytest.approx(13.4, abs=0.05)
    assert basis["net_over_1bp_pct"] == pytest.approx(6.8, abs=0.1)
    assert basis["net_over_2bp_pct"] == pytest.approx(0.27, abs=0.02)


def test_the_real_leader_leads_within_the_measured_band(real: Market) -> None:
    lead = real.report["lead_lag"]
    assert lead["peak_ms"] == 125
    assert (lead["band_low_ms"], lead["band_high_ms"]) == (75, 130)
    assert 0 < lead["low_ms"] <= lead["peak_ms"] <= lead["high_ms"] <= 200


def test_the_real_tape_is_sound(real: Market) -> None:
    events = real.events
    assert np.all(np.diff(events["time_ns"]) >= 0)
    assert real.duration_ns == pytest.approx(342.83 * SECOND, abs=0.01 * SECOND)
    assert real.lot_size == pytest.approx(100 / 61_804.75)
    external = events[events["kind"] == EXTERNAL]
    levels = events[events["kind"] == LEVEL]
    assert np.all(np.abs(external["mark"] - 618_000) < 3_000)
    assert np.all(levels["lots"] >= 0)
    assert levels["ticks"].max() - levels["ticks"].min() < N_LEVELS
    assert np.sum(events["kind"] == SETTLED) == 26_777
    assert np.sum(events["kind"] == TRADE) == 2_284
