"""The frontier lab: choices -> design -> sweep on threads -> maps, on one event loop.

The sweep fills its own arrays on threads; a task of the loop looks at them a few times a second and
draws. Nothing but the loop's thread touches a widget.
"""

from __future__ import annotations

import asyncio
import base64
import math
import os
import threading
import time
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np

from lablib.config import SimConfig
from lablib.errors import ConfigError, LabError
from lablib.widgets import helm, permalink, readouts, theme
from lablib.widgets.choices import KNOBS, Choices
from lablib.widgets.controls import CUSTOM
from lablib.widgets.loop import Loop
from lablib.widgets.maps import NONE_TO_MUCH, CutChart, HeatMap, MoneyMap, places
from lablib.widgets.panels import assign, family

if TYPE_CHECKING:
    from lablib.experiments.frontier import Frontier
    from lablib.experiments.sweep import Sweep

LOOK_S = 0.3  # between two looks at a running sweep
MOST_HOURS = 20_000  # simulated, in one go: more belongs in `lab.sweep`
LIVE = "live.ipynb"

_current: FrontierLab | None = None


class FrontierLab(W.VBox):  # type: ignore[misc]
    """A sweep over two fields that one can run, watch and walk into: what `frontier_lab` returns.

    Attributes
    ----------
    choices
        The column of controls.
    sweep
        The newest sweep, None before the first.
    """

    def __init__(self, scene: permalink.Scene) -> None:
        super().__init__()
        _take_over(self)
        self.add_class("lrl")
        self._scene = scene
        self._loop = Loop(self._failed)
        self._cancel = threading.Event()
        self._running = False
        self._begun = self._took = 0.0
        self._chosen: tuple[int, int] | None = None
        self._frontier: Frontier | None = None
        self.sweep: Sweep | None = None
        self.choices = Choices(scene.preset, scene.seed, self._asked)
        self.money = MoneyMap()
        self.cut = CutChart()
        self.halts = HeatMap("halts", "P(halt)", NONE_TO_MUCH, height="176px", centred=False)
        self.overshoot = HeatMap(
            "overshoot", "Mean overshoot", NONE_TO_MUCH, height="176px", centred=False
        )
        self.cut.figure.layout.height = "176px"
        self._tip = W.HTML()
        self._told = W.HTML()
        self._head, self._kpis = W.HTML(), W.HTML()
        for panel in (self.money, self.halts, self.overshoot):
            panel.cells.tooltip = self._tip
            panel.cells.on_hover(self._hovered)
            panel.cells.on_element_click(self._clicked)
        self.children = self._page()
        self._name_scenario()
        self._lay_out()
        self._say(*scene.complaints, bad=True)
        self._redraw()

    def _page(self) -> tuple[Any, ...]:
        chosen = W.VBox([self._told])
        for name in ("lrl-card", "lrl-chosen"):
            chosen.add_class(name)
        panels = (self.money.box, chosen, self.halts.box, self.cut.box, self.overshoot.box)
        grid = W.Box(panels)
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
    def running(self) -> bool:
        """Whether a sweep is on its way."""
        return self._running

    def run(self) -> None:
        """Run every cell; with no event loop, until it is done."""
        if self._running:
            return
        sweep = self._prepare()
        self.sweep, self._frontier, self._chosen = sweep, None, None
        self._cancel = threading.Event()
        self._running, self._begun = True, time.monotonic()
        self._say()
        self._save_links(clear=True)
        self._lay_out()
        self._redraw()
        if self._loop.runs and not _testing():
            self._loop.spawn(self._watch(sweep, self._cancel))
        else:
            self._fill(sweep, self._cancel)
            self._ended()

    def cancel(self) -> None:
        """Stop; what is done stays."""
        self._cancel.set()

    def choose(self, preset: str) -> None:
        """Take a named scenario for the next sweep."""
        if preset != CUSTOM:
            self._scene.preset, self._scene.config = preset, SimConfig.preset(preset)
            self._name_scenario()

    def look(self, row: int, column: int) -> None:
        """Choose a cell: its numbers, the cut through it, and the way into the live lab."""
        shape = len(self._ys), len(self._xs)
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            self._chosen = row, column
            self._draw_chosen()

    def png(self) -> None:
        """Have the browser save the map as a picture."""
        self.money.figure.save_png("frontier.png")

    # ------------------------------------------------------------------------------------- running
    def _prepare(self) -> Sweep:
        from lablib.experiments.sweep import prepare

        choices = self.choices
        if choices.x.path == choices.y.path:
            raise ConfigError(f"{choices.x.path}: choose two different settings")
        seed = permalink.seed_of(choices.seed.value)
        grid = {choice.path: choice.values() for choice in (choices.x, choices.y)}
        sweep = prepare(
            self._scene.config,
            grid,
            seeds=range(seed, seed + int(choices.seeds.value)),
            until=choices.until.value,
        )
        hours = sweep.design.count * len(sweep.seeds) * sweep.until_ns / 3.6e12
        if hours > MOST_HOURS:
            raise ConfigError(
                f"that is {hours:,.0f} simulated hours; the most here are {MOST_HOURS:,}, and"
                " lab.sweep takes the rest"
            )
        self._scene.seed = seed
        return sweep

    @staticmethod
    def _fill(sweep: Sweep, cancel: threading.Event) -> None:
        sweep.fill(cancelled=cancel.is_set)

    async def _watch(self, sweep: Sweep, cancel: threading.Event) -> None:
        work = asyncio.ensure_future(self._loop.aside(self._fill, sweep, cancel))
        try:
            while not work.done():
                await asyncio.wait([work], timeout=LOOK_S)
                self._redraw()
            await work
        finally:
            cancel.set()
            self._ended()

    def _ended(self) -> None:
        self._running = False
        self._took = time.monotonic() - self._begun
        sweep = self.sweep
        if sweep is not None:
            if not sweep.complete:
                self._say(f"Cancelled: {len(sweep):,} of {sweep.design.count:,} cells are done.")
            if sweep.errors:
                first = next(iter(sweep.errors.values()))
                self._say(f"{len(sweep.errors):,} cells failed, such as: {first}", bad=True)
        self._save_links()
        self._redraw()

    def _failed(self, error: BaseException) -> None:
        self._running = False
        self._say(f"{type(error).__name__}: {error}", bad=True)
        self._redraw()

    # ------------------------------------------------------------------------------------- showing
    def _lay_out(self) -> None:
        """Fit every chart to the grid that was chosen."""
        x, y = self._axes = self.choices.x.knob, self.choices.y.knob
        if self.sweep is not None:
            axes = dict(zip(self.sweep.design.fields, self.sweep.design.axes, strict=True))
            self._xs, self._ys = (np.sort(np.array(axes[k.path], np.float64)) for k in (x, y))
        else:
            self._xs, self._ys = (
                np.sort(np.array(choice.values(), np.float64))
                for choice in (self.choices.x, self.choices.y)
            )
        shown = self._xs * x.scale, self._ys * y.scale
        for panel in (self.money, self.halts, self.overshoot):
            panel.lay_out(*shown, x.label, y.label)
        self.cut.lay_out(shown[0], x.label)

    def _redraw(self) -> None:
        sweep = self.sweep
        done = sweep is not None and len(sweep) > 0
        self.choices.show_life(running=self._running, done=done)
        if sweep is None:
            self._draw_kpis()
            self._draw_chosen()
            self.choices.show_progress(0.0)
            self.money.say("choose two settings, then run")
            return
        self.choices.show_progress(len(sweep) / sweep.design.count)
        x, y = self._axes
        frontier = self._frontier = sweep.frontier(x.path, y.path)
        self.money.draw(frontier.pnl, "")
        self.halts.draw(frontier.halt_share, "%")
        self.overshoot.draw(frontier.overshoot, "")
        self._draw_words(frontier)
        self._draw_contour(frontier)
        self._draw_chosen()
        self._draw_kpis()

    def _draw_words(self, frontier: Frontier) -> None:
        known = frontier.pnl[np.isfinite(frontier.pnl)]
        if known.size:
            span = f"{readouts.signed(known.min())} to {readouts.signed(known.max())}"
            self.money.say(f"of {self._stretch()}: {span}")
            self.halts.say(f"at most {100 * np.nanmax(frontier.halt_share):.3g} %")
            self.overshoot.say(f"at most {np.nanmax(frontier.overshoot):,.2f} beyond the cap")
        else:
            for panel in (self.money, self.halts, self.overshoot):
                panel.say("")

    def _draw_contour(self, frontier: Frontier) -> None:
        along = self._along(frontier)
        upright = along == frontier.x
        values = frontier.xs if upright else frontier.ys
        zero = self._zero = frontier.zero(along)
        low = np.clip(zero["low"], values[0], values[-1])
        high = np.clip(zero["high"], values[0], values[-1])
        spots = (places(values, each) for each in (zero["at"], low, high, zero["theory"]))
        self.money.trace(*spots, upright=upright)

    @staticmethod
    def _along(frontier: Frontier) -> str:
        """The axis along which the zero is looked for: a latency of ours where there is one."""
        ours = frontier.y.startswith("latency.") and not frontier.x.startswith("latency.")
        return frontier.y if ours else frontier.x

    def _draw_chosen(self) -> None:
        from lablib.experiments.precision import student

        frontier, sweep = self._frontier, self.sweep
        if frontier is None or sweep is None:
            self._told.value = (
                '<div class="lrl-note">Click a cell: its numbers, and the way into it.</div>'
            )
            return
        if self._chosen is None:
            self._chosen = len(self._ys) // 2, len(self._xs) // 2
        row, column = self._chosen
        self.money.choose(row, column)
        reach = student(0.95, len(sweep.seeds) - 1) * frontier.pnl_se[row]
        upright = self._along(frontier) == frontier.x
        theory = places(frontier.xs, self._zero["theory"][row]) if upright else math.nan
        self.cut.draw(frontier.pnl[row], reach, float(theory))
        y = self._axes[1]
        self.cut.say(f"{y.label.split(',')[0].lower()} {frontier.ys[row] * y.scale:.4g} {y.unit}")
        assign(self._told, value=self._facts(row, column))

    def _facts(self, row: int, column: int) -> str:
        """The chosen cell in words, with its link."""
        assert self.sweep is not None
        assert self._frontier is not None
        cell = int(self._frontier.cells[row, column])
        told = self.sweep.row(cell)
        if told["error"]:
            facts = f'<div class="lrl-status bad">{escape(told["error"])}</div>'
        elif math.isnan(told["pnl_mean"]):
            facts = '<div class="lrl-note">not run yet</div>'
        else:
            facts = _table(told)
        title = f'<div class="lrl-title"><b>{escape(self._where(row, column))}</b></div>'
        return title + facts + ("" if told["error"] else self._link(cell)) + self._notes()

    def _link(self, cell: int) -> str:
        """The way into the live lab; where the page's address is not ours there is none."""
        assert self.sweep is not None
        if not _served():
            return ""
        config = self.sweep.config.replace(self.sweep.design.changes(cell))
        query = permalink.write(config, self.sweep.seeds[0], self._scene.preset)
        return (
            f'<a class="lrl-go" href="{LIVE}?{escape(query, quote=True)}" target="_blank">'
            "Open this scenario in the live lab</a>"
        )

    def _notes(self) -> str:
        """What the closed form is worth here."""
        frontier = self._frontier
        if frontier is None or not np.isfinite(self._zero["theory"]).any():
            return ""
        if not frontier.caveats:
            return '<div class="lrl-note">The closed form’s assumptions hold here.</div>'
        why = "; ".join(frontier.caveats)
        return f'<div class="lrl-note">The closed form is a guide only: {escape(why)}.</div>'

    def _where(self, row: int, column: int) -> str:
        x, y = self._axes
        parts = ((x, self._xs[column]), (y, self._ys[row]))
        return " · ".join(f"{k.label.split(',')[0]} {v * k.scale:.4g} {k.unit}" for k, v in parts)

    def _stretch(self) -> str:
        assert self.sweep is not None
        return f"{self.sweep.until_ns / 1e9:,.6g} s"

    def _draw_kpis(self) -> None:
        sweep = self.sweep
        if sweep is None:
            x, y = len(self._xs), len(self._ys)
            tiles = [readouts.tile("Cells", f"{x * y:,}", f"{x} × {y}")]
            tiles += [
                readouts.tile(name, "–")
                for name in ("Time left", "Best cell", "Zero at", "P(halt)")
            ]
        else:
            tiles = self._tiles(sweep)
        assign(self._kpis, value=f'<div class="lrl-kpis lrl-num">{"".join(tiles)}</div>')

    def _tiles(self, sweep: Sweep) -> list[str]:
        done, count = len(sweep), sweep.design.count
        spent = time.monotonic() - self._begun if self._running else self._took
        if self._running:
            left = "starting" if not done else _span(spent / done * (count - done))
            clock = readouts.tile("Time left", left, f"{_span(spent)} so far")
        else:
            state = "done" if sweep.complete else "cancelled"
            clock = readouts.tile("Time", _span(spent), state)
        runs = done * len(sweep.seeds)
        tiles = [
            readouts.tile("Cells", f"{done:,} of {count:,}", f"{runs:,} runs of {self._stretch()}"),
            clock,
        ]
        frontier = self._frontier
        if frontier is None or not np.isfinite(frontier.pnl).any():
            return tiles + [
                readouts.tile(name, "–") for name in ("Best cell", "Zero at", "P(halt)")
            ]
        row, column = np.unravel_index(np.nanargmax(frontier.pnl), frontier.pnl.shape)
        best = f"{readouts.signed(frontier.pnl[row, column])}"
        tiles.append(readouts.tile("Best cell", best, self._where(int(row), int(column))))
        tiles.append(self._zero_tile(frontier))
        tiles.append(
            readouts.tile(
                "P(halt)", f"{100 * np.nanmean(frontier.halt_share):.3g} %", "mean of all cells"
            )
        )
        return tiles

    def _zero_tile(self, frontier: Frontier) -> str:
        along = KNOBS[self._along(frontier)]
        row = (self._chosen or (0, 0))[0 if along.path == frontier.x else 1]
        zero = self._zero[row]
        if math.isnan(zero["at"]):
            return readouts.tile("Zero at", "none here", "in the chosen row")
        low, high = (
            f"{along.scale * zero[end]:.4g}" if math.isfinite(zero[end]) else "…"
            for end in ("low", "high")
        )
        note = f"{low} to {high}"
        if math.isfinite(zero["theory"]):
            note += f"; closed form {along.scale * zero['theory']:.4g}"
        return readouts.tile("Zero at", f"{along.scale * zero['at']:.4g} {along.unit}", note)

    def _name_scenario(self) -> None:
        scene = self._scene
        standard = SimConfig.preset(scene.preset) if scene.preset != CUSTOM else None
        self.choices.name(scene.preset if scene.config == standard else CUSTOM)

    def _save_links(self, *, clear: bool = False) -> None:
        """Downloads of what is done, inside the page itself."""
        sweep = self.sweep
        if clear or sweep is None or not len(sweep):
            assign(self.choices.downloads, value="")
            return
        links = []
        for suffix, name in ((".csv", "CSV"), (".parquet", "Parquet")):
            try:
                data = base64.b64encode(sweep.encoded(suffix)).decode()
            except ConfigError:  # Parquet needs what may not be installed
                continue
            href = f"data:application/octet-stream;base64,{data}"
            links.append(f'<a class="lrl-get" download="frontier{suffix}" href="{href}">{name}</a>')
        assign(self.choices.downloads, value=f'<div class="w">{"".join(links)}</div>')

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
        self._loop.call(partial(self._point, content.get("data") or {}))

    def _clicked(self, _: Any, content: Any) -> None:
        data = content.get("data") or {}
        self._loop.call(partial(self.look, _number(data, "rowNum"), _number(data, "columnNum")))

    def _point(self, data: dict[str, Any]) -> None:
        """Fill the tooltip for a cell."""
        row, column = _number(data, "rowNum"), _number(data, "columnNum")
        frontier = self._frontier
        if frontier is None or not (0 <= row < len(self._ys) and 0 <= column < len(self._xs)):
            assign(self._tip, value="")
            return
        lines = [f"<b>{escape(self._where(row, column))}</b>"]
        pnl = frontier.pnl[row, column]
        if math.isfinite(pnl):
            se = frontier.pnl_se[row, column]
            lines.append(f"P&amp;L {readouts.signed(pnl)} ± {se:,.2f} (standard error)")
            halted, over = frontier.halt_share[row, column], frontier.overshoot[row, column]
            lines.append(f"P(halt) {100 * halted:.3g} %, overshoot {over:,.2f}")
            lines.append(f"{frontier.fills[row, column]:,.1f} fills")
        else:
            lines.append("not run yet")
        assign(self._tip, value=f'<div class="lrl-tip lrl-num">{"<br>".join(lines)}</div>')

    def close(self) -> None:
        """Stop, and give every widget back."""
        global _current
        if _current is self:
            _current = None
        self._cancel.set()
        self._loop.cancel()
        for widget in family(self):
            if widget is not self:
                widget.close()
        super().close()


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


def _testing() -> bool:
    return os.environ.get("NOTEBOOK_TEST") == "1"


def _number(data: Any, name: str) -> int:
    """A whole number out of a browser's message; -1 for anything else."""
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _span(seconds: float) -> str:
    """Seconds of real time as a person says them.

    >>> _span(0.4), _span(75), _span(4_000)
    ('0.4 s', '1 min 15 s', '1 h 06 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _table(told: dict[str, Any]) -> str:
    """A cell's numbers with their standard errors."""
    rows = (
        ("P&L", "pnl", readouts.signed), ("Fees", "fees", "{:,.2f}".format),
        ("Fills", "fills", "{:,.1f}".format), ("Overshoot", "overshoot", "{:,.2f}".format),
        ("Largest drawdown", "max_drawdown", "{:,.2f}".format),
    )  # fmt: skip
    cells = []
    for label, name, form in rows:
        mean, error = told[f"{name}_mean"], told[f"{name}_se"]
        spread = f" ± {error:,.2f}" if math.isfinite(error) else ""
        cells.append((label, f"{form(mean)}{spread}"))
    cells.append(("P(halt)", f"{100 * told['halt_share']:.3g} %"))
    for label, name in (("News to fill, p50", "latency_p50_ms"), ("p99", "latency_p99_ms")):
        value = told[name]
        cells.append((label, readouts.milliseconds(value) if math.isfinite(value) else "no fill"))
    body = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in cells)
    return f'<table class="lrl-facts lrl-num">{body}</table>'
