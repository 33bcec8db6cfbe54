"""Logs of real orders: pairing, their traps, and the figures measured in the recordings' own README."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lablib.config import SimConfig
from lablib.errors import ConfigError, DataError
from lablib.presets import WIRES
from lablib.tape.readers.latency import Latencies, load_latency

HEADER = "Timestamp,Order_ID,Status"
ROWS = (
    "1000,a,PENDING_CREATE",
    "1040,a,CREATED",
    "3000,a,PENDING_CANCEL",
    "3075,a,CANCELED",
    "2000,b,PENDING_CREATE",
    "2060,b,CREATED",
    "5000,c,PENDING_EXECUTE",
    "5020,c,CREATED",
    "5090,c,EXECUTED",
    "6000,b,PENDING_CANCEL",
)


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def as_lists(log: Latencies) -> dict[str, list[float]]:
    return {kind: sample.tolist() for kind, sample in log.samples.items()}


def test_requests_and_confirmations_are_paired_by_order(tmp_path: Path):
    log = load_latency(write(tmp_path, *ROWS))
    assert as_lists(log) == {"create": [40, 60], "cancel": [75], "execute": [90]}
    assert log.report["unanswered"] == {"cancel": 1}
    assert log.report["unasked"] == {"create": 1}  # the executed order's
    assert log.report["back_steps"] == 1


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path):
    forth = load_latency(write(tmp_path, *ROWS))
    back = load_latency(write(tmp_path, *reversed(ROWS)))
    assert as_lists(forth) == as_lists(back)
    assert forth.sha256 != back.sha256


def test_a_request_sent_twice_counts_from_the_first(tmp_path: Path):
    rows = ("100,a,PENDING_CANCEL", "900,a,PENDING_CANCEL", "950,a,CANCELED")
    log = load_latency(write(tmp_path, *rows))
    assert as_lists(log) == {"cancel": [850]}
    assert log.report["repeated"] == 1


def test_windows_line_ends_and_gzip_are_read_alike(tmp_path: Path):
    path = write(tmp_path, *ROWS)
    plain = load_latency(path)
    path.write_bytes(gzip.compress(path.read_bytes().replace(b"\n", b"\r\n")))
    assert as_lists(load_latency(path)) == as_lists(plain)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("1000,a", "3 columns"),
        ("10.5,a,CREATED", "Timestamp"),
        ("-5,a,CREATED", "Timestamp"),
        ("1000,,CREATED", "Order_ID"),
        ("1000,a,LOST", "Status"),
    ],
)
def test_a_bad_row_is_refused_by_line_or_dropped_and_counted(tmp_path: Path, row: str, word: str):
    path = write(tmp_path, *ROWS, row)
    with pytest.raises(DataError, match=rf"log\.csv, line {len(ROWS) + 2}: .*{word}"):
        load_latency(path)
    log = load_latency(path, on_bad="skip")
    assert sum(log.report["dropped"].values()) == 1
    assert as_lists(log)["create"] == [40, 60]


def test_an_answer_before_its_request_is_refused(tmp_path: Path):
    path = write(tmp_path, *ROWS, "9000,z,PENDING_CREATE", "8999,z,CREATED")
    with pytest.raises(DataError, match="line 12: confirmed before it was sent: z"):
        load_latency(path)
    assert load_latency(path, on_bad="skip").report["dropped"] == {"answered before asked": 1}


def test_another_layout_and_a_log_without_a_pair_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="not an order latency log"):
        load_latency(write(tmp_path, "1", header="ms"))
    with pytest.raises(DataError, match="no request has a confirmation"):
        load_latency(write(tmp_path, "1000,a,PENDING_CREATE"))
    with pytest.raises(DataError, match="no such file"):
        load_latency(tmp_path / "none.csv")


def test_a_log_becomes_the_delay_of_a_leg(tmp_path: Path):
    log = load_latency(write(tmp_path, *ROWS))
    model = log.delay("create")
    assert model.scale == 0.5
    assert model.typical_ms == pytest.approx(25.0)
    config = SimConfig().replace({"latency.order_entry_ms": model.model_dump()})
    assert config.latency.order_entry_ms == model
    with pytest.raises(ConfigError, match="create, cancel, execute, got 'reduce'"):
        log.percentiles("reduce")


# ---------------------------------------------------------------------------------------- real logs
CREATES = {  # file, wires, p50, p95, p99, count, of the README
    "binance_aws_1_Tokyo": ("binance_tokyo", 71, 180, 308, 669),
    "binance_aws_3_London": ("binance_london", 243, 690, 756, 669),
    "binance_aws_6_Sao_Paolo": ("binance_sao_paulo", 302, 450, 868, 606),
    "binance_aws_asia_1_Tokyo": ("binance_tokyo_night", 126, 242, 404, 1_908),
    "gate_io_aws_1_Tokyo": ("gate_io_tokyo", 40, 84, 210, 973),
    "htx_aws_3_Seoul": ("htx_seoul", 58, 170, 229, 973),
    "kucoin_hft": ("kucoin_hf", 39, 125, 282, 2_958),
}


def real(shared: Path, name: str) -> Latencies:
    return load_latency(shared / f"data/latency/{name}_latency_check.csv")


@pytest.mark.parametrize("name", CREATES)
def test_the_real_logs_have_the_figures_of_their_readme(shared: Path, name: str):
    _, *figures, count = CREATES[name]
    found = real(shared, name).percentiles("create")
    assert found["count"] == count
    assert [found[p] for p in ("p50_ms", "p95_ms", "p99_ms")] == pytest.approx(figures, abs=0.51)


@pytest.mark.parametrize("name", CREATES)
def test_the_measured_wires_are_the_real_logs_quantiles(shared: Path, name: str):
    wires = WIRES[CREATES[name][0]]
    log = real(shared, name)
    for kind, leg in (("create", "order_entry_ms"), ("cancel", "cancel_ms")):
        sample = log.samples[kind]
        model = wires.leg(leg)
        exact = np.quantile(sample[sample < 60_000], model["probabilities"])
        assert model["quantiles_ms"] == pytest.approx(exact.tolist(), abs=0.06)


def test_the_real_logs_traps_are_survived(shared: Path):
    tokyo = real(shared, "binance_aws_1_Tokyo")
    cancels = tokyo.percentiles("cancel")
    figures = [cancels[p] for p in ("p50_ms", "p95_ms", "p99_ms")]
    assert figures == pytest.approx([62, 115, 288], abs=0.51)
    assert tokyo.report["unasked"] == {"create": 66}
    assert real(shared, "kucoin_hft").report["back_steps"] == 3
    htx = real(shared, "htx_aws_3_Seoul")
    assert htx.samples["cancel"].max() == pytest.approx(82_278)
    assert htx.report["repeated"] == 1
