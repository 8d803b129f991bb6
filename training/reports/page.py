"""A self-contained HTML page: headings, text, tables and Vega-Lite charts, usable offline."""

import html
import json
from collections.abc import Sequence
from typing import Any, Self

from training.reports.charts import PALETTE
from training.reports.scripts import vega_bundle

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
.wide { overflow-x: auto; } .legend span { margin-right: 1.2rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; border-radius: 2px; }
div.wide:has(> table) { /* scroll shadows */
  background: linear-gradient(90deg, #fff, #fff0) 0/2.5rem 100%, linear-gradient(270deg, #fff, #fff0) 100%/2.5rem 100%,
    linear-gradient(90deg, #0003, #0000) 0/.7rem 100%, linear-gradient(270deg, #0003, #0000) 100%/.7rem 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
.beside { display: flex; flex-wrap: wrap; gap: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.bar label, .bar button { margin-right: 1rem; } input[type=number] { width: 5.5rem; } .knobs { margin-bottom: 1rem; }
pre { white-space: pre-wrap; }
.happened { background: #cdeccd; border-radius: 3px; padding: 0 .3rem; }
.note { background: #fff6df; border-left: 4px solid #e0a800; padding: .4rem .8rem; margin: .4rem 0; }
"""


class Page:
    """Builds a page from top to bottom; ``html`` returns it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        self._charts: list[dict[str, Any]] = []
        self._scripts: list[str] = []

    def heading(self, text: str, level: int = 2) -> Self:
        """Add a heading."""
        self._parts.append(f"<h{level}>{html.escape(text)}</h{level}>")
        return self

    def text(self, text: str) -> Self:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")
        return self

    def note(self, text: str) -> Self:
        """Add a warning."""
        self._parts.append(f'<p class="note">{html.escape(text)}</p>')
        return self

    def table(self, headers: Sequence[str], lines: Sequence[Sequence[str]]) -> Self:
        """Add a table."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in headers)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
        self._parts.append(
            f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
        return self

    def legend(self, names: Sequence[str], among: Sequence[str] | None = None) -> Self:
        """Add a shared legend for ``names``, coloured by their index ``among`` all names."""
        indices = [(names if among is None else among).index(name) for name in names]
        entries = "".join(
            f'<span><i style="background:{PALETTE[i % len(PALETTE)]}"></i>{html.escape(name)}</span>'
            for i, name in zip(indices, names, strict=True)
        )
        self._parts.append(f'<p class="legend">{entries}</p>')
        return self

    def code(self, text: str) -> Self:
        """Add preformatted text."""
        self._parts.append(f"<pre>{html.escape(text)}</pre>")
        return self

    def chart(self, chart: Any) -> Self:
        """Add an Altair chart."""
        return self.beside([chart])

    def beside(self, charts: Sequence[Any]) -> Self:
        """Add Altair charts side by side, wrapped to the page width."""
        first = len(self._charts)
        containers = "".join(f'<div id="chart-{first + i}"></div>' for i in range(len(charts)))
        self._parts.append(f'<div class="wide beside">{containers}</div>')
        self._charts += [chart.to_dict() for chart in charts]
        return self

    def element(self, markup: str) -> Self:
        """Add trusted markup without escaping."""
        self._parts.append(markup)
        return self

    def script(self, text: str) -> Self:
        """Add trusted JavaScript at the end of the body; it must not contain ``</``."""
        self._scripts.append(text)
        return self

    def html(self) -> str:
        """The complete page, with the chart library inlined."""
        script = ""
        if self._charts:
            # "</" would end the script element.
            charts = json.dumps(self._charts).replace("</", "<\\/")
            draw = f"{charts}.forEach((c, i) => vegaEmbed('#chart-' + i, c, {{actions: false}}));"
            script = f"<script>{vega_bundle()}</script>\n<script>{draw}</script>"
        script += "".join(f"\n<script>{text}</script>" for text in self._scripts)
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self._title)}</title>'
            f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(self._parts) + f"\n{script}</body></html>\n"
        )
