"""What augmentation does, shown on one of the person's own photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import N_, _
from translearn_core.imaging import augment
from translearn_core.imaging.reading import parse_reading

VIEW_NAMES: dict[augment.AugmentationPolicy, str] = {
    "none": N_("as it is"),
    "light": N_("a little"),
    "strong": N_("a lot"),
}


def show(dataset: Dataset) -> None:
    """What varying photos means, on one of the person's own."""
    if dataset.photos.empty:
        return
    path = dataset.photo_path(str(dataset.photos["path"].iloc[0]))
    with st.container(horizontal=True, key="views", gap="small"):
        for strength, name in VIEW_NAMES.items():
            try:
                picture = make_views(str(path), strength, json.dumps(dataset.record.reading))
            except TransLearnError:
                return
            st.image(
                picture,
                caption=_(name),
                width=132,
                alt=_("A photo of yours, varied: {how}").format(how=_(name)),
            )


@st.cache_data(max_entries=32, show_spinner=False)
def make_views(path: str, strength: augment.AugmentationPolicy, reading: str) -> Image.Image:
    """Four views of a photo in a square; the photo itself where it is not varied."""
    photo = datasets.decode_photo(
        Path(path), size=160, how=parse_reading(json.loads(reading))
    ).image
    if strength == "none":
        return Image.fromarray(photo).resize((264, 264))
    views = augment.augment_preview(photo, strength, n=4, seed=3)
    gap = np.full((160, 8, 3), 255, np.uint8)
    rows = [np.hstack([views[i], gap, views[i + 1]]) for i in (0, 2)]
    across = np.full((8, rows[0].shape[1], 3), 255, np.uint8)
    return Image.fromarray(np.vstack([rows[0], across, rows[1]])).resize((264, 264))
