"""What a column of controls is made of: headings, rows, a bar, and quiet while the program moves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

Act = Callable[[str, Any], None]


class Column:
    """Controls that tell one function what a person asked for, and nothing of what the program set.

    Parameters
    ----------
    act
        Called with a word and its value, None for none.
    """

    def __init__(self, act: Act) -> None:
        self._act = act
        self._quiet = False

    def _told(self, name: str) -> Callable[[Any], None]:
        """An observer that passes a trait's new value on under a name."""

        def tell(change: Any) -> None:
            if not self._quiet:
                self._act(name, change["new"])

        return tell

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """While the program moves controls: what they report is nobody's wish."""
        self._quiet, before = True, self._quiet
        try:
            yield
        finally:
            self._quiet = before


def heading(text: str) -> Any:
    """A heading within a column; plain text."""
    return W.HTML(f"<h2>{escape(text)}</h2>")


def row(widgets: Iterable[Any], style: str) -> Any:
    """Widgets beside one another, in a box of one style."""
    box = W.Box(list(widgets))
    box.add_class(style)
    return box


def bar(share: float) -> str:
    """A bar of progress, as HTML; `share` is of 1."""
    percent = f"{100 * share:.1f}"
    outer = f'<div class="lrl-progress" role="progressbar" aria-valuenow="{percent}">'
    return f'{outer}<div style="width:{percent}%"></div></div>'
