"""Frames of one recording: of a camera that was held on something, or of a video file.

Owns: the names of frames, which say what recording they are from, and classes that have a single
recording. Leaves to others: taking frames (a page, `imaging/video.py`), groups (`grouping.py`), cutting a
recording in time (`copy_chains.py`), splits (`split.py`).

A frame is called `<recording>~00012.jpg`, with its place in time as five digits or more. The frames of one
recording in one folder are one group.
"""

from __future__ import annotations

import re

import pandas as pd

from translearn_core.arrays import Bools

RECORDINGS = "recordings"
"""`grouped_by` of a data set whose groups are recordings."""
_FRAME = re.compile(r"(?P<recording>.+)~\d{5,}\.jpg")


def frame_name(recording: str, number: int) -> str:
    """The file name of a frame.

    Args:
        recording: name of the recording or of the video file, without folders.
        number: place in time, from 0.
    """
    return f"{recording}~{number:05d}.jpg"


def recording_of(file: str) -> str:
    """The recording that a file is a frame of, with its folders; "" for other photos."""
    found = _FRAME.fullmatch(file)
    return found["recording"] if found else ""


def single_recordings(photos: pd.DataFrame) -> dict[str, str]:
    """Classes whose photos are all frames of one recording: class name -> recording.

    Args:
        photos: rows of a manifest.
    """
    found = {}
    for name, rows in photos.groupby("class_name", sort=True):
        groups = set(rows["group_name"])
        if len(groups) == 1 and all(map(recording_of, rows["file"])):
            found[str(name)] = str(groups.pop())
    return {name: group for name, group in found.items() if group}


def in_single_recordings(photos: pd.DataFrame) -> Bools:
    """Which photos are of such a class, `(n,)`; a recording in several classes does not count."""
    single = single_recordings(photos)
    classes = photos.groupby("group_name")["class_name"].nunique()
    own = {name for name, group in single.items() if classes[group] == 1}
    chosen: Bools = photos["class_name"].isin(own).to_numpy()
    return chosen
