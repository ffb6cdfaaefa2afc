"""The stages of work that goes on, as a line of steps, and what it does now as a headline.

Owns: their HTML, for runs, searches and checks. Leaves to others: which stages there are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape


def headline_html(words: str, figures: str = "") -> str:
    """What is going on now: the main words, and the figures more quietly."""
    more = f" <span>{escape(figures)}</span>" if figures else ""
    return f'<p class="tl-now" role="status">{escape(words)}{more}</p>'


def strip_html(stages: Mapping[str, str], here: str, *, done: Collection[str] = ()) -> str:
    """The stages in their order: those before `here` and in `done` ticked, the present one marked.

    Args:
        stages: name -> title.
        here: the present stage; a name that is none of them where there is none yet.
        done: further stages that are over.
    """
    names = list(stages)
    now = names.index(here) if here in names else -1
    items = []
    for index, name in enumerate(names):
        over = index < now or name in done
        kind = "now" if index == now else "done" if over else "ahead"
        current = ' aria-current="step"' if kind == "now" else ""
        sign = "✓" if kind == "done" else ""
        items.append(f'<li class="{kind}"{current}><i>{sign}</i>{escape(stages[name])}</li>')
    return f'<ol class="tl-stages">{"".join(items)}</ol>'
