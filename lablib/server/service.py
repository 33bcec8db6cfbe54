"""The interface's own knobs, and what they make: one manager and one hub for a whole server."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from traitlets import Dict, Int, Unicode, default, validate
from traitlets.config import Configurable

from lablib.engine import Market
from lablib.errors import ConfigError
from lablib.server.fanout import Hub
from lablib.server.live_run import LimitError
from lablib.server.manager import Manager
from lablib.server.warm import warm_up

SETTING = "lablib_service"  # where tornado's settings hold it


class LabService(Configurable):
    """What a server has room for, and who may look."""

    max_runs = Int(4, min=1, help="Runs that may be under way at once.").tag(config=True)
    keep_runs = Int(16, min=0, help="Ended runs that can still be read.").tag(config=True)
    records = Unicode(
        help="Folder for the records of runs; a temporary one that goes with the server unless given."
    ).tag(config=True)
    quota_mb = Int(1_024, min=1, help="What the tables of one run may grow to (MB).").tag(
        config=True
    )
    records_quota_mb = Int(
        8_192, min=1, help="What all records may take (MB); beyond it the oldest ended go."
    ).tag(config=True)
    max_viewers = Int(200, min=1, help="WebSockets that may be open at once.").tag(config=True)
    max_pages = Int(
        200, min=1, help="Dashboards that `lablib serve` has open at once, a kernel each."
    ).tag(config=True)
    max_downloads = Int(4, min=1, help="Replays that may be fetched at once.").tag(config=True)
    viewer_token = Unicode(help="Token that reads and changes nothing; random unless given.").tag(
        config=True
    )
    markets = Dict(
        help="Recorded markets by name: [leader file, follower file]. Clients see the names alone."
    ).tag(config=True)

    upload_mb = Int(16, min=1, help="How large a file may be that a visitor hands in (MB).").tag(
        config=True
    )

    def __init__(self, warm: Callable[[], None] = warm_up, **options: Any) -> None:
        super().__init__(**options)
        if not self.viewer_token:
            self.viewer_token = secrets.token_urlsafe(24)
        self.manager = Manager(
            max_runs=self.max_runs,
            keep_runs=self.keep_runs,
            folder=self.records or None,
            quota_bytes=self.quota_mb << 20,
            records_bytes=self.records_quota_mb << 20,
            markets={name: loader(name, files) for name, files in self.markets.items()},
            warm=warm,
        )
        self._downloads = 0
        self.hub = Hub(self.manager, max_viewers=self.max_viewers)

    @validate("viewer_token")
    def _trim(self, proposal: Any) -> str:
        return str(proposal["value"]).strip()

    @default("viewer_token")
    def _from_environment(self) -> str:
        return os.environ.pop("LABLIB_VIEWER_TOKEN", "")  # kernels inherit the rest

    def tell_kernels(self, url: str) -> None:
        """Leave to the kernels of this server's pages what they may use.

        Where it is and a token to look with, its records, its markets, and what they may be handed in. A
        visitor sees none of it: what runs in a kernel is ours.
        """
        markets = {
            name: [str(Path(file).absolute()) for file in files]
            for name, files in self.markets.items()
        }
        os.environ["LABLIB_MARKETS"] = json.dumps(markets)
        os.environ["LABLIB_UPLOAD_MB"] = str(self.upload_mb)
        os.environ["LABLIB_API_URL"] = f"{url}lablib/api"
        os.environ["LABLIB_RECORDS"] = str(self.manager.folder.resolve())
        os.environ["LABLIB_VIEWER_TOKEN"] = self.viewer_token

    @contextmanager
    def download(self) -> Iterator[None]:
        """While a replay is fetched.

        Raises
        ------
        LimitError
            `max_downloads` are being fetched.
        """
        if self._downloads >= self.max_downloads:
            raise LimitError(
                f"replays: {self._downloads} are being fetched, and this server has room for"
                f" {self.max_downloads} at once; ask again"
            )
        self._downloads += 1
        try:
            yield
        finally:
            self._downloads -= 1

    def close(self) -> None:
        """End every run and stop telling of them."""
        self.hub.close()
        self.manager.close()


def loader(name: str, files: Any) -> Callable[[], Market]:
    """What loads a recorded market when it is first asked for.

    Raises
    ------
    ConfigError
        Not two files, or one of them is not there.
    """
    if isinstance(files, str) or len(files) != 2:
        raise ConfigError(f"markets: {name} needs a leader's and a follower's file, got {files!r}")
    leader, follower = (Path(file).absolute() for file in files)
    for file in (leader, follower):
        if not file.is_file():
            raise ConfigError(f"markets: {name}: no file {file}")

    def load() -> Market:
        from lablib.tape.recorded import load_pair

        return load_pair(leader, follower)

    return load


def usable(folder: str) -> None:
    """Make a folder for records, or find that it can be written to.

    Raises
    ------
    ConfigError
        It cannot.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"records: {folder!r}: {error.strerror}") from None
