"""The recorded markets of a server, by name, each loaded when it is first asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from lablib.engine import Market
from lablib.errors import ConfigError, DataError, LabError


class Markets:
    """Recorded markets.

    Parameters
    ----------
    loaders
        What loads each.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], Market]]) -> None:
        self._loaders = dict(loaders)
        self._loaded: dict[str, Market] = {}

    @property
    def names(self) -> list[str]:
        """In the alphabet's order."""
        return sorted(self._loaders)

    def get(self, name: str) -> Market | None:
        """The market of that name; no name, no market.

        Raises
        ------
        ConfigError
            None of that name.
        DataError
            It cannot be read; the log says why.
        """
        if not name:
            return None
        if name not in self._loaders:
            known = ", ".join(self.names) or "none"
            raise ConfigError(f"market: no recorded market {name!r} on this server; known: {known}")
        if name not in self._loaded:
            try:
                self._loaded[name] = self._loaders[name]()
            except LabError as error:  # which names files that are nobody's business
                logging.getLogger("lablib").error("The market %s: %s", name, error)
                told = f"market: {name!r} cannot be read on this server; its log says why"
                raise DataError(told) from None
        return self._loaded[name]
