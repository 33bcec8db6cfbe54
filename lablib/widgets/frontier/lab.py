"""The frontier lab: choices -> sweep on threads -> plane -> charts and words, on one event loop.

Nothing but the loop's thread touches a widget.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.config import SimConfig
from lablib.errors import LabError
from lablib.widgets import helm, permalink, readouts, theme
from lablib.widgets.choices import Choices
from lablib.widgets.controls import CUSTOM
from lablib.widgets.frontier import words
from lablib.widgets.frontier.charts import Charts
from lablib.widgets.frontier.export import LIVE, downloads, live_link
from lablib.widgets.frontier.plane import Plane
from lablib.widgets.frontier.work import Work, prepared
from lablib.widgets.loop import Loop
from lablib.widgets.panels import assign, family

if TYPE_CHECKING:
    from lablib.experiments.sweep import Sweep

_current: FrontierLab | None = None


class FrontierLab(W.VBox):  # type: ignore[misc]
    """A sweep over two fields that one can run, watch and walk into: what `frontier_lab` returns.

    Attributes
    ----------
    choices
        The column of controls.
    charts
        The maps and the cut.
    """

    def __init__(self, scene: permalink.Scene) -> None:
        super().__init__()
        _take_over(self)
        self.add_class("lrl")
        self._scene = scene
        self._loop = Loop(self._failed)
        self._work = Work(self._loop, self._redraw, self._ended)
        self._chosen: tuple[int, int] | None = None
        self.choices = Choices(scene.preset, scene.seed, self._asked)
        self.charts = Charts()
        self._plane = Plane(self.choices)
        self._tip, self._told = W.HTML(), W.HTML()
        self._head, self._kpis = W.HTML(), W.HTML()
        for panel in self.charts.maps:
            panel.cells.tooltip = self._tip
            panel.cells.on_hover(self._hovered)
            panel.cells.on_element_click(self._clicked)
        self.children = self._page()
        self._name_scenario()
        self.charts.lay_out(self._plane)
        self._say(*scene.complaints, bad=True)
        self._redraw()

    def _page(self) -> tuple[Any, ...]:
        chosen = W.VBox([self._told])
        for name in ("lrl-card", "lrl-chosen"):
            chosen.add_class(name)
        charts = self.charts
        panels = (charts.money, charts.halts, charts.cut, charts.overshoot)
        first, *others = (panel.box for panel in panels)
        grid = W.Box([first, chosen, *others])
        grid.add_class("lrl-grid")
        main = W.VBox([grid])
        main.add_class("lrl-main")
        body = W.Box([self.choices.box, main])
        body.add_class("lrl-body")
        style = W.HTML(f"<style>{theme.CSS}</style>")
        link = f'<nav><a href="{LIVE}">Live lab</a></nav>' if _served() else ""
        head = (
            '<div class="lrl-head"><h1>Latency Risk Lab</h1><p>The frontier: where the edge ends,'
            f" over two settings, every cell on the same markets. Simulation only.</p>{link}</div>"
        )
        self._head.value = head
        return style, self._head, self._kpis, body

    # ------------------------------------------------------------------------------------- actions
    @property
    def sweep(self) -> Sweep | None:
        """The newest sweep, None before the first."""
        return self._plane.sweep

    @property
    def running(self) -> bool:
        """Whether a sweep is on its way."""
        return self._work.running

    def run(self) -> None:
        """Run every cell; with no event loop, until it is done."""
        if self._work.running:
            return
        sweep = prepared(self._scene.config, self.choices)
        self._scene.seed = sweep.seeds[0]
        self._plane, self._chosen = Plane(self.choices, sweep), None
        self._say()
        assign(self.choices.downloads, value="")
        self.charts.lay_out(self._plane)
        self._work.start(sweep)

    def cancel(self) -> None:
        """Stop; what is done stays."""
        self._work.cancel()

    def choose(self, preset: str) -> None:
        """Take a named scenario for the next sweep."""
        if preset != CUSTOM:
            self._scene.preset, self._scene.config = preset, SimConfig.preset(preset)
            self._name_scenario()

    def look(self, row: int, column: int) -> None:
        """Choose a cell: its numbers, the cut through it, and the way into the live lab."""
        if self._plane.has(row, column):
            self._chosen = row, column
            self._draw_chosen()

    def png(self) -> None:
        """Have the browser save the map as a picture."""
        self.charts.money.figure.save_png("frontier.png")

    def close(self) -> None:
        """Stop, and give every widget back."""
        global _current
        if _current is self:
            _current = None
        self._work.cancel()
        self._loop.cancel()
        for widget in family(self):
            if widget is not self:
                widget.close()
        super().close()

    # ------------------------------------------------------------------------------------- showing
    def _redraw(self) -> None:
        """Show what is done by now."""
        plane, sweep = self._plane, self._plane.sweep
        done = 0 if sweep is None else len(sweep)
        self.choices.show_life(running=self._work.running, done=done > 0)
        self.choices.show_progress(0.0 if sweep is None else done / sweep.design.count)
        plane.update()
        self.charts.draw(plane)
        self._draw_chosen()
        figures = words.key_figures(plane, self._chosen, self._work.spent_s, self._work.running)
        assign(self._kpis, value=figures)

    def _draw_chosen(self) -> None:
        plane = self._plane
        if plane.frontier is None or plane.sweep is None:
            hint = "Click a cell: its numbers, and the way into it."
            self._told.value = f'<div class="lrl-note">{hint}</div>'
            return
        from lablib.experiments.precision import student

        if self._chosen is None:
            self._chosen = plane.ys.size // 2, plane.xs.size // 2
        row, column = self._chosen
        self.charts.choose(plane, row, column, student(0.95, len(plane.sweep.seeds) - 1))
        cell = int(plane.frontier.cells[row, column])
        able = _served() and cell not in plane.sweep.errors
        link = live_link(plane.sweep, cell, self._scene.preset) if able else ""
        assign(self._told, value=words.facts(plane, row, column, link))

    def _name_scenario(self) -> None:
        scene = self._scene
        standard = SimConfig.preset(scene.preset) if scene.preset != CUSTOM else None
        self.choices.name(scene.preset if scene.config == standard else CUSTOM)

    def _ended(self) -> None:
        sweep = self.sweep
        if sweep is not None:
            if not sweep.complete:
                self._say(f"Cancelled: {len(sweep):,} of {sweep.design.count:,} cells are done.")
            if sweep.errors:
                first = next(iter(sweep.errors.values()))
                self._say(f"{len(sweep.errors):,} cells failed, such as: {first}", bad=True)
            assign(self.choices.downloads, value=downloads(sweep) if len(sweep) else "")
        self._redraw()

    def _failed(self, error: BaseException) -> None:
        self._work.running = False
        self._say(f"{type(error).__name__}: {error}", bad=True)
        self._redraw()

    def _say(self, *lines: str, bad: bool = False) -> None:
        assign(self.choices.status, value=readouts.status(lines, bad=bad))

    # ------------------------------------------------------------------------------------ callbacks
    def _asked(self, name: str, value: Any) -> None:
        self._loop.call(partial(self._act, name, value))

    def _act(self, name: str, value: Any) -> None:
        """Do what a control asked for. What cannot be done is said, not raised."""
        try:
            if name == "preset":
                self.choose(value)
            else:
                getattr(self, name)()
        except LabError as error:
            self._say(str(error), bad=True)

    def _hovered(self, _: Any, content: Any) -> None:
        self._loop.call(partial(self._point, *_cell(content)))

    def _clicked(self, _: Any, content: Any) -> None:
        self._loop.call(partial(self.look, *_cell(content)))

    def _point(self, row: int, column: int) -> None:
        assign(self._tip, value=words.tip(self._plane, row, column))


def frontier_lab(config: Any = None, seed: int = 7) -> FrontierLab:
    """The frontier lab, ready to be shown.

    Parameters
    ----------
    config
        What is not varied: a `SimConfig`, a partial dict, a preset's name, or None for the classroom.
    seed
        Of the first market.

    Notes
    -----
    A scenario in the page's address (`QUERY_STRING`) stands above both. Making another closes the
    first. With `NOTEBOOK_TEST=1` a run goes on until it is done.
    """
    base, preset = helm.scenario_of(config)
    scene = permalink.read(os.environ.get("QUERY_STRING", ""), base, seed, preset)
    return FrontierLab(scene)


def _take_over(lab: FrontierLab) -> None:
    """Close the lab before: a cell run again must not leave another sweep running unseen."""
    global _current
    before, _current = _current, lab
    if before is not None:
        before.close()


def _served() -> bool:
    """Whether the page's address is ours, so that a link can lead to another page."""
    return "QUERY_STRING" in os.environ


def _cell(content: Any) -> tuple[int, int]:
    """Row and column out of a browser's message; -1 for anything that is no whole number."""
    data = content.get("data")
    return _number(data, "rowNum"), _number(data, "columnNum")


def _number(data: Any, name: str) -> int:
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
