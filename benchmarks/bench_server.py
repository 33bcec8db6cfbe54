"""Many viewers of one server, some of them stalled, while runs compute.

    python benchmarks/bench_server.py [--viewers 200] [--stalled 5] [--runs 2] [--seconds 60]
                                      [--shell voila|jupyter] [--paced]

Starts a server, two runs as fast as they can, viewers on `ws/events?run_id=` of one of them, and some
that never read; then prints JSON: frames a second of the healthy (lowest, median), what they lost, the
server's memory over time and CPU, and `/health` at 20 requests a second from a process of its own.
Viewers are plain sockets of one asyncio process that counts frames and decodes a sample of them, so
that they cost little; they still share the processors with the server. Asserts that the run's digest is
that of a run nobody watched, that frames' numbers rise, and that nothing was answered with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import platform
import secrets
import socket
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from server import shells  # noqa: E402 - stands beside the tests
from server.shells import API, VIEWER, Shell  # noqa: E402

import lablib as lab  # noqa: E402


class Watcher:
    """A WebSocket client that counts frames and looks into few of them."""

    def __init__(self, port: int, path: str, every: int = 50) -> None:
        self.port, self.path, self.every = port, path, every
        self.frames = self.snapshots = self.dropped = 0
        self.seq = 0
        self.closed = False

    async def connect(self) -> None:
        """Shake hands."""
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, limit=1 << 20
        )
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.writer.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: token {VIEWER}\r\n\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0], head

    async def read(self) -> None:
        """Count until the connection ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, length = await self.reader.readexactly(2)
                if length == 126:
                    length = int.from_bytes(await self.reader.readexactly(2), "big")
                elif length == 127:
                    length = int.from_bytes(await self.reader.readexactly(8), "big")
                data = await self.reader.readexactly(length)
                if first == 0x89:  # a ping: answered, masked by zeros
                    self.writer.write(bytes([0x8A, 0x80 | length, 0, 0, 0, 0]) + data)
                    continue
                self.frames += 1
                if b'"event_type":"frame"' in data[:60]:
                    self.snapshots += 1
                    if self.snapshots % self.every == 0:
                        self.look(json.loads(data))
        self.closed = True

    def look(self, message: dict[str, Any]) -> None:
        """Numbers rise; what was lost is told."""
        assert message["seq"] > self.seq, (message["seq"], self.seq)
        self.seq, self.dropped = message["seq"], message["dropped"]


def health(port: int, seconds: float) -> list[float]:
    """Ask for health, a new connection each time, twenty times a second; milliseconds.

    For a process of its own: in that of the viewers an answer would wait until they have read theirs.
    """
    ask = f"GET {API}/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    answers = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(ask.encode())
            answer = b""
            while more := line.recv(1 << 16):
                answer += more
        answers.append(1e3 * (time.perf_counter() - begun))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        time.sleep(max(0, 0.05 - (time.perf_counter() - begun)))
    return answers


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    told = {}
    for q in (50, 99, 100):
        told[f"p{q}"] = round(ordered[min(len(ordered) - 1, int(q / 100 * len(ordered)))], 1)
    return told


def loop_s(shell: Shell) -> float:
    """CPU time of the server's first thread, which runs the event loop."""
    (one,) = [thread for thread in shell.process.threads() if thread.id == shell.process.pid]
    return float(one.user_time + one.system_time)


async def measure(
    shell: Shell, run: str, options: argparse.Namespace, own: ProcessPoolExecutor
) -> dict[str, Any]:
    path = f"{API}/ws/events?run_id={run}"
    watchers = [Watcher(shell.port, path) for _ in range(options.viewers)]
    stalled = [Watcher(shell.port, path) for _ in range(options.stalled)]
    begun = time.monotonic()
    reading = []
    for watcher in watchers:  # one after the other: a mass connect is slow
        await watcher.connect()
        reading.append(asyncio.create_task(watcher.read()))
    for watcher in stalled:
        await watcher.connect()
        watcher.reader._transport.pause_reading()  # type: ignore[attr-defined]
    connected_s = time.monotonic() - begun
    await asyncio.sleep(2)
    before = [watcher.snapshots for watcher in watchers]
    cpu = sum(shell.process.cpu_times()[:2])
    clients = time.process_time()
    loop = loop_s(shell)
    memory = []
    begun = time.monotonic()
    asking = asyncio.wrap_future(own.submit(health, shell.port, options.seconds))
    while not asking.done():
        memory.append(round(shell.process.memory_info().rss / 1e6))
        await asyncio.sleep(options.seconds / 12)
    answers = await asking
    took = time.monotonic() - begun
    rates = [(w.snapshots - b) / took for w, b in zip(watchers, before, strict=True)]
    result = {
        "viewers": options.viewers,
        "stalled": options.stalled,
        "runs": options.runs,
        "seconds": round(took, 1),
        "connected_s": round(connected_s, 1),
        "frames_per_s": {
            "lowest": round(min(rates), 2),
            "median": round(statistics.median(rates), 2),
        },
        "closed": sum(watcher.closed for watcher in watchers),
        "lost": sum(watcher.dropped for watcher in watchers),
        "rss_MB": memory,
        "health_ms": quantiles(answers),
        "server_cpu_pct": round(100 * (sum(shell.process.cpu_times()[:2]) - cpu) / took),
        "loop_cpu_us_a_viewer_and_frame": round(
            1e6 * (loop_s(shell) - loop) / max(1.0, sum(rates) * took), 1
        ),
        "clients_cpu_pct": round(100 * (time.process_time() - clients) / took),
        "load": round(os.getloadavg()[0], 1),
    }
    for task in reading:
        task.cancel()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--stalled", type=int, default=5)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--shell", choices=("voila", "jupyter"), default="voila")
    parser.add_argument("--paced", action="store_true", help="runs at 1 x instead of flat out")
    options = parser.parse_args()
    shells.LIMITS.update(
        max_runs=options.runs + 1, max_viewers=options.viewers + options.stalled + 2, quota_mb=8192
    )
    start = shells.voila if options.shell == "voila" else shells.jupyter_server
    with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as shell:
        # `record.samples` off: a run flat out writes a gigabyte of them in a minute.
        speed: Any = 1.0 if options.paced else "max"
        config = {"record.samples": False}
        asked = {"config": config, "speed": speed, "until": "2000d" if speed == "max" else "1d"}
        runs = [shell.start(seed=seed, **asked) for seed in range(options.runs)]
        with ProcessPoolExecutor(1, get_context("spawn")) as own:
            own.submit(os.getpid).result()  # it is there before anything is measured
            result = asyncio.run(measure(shell, runs[0], options, own))
        numbers = shell.api("metrics").json
        result |= {
            name: numbers[name]
            for name in ("viewers_aborted_total", "messages_dropped_total", "ticks_late_total")
        }
        rates = [shell.api(f"runs/{run}").json["frame"]["decisions"] for run in runs]
        result["decisions"] = rates
        for run in runs:
            shell.act(run, "stop")
        watched = shell.start(seed=9, until="3h", speed="max")
        assert shell.end(watched)["digest"] == lab.run(seed=9, until="3h").digest
    result["machine"] = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
