"""The live lab in a real Chromium: frames applied a second, their age, and what they cost.

    python benchmarks/bench_live.py [--seconds 20] [--rounds 3] [--preset stress] [--speed 1]
                                     [--picture FILE.png]

Starts `lablib serve`, opens the page, and prints JSON. A frame counts when the browser has applied
all of it; its age is taken against the moment the kernel had sent it. CPU time is charged to the
tab's renderer, the rest of the browser, the kernel and the server by process. Asserts that no error
and no foreign request occurred and that every chart moved. `CHROMIUM` names the browser.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.page import CHARTS, Page, Server, browsing, served  # noqa: E402 - stands beside the tests

THRESHOLD = ".lrl-divergence .bqplot .curve:first-child path.line"
SPEEDS = {
    "1": "1 × real time",
    "10": "10 ×",
    "60": "60 × (a minute a second)",
    "max": "as fast as possible",
}


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {q: ordered[min(len(ordered) - 1, int(q / 100 * len(ordered)))] for q in (50, 95)}
    return {f"p{q}": round(value, 1) for q, value in at.items()}


def cpu_seconds(server: Server) -> dict[str, float]:
    """CPU time used so far: the tab's renderer, the rest of the browser, kernel, server."""
    groups: dict[str, list[psutil.Process]] = {
        "server": [server.process],
        "kernel": server.kernels(),
    }
    ours = [p for p in psutil.Process().children(recursive=True) if "chrom" in p.name()]
    renderers = [p for p in ours if "--type=renderer" in p.cmdline()]
    groups["renderer"] = sorted(renderers, key=lambda p: p.memory_info().rss)[-1:]
    groups["browser"] = [p for p in ours if p not in groups["renderer"]]
    return {
        name: sum(sum(process.cpu_times()[:2]) for process in processes)
        for name, processes in groups.items()
    }


def measure(page: Page, server: Server, seconds: float) -> dict[str, Any]:
    """One round of watching a running market."""
    before, nodes = cpu_seconds(server), page.nodes()
    seen = page.watch(seconds)
    spent = {name: value - before[name] for name, value in cpu_seconds(server).items()}
    frames, ages = seen["frames"], seen["ages_ms"]
    half = len(ages) // 2
    return {
        "frames_per_s": round(frames / seen["seconds"], 1),
        "age_ms": quantiles(ages),
        "age_ms_p95_first_and_second_half": [
            quantiles(part)["p95"] for part in (ages[:half], ages[half:])
        ],
        "cpu_ms_per_frame": {name: round(1e3 * value / frames, 1) for name, value in spent.items()},
        "kB_per_frame": round(seen["bytes"] / frames / 1e3, 1),
        "messages_per_frame": round(seen["messages"] / frames, 1),
        "dom_nodes_per_frame": round((page.nodes() - nodes) / frames, 3),
        "load": round(os.getloadavg()[0], 1),
    }


def run(arguments: argparse.Namespace, chromium: str, log: Path) -> dict[str, Any]:
    with served(log) as server, browsing(chromium) as browser:
        page = Page.open(browser, server.url(preset=arguments.preset, seed=7, play=0))
        result: dict[str, Any] = {"preset": arguments.preset, "speed": arguments.speed}
        result["slider_ms_paused"] = quantiles(page.answers_ms("strategy.threshold", THRESHOLD, 20))
        page.choose("speed", SPEEDS[arguments.speed])
        page.play()
        time.sleep(5)
        before = page.pictures()
        result["first_line_s"] = round(page.look("first") / 1e3, 1)
        result["slider_ms_playing"] = quantiles(
            page.answers_ms("strategy.threshold", THRESHOLD, 30)
        )
        result["rounds"] = [
            measure(page, server, arguments.seconds) for _ in range(arguments.rounds)
        ]
        still = [chart for chart in CHARTS if page.picture(chart) == before[chart]]
        assert not still, f"did not move: {still}"
        assert not page.errors, page.errors
        assert not page.foreign, page.foreign
        if arguments.picture:
            page.tab.screenshot(path=arguments.picture)
        page.close()
        begun = time.monotonic()
        while server.kernels() and time.monotonic() - begun < 60:
            time.sleep(0.1)
        result["kernel_gone_s"] = round(time.monotonic() - begun, 1)
        result["frames_per_s"] = statistics.median(r["frames_per_s"] for r in result["rounds"])
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="stress")
    parser.add_argument("--speed", choices=SPEEDS, default="1", help="simulated seconds a second")
    parser.add_argument("--picture", help="where to put a picture of the page, a .png")
    arguments = parser.parse_args()
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if chromium is None:
        sys.exit("no Chromium on the path, and none named by CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        result = run(arguments, chromium, Path(folder) / "log")
    names = ("voila", "ipywidgets", "bqplot", "ipykernel", "numpy", "numba")
    result["machine"] = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    result["versions"] = {name: version(name) for name in names}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
