"""How a report looks: the style of the page, its frame, and the pieces that it is put together from.

Owns: the HTML and CSS of a report. Leaves to others: what is said (`report.py`), the charts
(`report_charts.py`).

Functions take plain text and escape it, where they do not say otherwise.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from translearn_core import report_charts
from translearn_core.texts import _, language

STYLE = """
:root {color-scheme: light dark; --page: #fbfaf6; --text: #22302e; --quiet: #5d6967;
  --line: #ddd9cd; --soft: #f1efe8; --accent: #17695b;}
@media (prefers-color-scheme: dark) {:root {--page: #151a19; --text: #e6ebe8; --quiet: #a3afac;
  --line: #35403d; --soft: #1f2625; --accent: #5cc7b0;}}
* {box-sizing: border-box;}
body {margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;}
main {max-width: 52rem; margin: 0 auto; padding: 2.4rem 1.2rem 4rem;}
h1 {font-size: 1.05rem; font-weight: 600; color: var(--quiet); margin: 0 0 .3rem;}
.verdict {font-size: clamp(1.5rem, 4vw, 2.05rem); line-height: 1.2; font-weight: 680;
  letter-spacing: -.015em; margin: 0 0 .5rem; text-wrap: balance;}
h2 {font-size: 1.25rem; margin: 2.4rem 0 .5rem; padding-top: .9rem;
  border-top: 1px solid var(--line);}
h3 {font-size: 1rem; margin: 1.2rem 0 .4rem;}
p, ul {margin: .4rem 0 .8rem; max-width: 44rem;}
li {margin: .25rem 0;}
.quiet, figcaption, caption {color: var(--quiet); font-size: .9rem;}
.by {display: flex; gap: 1.5rem; flex-wrap: wrap; margin: 1.2rem 0 0; font-size: .9rem;
  color: var(--quiet);}
.by span {flex: 1 1 14rem; border-bottom: 1px solid var(--line); padding-bottom: .1rem;
  min-height: 1.7rem;}
.tag {display: inline-block; background: var(--soft); border-radius: 99px; padding: .05rem .7rem;
  margin-right: .35rem; font-size: .87rem;}
.note {white-space: pre-wrap; background: var(--soft); border-radius: .6rem; padding: .7rem .9rem;}
table {border-collapse: collapse; width: 100%; font-size: .93rem; margin: .4rem 0 1rem;}
caption {text-align: left; padding-bottom: .3rem;}
th, td {text-align: left; padding: .34rem .7rem .34rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word;}
td {overflow-wrap: anywhere;}
thead th {color: var(--quiet); font-weight: 500; font-size: .86rem;}
tbody th {font-weight: 600;}
td.n, th.n {text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;}
.interval {display: block; width: 100%; min-width: 6rem; height: .8rem;}
.big.interval {height: 1.5rem; max-width: 44rem; margin: .6rem 0 .2rem;}
.rail, .empty {fill: var(--text); fill-opacity: .1;}
.guess {stroke: var(--text); stroke-width: 2; stroke-dasharray: 2 1.5; opacity: .7;
  vector-effect: non-scaling-stroke;}
.chart {width: 100%; height: auto; display: block;}
.chart text {font-size: 12px; fill: var(--text);}
.chart text[fill] {fill: #fff;}
.chart .strong {font-weight: 650;}
.chart .grid {stroke: var(--text); opacity: .15;}
.two {display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 1.6rem;}
.photos {display: grid; grid-template-columns: repeat(auto-fill, minmax(7.2rem, 1fr)); gap: .8rem;
  margin: .6rem 0;}
figure {margin: 0; break-inside: avoid;}
.photos img {width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .45rem; display: block;
  background: var(--soft);}
figcaption {line-height: 1.3; margin-top: .25rem; font-size: .84rem; overflow-wrap: anywhere;}
figcaption b {color: var(--text);}
footer {margin-top: 2.5rem; padding-top: .8rem; border-top: 1px solid var(--line);
  color: var(--quiet); font-size: .87rem;}
@media (max-width: 34rem) {
  main {padding: 1.6rem 1rem 3rem;}
  .photos {grid-template-columns: repeat(3, 1fr); gap: .5rem;}
  .classes :is(th, td):nth-child(3) {display: none;}
  .classes td.n, .classes th {white-space: normal;}
}
@page {size: A4; margin: 16mm;}
@media print {
  :root {color-scheme: light; --page: #fff; --text: #111; --quiet: #444; --line: #ccc;
    --soft: #f3f3f0; --accent: #17695b;}
  body {font-size: 10.5pt; -webkit-print-color-adjust: exact; print-color-adjust: exact;}
  main {max-width: none; padding: 0;}
  h2, h3 {break-after: avoid;}
  section.whole, table, .chart {break-inside: avoid;}
  .photos {grid-template-columns: repeat(6, 1fr);}
}
"""


def page(title: str, sections: Sequence[str]) -> str:
    """One HTML text that asks for nothing else; `sections` are HTML, empty ones are left out."""
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language.get().replace("_", "-"))}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(*parts: str, whole: bool = False) -> str:
    """A stretch of the page out of HTML; a `whole` one is not torn apart by the end of a sheet."""
    kind = ' class="whole"' if whole else ""
    return f"<section{kind}>{''.join(parts)}</section>"


def bold(text: str) -> str:
    """A sentence of `testimony.py` as HTML."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text))


def photo(jpeg: bytes, file: str, words: str) -> str:
    """A picture with `words` (HTML) below it."""
    source = base64.b64encode(jpeg).decode("ascii")
    alt = escape(_("Photo {file}").format(file=Path(file).name))
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" alt="{alt}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def big_interval(share: float, low: float, high: float, *, guess: float | None) -> str:
    """A share with its interval over the width of the page."""
    picture = report_charts.interval(share, low, high, guess=guess)
    return picture.replace('class="interval"', 'class="big interval"')


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: bool = True
) -> str:
    """A table of values; with `numbers` all but the first column stand to the right."""
    kind = ' class="n"' if numbers else ""
    cells = "".join(
        f'<th scope="col"{kind if place else ""}>{escape(name)}</th>'
        for place, name in enumerate(head)
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(str(row[0]))}</th>'
        + "".join(
            f"<td{kind}>{escape(f'{v:,}' if isinstance(v, int) else str(v))}</td>" for v in row[1:]
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def table_of(caption: str, head: Sequence[str], rows: Sequence[str]) -> str:
    """A table whose rows are HTML; its third column is a picture, which narrow screens leave out."""
    numbers = ' class="n"'
    cells = "".join(
        f'<th scope="col"{"" if place in (0, 2) else numbers}>{escape(name)}</th>'
        for place, name in enumerate(head)
    )
    return (
        f'<table class="classes"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
