"""The marks of classes, a shape in the colour of the class, the same on every page.

Owns: the shapes, and the marks that stand before the name of a class: in HTML, in the labels of pills,
in captions and in the text of charts. Leaves to others: which place a class has
(`Dataset.class_places`), the colours (`translearn_core.palette`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import streamlit as st

from translearn_core import datasets, palette
from translearn_core.datasets import Dataset
from translearn_core.datasets.class_places import places_of
from translearn_core.errors import TransLearnError
from translearn_core.runs import Run


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape: its name in plotly, the sign in texts, and its corners in a square of 100."""

    symbol: str
    sign: str
    corners: str


SHAPES: tuple[Shape, ...] = (
    Shape(symbol="circle", sign="●", corners=""),
    Shape(symbol="square", sign="■", corners="6,6 94,6 94,94 6,94"),
    Shape(symbol="diamond", sign="◆", corners="50,0 100,50 50,100 0,50"),
    Shape(symbol="triangle-up", sign="▲", corners="50,4 100,96 0,96"),
    Shape(
        symbol="cross",
        sign="✚",
        corners="34,0 66,0 66,34 100,34 100,66 66,66 66,100 34,100 34,66 0,66 0,34 34,34",
    ),
    Shape(
        symbol="star",
        sign="★",
        corners="50,0 61,35 98,35 68,57 79,91 50,70 21,91 32,57 2,35 39,35",
    ),
    Shape(symbol="hexagon", sign="⬢", corners="25,5 75,5 100,50 75,95 25,95 0,50"),
    Shape(symbol="bowtie", sign="⧓", corners="0,0 50,40 100,0 100,100 50,60 0,100"),
)


def of_dataset(dataset: Dataset) -> dict[str, int]:
    """The places of the classes of a data set."""
    return places_of(dataset.class_places, dataset.classes)


def of_run(run: Run) -> dict[str, int]:
    """The places of the classes of a model: those of its photos, else in the order of the names."""
    return of_classes(run.config.dataset, run.labels)


def of_classes(dataset: Path | str, names: Sequence[str]) -> dict[str, int]:
    """The places of some classes of a data set, which may be gone."""
    try:
        known = datasets.open_dataset(Path(dataset)).class_places
    except TransLearnError:
        known = {}
    return places_of(known, names)


def color_of(place: int) -> str:
    """The colour of a class with this place."""
    return palette.class_color(place)


def shape_of(place: int) -> Shape:
    """The shape of a class with this place."""
    return SHAPES[place % len(SHAPES)]


def colors(places: Mapping[str, int]) -> dict[str, str]:
    """Class name -> colour."""
    return {name: color_of(place) for name, place in places.items()}


def mark_html(place: int) -> str:
    """The mark of a class, for HTML of our own."""
    return f'<i class="tl-mark" style="background:{color_of(place)};{_clip(place)}"></i>'


def mark_text(place: int) -> str:
    """The mark of a class, for the texts of charts."""
    return f'<span style="color:{color_of(place)}">{shape_of(place).sign}</span>'


def mark_markdown(place: int) -> str:
    """The mark of a class, for captions."""
    picture = base64.b64encode(_svg(place).encode()).decode()
    return f"![](data:image/svg+xml;base64,{picture})"


def mark_options(key: str, places: Sequence[int | None]) -> None:
    """Put marks before the options of the pills `key`; None is an option that is no class."""
    form = 'content:"";width:.7rem;height:.7rem;margin-right:.4rem;flex:none;display:inline-block'
    rules = "".join(
        f".st-key-{escape(key)} button:nth-of-type({number})::before"
        f"{{{form};background:{color_of(place)};{_clip(place)}}}"
        for number, place in enumerate(places, 1)
        if place is not None
    )
    if rules:
        st.html(f"<style>{rules}</style>")


def _clip(place: int) -> str:
    corners = shape_of(place).corners
    if not corners:
        return "clip-path:circle(50%)"
    points = ",".join("{}% {}%".format(*corner.split(",")) for corner in corners.split())
    return f"clip-path:polygon({points})"


def _svg(place: int) -> str:
    corners, color = shape_of(place).corners, color_of(place)
    form = (
        f'<polygon points="{corners}" fill="{color}"/>'
        if corners
        else f'<circle cx="50" cy="50" r="48" fill="{color}"/>'
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{form}</svg>'
