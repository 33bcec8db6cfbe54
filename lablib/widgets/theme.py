"""How the lab looks: colours, type and layout, as one style sheet.

Blue means buy, bid and long, orange sell, ask and short; the pair is safe for colour-blind readers,
and shape or words repeat what colour says. Prices stand in neutral ink, so that our trades stand out.
"""

from __future__ import annotations

INK = "#17212e"
SLATE = "#46566b"
MUTED = "#6b7a8f"
PALE = "#9fb0c5"
LINE = "#e3e8ef"
GRID = "#eef1f5"
PAGE = "#f4f6f9"
BLUE = "#1668c7"
ORANGE = "#dd6b00"
GHOST = "#8a63b8"  # the run without latency
ALARM = "#b3261e"
NONE = "#00000000"

FONT = (
    'Inter, "Segoe UI", -apple-system, Roboto, "Helvetica Neue", Arial, "Liberation Sans", system-ui,'
    " sans-serif"
)
TICKS = {"font-size": "10.5px", "fill": MUTED, "font-family": FONT}

_PLAY = "M4 2.5v11l9-5.5z"
_PAUSE = "M4 2.5h3v11H4zM9 2.5h3v11H9z"
_STEP = "M3 2.5v11l7-5.5zM11 2.5h2.2v11H11z"
_RESET = (
    "M8 2.2a5.8 5.8 0 1 0 5.6 7.3h-2A3.9 3.9 0 1 1 8 4.1c1 0 2 .4 2.7 1.1L8.6 7.3h5.2V2.1l-1.8 1.8"
    "A5.8 5.8 0 0 0 8 2.2z"
)
_STOP = "M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2z"


def _icon(name: str, path: str) -> str:
    """An icon as a mask, so that it takes the button's colour and nothing is fetched."""
    mask = (
        "url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        f"%3Cpath d='{path}'/%3E%3C/svg%3E\") center/contain no-repeat"
    )
    return (
        f".lrl-{name}::before {{ content: ''; flex: none; width: 12px; height: 12px; margin-right: 5px;"
        f" background: currentColor; -webkit-mask: {mask}; mask: {mask}; }}"
    )


CSS = f"""
.lrl {{ font-family: {FONT}; color: {INK}; background: {PAGE}; padding: 12px 16px 16px; gap: 10px;
  font-size: 13px; line-height: 1.35; overflow: visible;
  --jp-widgets-font-size: 12px; --jp-widgets-color: {INK}; --jp-widgets-label-color: {INK};
  --jp-widgets-readout-color: {INK}; --jp-widgets-inline-height: 24px; --jp-widgets-margin: 0px;
  --jp-widgets-slider-active-handle-color: {BLUE}; --jp-widgets-slider-handle-border-color: {BLUE};
  --jp-widgets-slider-track-thickness: 3px; --jp-widgets-slider-handle-size: 13px;
  --jp-widgets-input-border-color: #cbd4df; --jp-widgets-input-focus-border-color: {BLUE};
  --jp-brand-color1: {BLUE}; --jp-brand-color2: {BLUE}; }}
.lrl, .lrl * {{ box-sizing: border-box; }}
.lrl .widget-html, .lrl .widget-html-content, .lrl .jupyter-widgets {{ margin: 0; }}
.lrl .widget-html-content {{ line-height: 1.35; font-size: 13px; width: 100%; }}
.lrl-num {{ font-variant-numeric: tabular-nums; }}
.lrl-hidden {{ display: none !important; }}

.lrl-head {{ display: flex; align-items: baseline; gap: 12px; min-height: 26px; }}
.lrl-head h1 {{ font-size: 19px; font-weight: 650; margin: 0; letter-spacing: -0.01em; color: {INK};
  white-space: nowrap; }}
.lrl-head p {{ margin: 0; color: {MUTED}; font-size: 12.5px; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }}
.lrl-head .lrl-flow {{ margin-left: auto; color: {MUTED}; font-size: 12px; white-space: nowrap; }}

.lrl-kpis {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 1px;
  background: #fff; border: 1px solid {LINE}; border-radius: 8px; overflow: hidden; }}
.lrl-kpi {{ background: #fff; padding: 8px 12px 7px; min-width: 0; box-shadow: 0 0 0 1px {LINE}; }}
.lrl-kpi span {{ display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }}
.lrl-kpi .k {{ color: {MUTED}; font-size: 11px; }}
.lrl-kpi .v {{ font-size: 17px; font-weight: 600; letter-spacing: -0.01em; line-height: 1.3; }}
.lrl-kpi .s {{ color: {MUTED}; font-size: 11px; }}
.lrl-kpi.whole .s, .lrl-whole .lrl-kpi span {{ white-space: normal; }}
@media (min-width: 640px) and (max-width: 1130px) {{
  .lrl-nine {{ grid-template-columns: repeat(5, minmax(0, 1fr)); }}
  .lrl-nine .lrl-kpi:last-child {{ grid-column: span 2; }} }}
.lrl-kpi.halted {{ background: {ALARM}; color: #fff; }}
.lrl-kpi.halted .k, .lrl-kpi.halted .s {{ color: #ffe3e0; }}

.lrl-body {{ display: grid !important; grid-template-columns: 284px minmax(0, 1fr); gap: 10px;
  overflow: visible; }}
@media (max-width: 760px) {{ .lrl-body {{ grid-template-columns: minmax(0, 1fr); }} }}
.lrl-card, .lrl-panel {{ background: #fff; border: 1px solid {LINE}; border-radius: 8px; overflow: visible; }}
.lrl-card {{ padding: 12px 12px 8px; gap: 5px; }}
.lrl-card h2 {{ font-size: 12.5px; font-weight: 650; margin: 5px 0 0; color: {INK}; }}
.lrl-card .lrl-note {{ color: {MUTED}; font-size: 11.5px; line-height: 1.3; }}
.lrl-empty {{ max-width: 740px; padding: 20px 26px; line-height: 1.55; }}
.lrl-empty h2 {{ font-size: 17px; margin: 0 0 8px; }}
.lrl-empty p {{ margin: 6px 0; color: {SLATE}; }}
.lrl-empty li {{ margin: 7px 0; }}
.lrl-empty code {{ background: {GRID}; padding: 1px 5px; border-radius: 4px; overflow-wrap: anywhere; }}
.lrl-empty a {{ color: {BLUE}; }}
.lrl-main {{ gap: 10px; overflow: visible; min-width: 0; container-type: inline-size; }}
.lrl-main > .lrl-card, .lrl-side > .lrl-main {{ flex: 1 0 auto; }}
.lrl-side {{ gap: 0; overflow: visible; min-width: 0; }}
.lrl-side > .lrl-banner, .lrl-side .lrl-status {{ margin-bottom: 10px; }}
.lrl-grid {{ display: grid !important; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px;
  overflow: visible; }}
@container (max-width: 950px) {{ .lrl-grid {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }} }}
@container (max-width: 600px) {{ .lrl-grid {{ grid-template-columns: minmax(0, 1fr); }} }}
.lrl-panel {{ padding: 8px 6px 0 10px; min-width: 0; position: relative; }}
.lrl-panel .bqplot {{ min-width: 0; min-height: 0; margin: 0; }}
.lrl-title {{ display: flex; align-items: baseline; justify-content: space-between; gap: 10px; white-space: nowrap;
  padding-right: 6px; }}
.lrl-title b {{ font-weight: 650; font-size: 13.5px; }}
.lrl-key {{ display: flex; flex-wrap: wrap; gap: 0 12px; white-space: nowrap; min-height: 17px; }}
.lrl-key i {{ font-style: normal; color: {MUTED}; font-size: 11.5px; }}
.lrl-key i::before {{ content: ''; display: inline-block; width: 11px; height: 0; margin-right: 4px;
  vertical-align: 3px; border-top: 3px solid var(--c); }}
.lrl-key i.up::before {{ border: 4.5px solid transparent; border-bottom: 8px solid var(--c); border-top: 0;
  width: 0; vertical-align: 0; }}
.lrl-key i.down::before {{ border: 4.5px solid transparent; border-top: 8px solid var(--c); border-bottom: 0;
  width: 0; vertical-align: 0; }}
.lrl-key i.block::before {{ border-top-width: 9px; vertical-align: -0.5px; }}
.lrl-key i.dash::before {{ border-top-style: dashed; border-top-width: 2px; }}
.lrl-how {{ color: {MUTED}; font-size: 11.5px; line-height: 1.3; padding: 1px 6px 2px 0; }}
.lrl-now {{ color: {SLATE}; font-size: 12px; overflow: hidden; text-overflow: ellipsis; }}
.lrl .lrl-banner {{ flex: none; width: auto; height: auto; background: {ALARM}; color: #fff; border-radius: 6px;
  padding: 5px 10px 6px; text-align: center; }}
.lrl .lrl-banner .widget-html-content {{ font-size: 12px; font-weight: 600; color: #fff; }}
.lrl .bqplot.figure {{ --bq-axislabel-font: 11px {FONT}; --bq-axislabel-fill: {MUTED};
  --bq-axis-path-stroke: #cfd7e1; }}

.lrl-buttons {{ display: grid !important; grid-template-columns: repeat(4, 1fr); gap: 6px; overflow: visible; }}
.lrl button, .lrl select, .lrl input {{ font-family: {FONT}; }}
.lrl button.jupyter-button {{ width: 100%; height: 30px; line-height: 28px; border: 1px solid #cbd4df;
  background: #fff; color: {INK}; border-radius: 6px; font-size: 12px; font-weight: 550; padding: 0 4px; margin: 0;
  display: inline-flex; align-items: center; justify-content: center; box-shadow: none; }}
.lrl button.jupyter-button:hover:not(:disabled) {{ border-color: {BLUE}; color: {BLUE}; box-shadow: none; }}
.lrl button.jupyter-button:focus-visible {{ outline: 2px solid {BLUE}; outline-offset: 1px; }}
.lrl button.jupyter-button:disabled {{ opacity: 0.45; }}
.lrl button:is(.lrl-play, .lrl-run):not(:disabled) {{ background: {BLUE}; border-color: {BLUE}; color: #fff; }}
.lrl button:is(.lrl-play, .lrl-run):hover:not(:disabled) {{ background: #0f55a8; color: #fff; }}
.lrl button.lrl-halt {{ border-color: {ALARM}; color: {ALARM}; }}
.lrl button.lrl-halt:hover:not(:disabled) {{ background: {ALARM}; border-color: {ALARM}; color: #fff; }}
.lrl button.lrl-record::before {{ content: ''; flex: none; width: 10px; height: 10px; border-radius: 5px;
  background: {ALARM}; margin-right: 6px; }}
.lrl button.lrl-recording::before {{ border-radius: 1px; }}
.lrl button.lrl-recording {{ border-color: {ALARM}; background: #fdf1f0; }}
.lrl-card .lrl-note a {{ color: {BLUE}; }}
.lrl .widget-dropdown, .lrl .widget-text, .lrl .widget-slider {{ width: 100%; min-width: 0; }}
.lrl .widget-label {{ color: {SLATE}; font-size: 12px; }}
.lrl .widget-slider, .lrl .lrl-rows .widget-text {{ height: auto; min-height: 24px; align-items: center; }}
.lrl .widget-slider .widget-label, .lrl .lrl-rows .widget-text .widget-label {{ white-space: normal; height: auto;
  line-height: 1.15; overflow: visible; }}
.lrl .widget-dropdown > select, .lrl .widget-text input {{ border-radius: 5px; font-size: 12px; color: {INK};
  background-color: #fff; min-width: 0; }}
.lrl .widget-slider {{ overflow: visible; }}
.lrl .widget-slider .slider-container {{ margin-left: 4px; min-width: 40px; }}
.lrl .widget-readout {{ font-variant-numeric: tabular-nums; min-width: 48px; max-width: 48px; text-align: right;
  padding: 0 3px; font-size: 12px; overflow: hidden; }}
.lrl .lrl-more .jupyter-widget-Collapse-header {{ border: 0; border-top: 1px solid {LINE}; background: none;
  padding: 7px 0 3px; font-size: 12.5px; font-weight: 650; color: {INK}; }}
.lrl .lrl-more .jupyter-widget-Collapse-contents {{ border: 0; padding: 4px 0; background: none; }}
.lrl .lrl-staged .widget-label {{ color: {ORANGE}; }}
.lrl-status {{ font-size: 12px; line-height: 1.4; border-left: 3px solid {PALE}; padding: 3px 8px;
  color: {SLATE}; overflow-wrap: anywhere; }}
.lrl-status.bad {{ border-color: {ALARM}; color: {ALARM}; background: #fdf1f0; }}
.lrl-status a {{ color: {BLUE}; }}

@container (min-width: 951px) {{ .lrl-waterfall {{ grid-column: span 2; }} }}
.lrl-alone {{ max-width: 760px; }}

.lrl-map {{ grid-column: span 2; grid-row: span 2; }}
.lrl-cut {{ grid-column: span 2; }}
.lrl-chosen {{ padding: 8px 12px 10px; }}
.lrl-rows {{ gap: 5px; overflow: visible; }}
@container (max-width: 600px) {{ .lrl-map, .lrl-cut {{ grid-column: auto; grid-row: auto; }} }}
.lrl .lrl-panel .heatmapcell {{ fill: {PAGE}; }}
.lrl-map .heatmapcell {{ cursor: pointer; }}
.lrl-key i.ramp {{ display: inline-flex; align-items: center; gap: 5px; margin-left: auto; padding-right: 6px; }}
.lrl-key i.ramp::before {{ display: none; }}
.lrl-key i.ramp u {{ width: 90px; height: 8px; border-radius: 2px; background: var(--c); text-decoration: none; }}
.lrl-key i.band::before {{ border-top-width: 8px; opacity: 0.3; vertical-align: 0; }}
.lrl-progress {{ height: 5px; border-radius: 3px; background: {LINE}; overflow: hidden; }}
.lrl-progress div {{ height: 100%; background: {BLUE}; transition: width 0.25s linear; }}
.lrl-pair {{ display: grid !important; grid-template-columns: 1fr 1fr; gap: 6px; overflow: visible; }}
.lrl a.lrl-go {{ display: block; color: {BLUE}; font-weight: 600; margin: 7px 0 4px; }}
.lrl-save a {{ flex: 1; text-align: center; border: 1px solid #cbd4df; border-radius: 6px; height: 30px;
  line-height: 28px; color: {INK}; text-decoration: none; font-size: 12px; font-weight: 550; }}
.lrl-save a:hover {{ border-color: {BLUE}; color: {BLUE}; }}
.lrl-save div.w {{ display: flex; gap: 6px; }}
.lrl-facts {{ border-collapse: collapse; font-size: 12px; }}
.lrl-facts td {{ padding: 1.5px 14px 1.5px 0; white-space: nowrap; }}
.lrl-facts td:nth-child(odd) {{ color: {MUTED}; }}
.bqplot_tooltip_div, .bqplot_tooltip_div * {{ pointer-events: none; }}
.lrl-tip {{ font-size: 12px; line-height: 1.45; color: {INK}; white-space: nowrap; padding: 2px 4px; }}
.lrl-head nav {{ display: flex; gap: 12px; font-size: 12.5px; white-space: nowrap; }}
.lrl-head nav a {{ color: {BLUE}; text-decoration: none; }}

.lrl-card .lrl-title {{ justify-content: flex-start; }}
.lrl-tape {{ width: 100%; border-collapse: collapse; font-size: 12px; table-layout: fixed; }}
.lrl-tape th {{ text-align: left; color: {MUTED}; font-weight: 500; font-size: 11px; padding: 0 10px 3px 0; }}
.lrl-tape td {{ padding: 1.5px 10px 1.5px 0; border-top: 1px solid {GRID}; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; height: 20px; }}
.lrl-tape .r {{ text-align: right; }}
.lrl-tape .buy {{ color: {BLUE}; }}
.lrl-tape .sell {{ color: {ORANGE}; }}
.lrl-tape tr.risk td {{ color: {ALARM}; font-weight: 600; }}
.lrl-tape tr.command td {{ color: {MUTED}; }}
""" + "\n".join(
    _icon(name, path)
    for name, path in (
        ("play", _PLAY),
        ("pause", _PAUSE),
        ("step", _STEP),
        ("reset", _RESET),
        ("halt", _STOP),
        ("run", _PLAY),
        ("cancel", _STOP),
    )
)
