"""What the ways of fitting photos into a square do, shown on one of the person's own photos."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st
from PIL import Image

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.aspect_ratios import choose_fit, known_range, ratios
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.imaging.reading import parse_reading
from translearn_core.imaging.square import FITS, Fit
from translearn_ui.components import setting_words
from translearn_ui.shell import frame

SIDE = 160
"""Side of the pictures in pixels."""


def show(dataset: Dataset) -> None:
    """The least square photo in each way, and what Automatic takes for these photos."""
    shapes = ratios(dataset)
    known = known_range(shapes)
    if known is None or all(round(end, 2) == 1 for end in known):
        return  # square photos come out alike in every way
    farthest = str(shapes.where(shapes >= 1, 1 / shapes).idxmax())
    path = str(dataset.photo_path(farthest))
    with st.container(horizontal=True, key="fits", gap="small"):
        for fit in FITS:
            words = setting_words.words_for("fit", fit)
            try:
                picture = make_picture(path, fit, json.dumps(dataset.record.reading))
            except TransLearnError:
                return
            st.image(
                picture,
                caption=words,
                width=132,
                alt=_("A photo of yours as the network gets it: {how}").format(how=words),
            )
    choice = choose_fit("auto", dataset)
    st.caption(
        _(
            "Your photos are {low:.2f} to {high:.2f} times as wide as high. Automatic means here: "
            "{fit}. {reason}"
        ).format(
            low=known[0],
            high=known[1],
            fit=setting_words.words_for("fit", choice.fit),
            reason=frame.plain(choice.reason),
        )
    )


@st.cache_data(max_entries=32, show_spinner=False)
def make_picture(path: str, fit: Fit, reading: str) -> Image.Image:
    """The photo as a square."""
    how = parse_reading(json.loads(reading))
    return Image.fromarray(datasets.decode_photo(Path(path), size=SIDE, fit=fit, how=how).image)
