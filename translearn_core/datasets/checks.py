"""Checks before training: what forbids it, and what a person should know.

Owns: `CHECKS`, one row per data check, and the sentences. Leaves to others: the facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import PurePosixPath

import pandas as pd

from translearn_core.config import load_configuration
from translearn_core.datasets.library import Dataset
from translearn_core.datasets.split import split_leaks
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext

FEW_PHOTOS = 10
MOST_IMBALANCE = 5.0
SMALL_PIXELS = 32


def check_ready(dataset: Dataset) -> None:
    """Make sure that the data set can be trained on.

    Raises:
        SourceError: it has no class or only one, a class with a single photo or none to learn
            from, or more classes than allowed; the sentence names them.
    """
    counts = dataset.counts
    limit = load_configuration().limits.classes
    if not len(counts):
        raise SourceError(_("There are no photos yet. Add photos of at least two classes."))
    if len(counts) == 1:
        raise SourceError(
            _(
                "There is only one class, {name}. Add photos of at least one other class: to tell "
                "things apart takes two."
            ).format(name=counts.index[0])
        )
    if len(counts) > limit:
        raise SourceError(
            _("There are {n} classes; at most {limit} can be told apart here.").format(
                n=len(counts), limit=limit
            )
        )
    single = [str(name) for name, n in counts.items() if n < 2]
    if single:
        raise SourceError(
            ngettext(
                "The class {names} has a single photo: one is needed to learn from and one to "
                "test with. Add photos to it, or remove it.",
                "The classes {names} have a single photo each: one is needed to learn from and one "
                "to test with. Add photos to them, or remove them.",
                len(single),
            ).format(names=_list_names(single))
        )
    photos = dataset.photos
    held_out = photos["split"].isin(["val", "test"])
    nothing = sorted(set(counts.index) - set(photos.loc[~held_out, "class_name"]))
    if nothing:
        raise SourceError(
            _(
                "All photos of {names} are kept for validation or the test: there is none to "
                "learn from. Add some to the training photos."
            ).format(names=_list_names(nothing))
        )


def warnings(dataset: Dataset) -> list[str]:
    """What a person should know before training, one sentence or two each; empty: all is well."""
    return [sentence for check in CHECKS for sentence in check(dataset)]


def _find_few(dataset: Dataset) -> list[str]:
    few = {str(name): int(n) for name, n in dataset.counts.items() if n < FEW_PHOTOS}
    if not few:
        return []
    names = _list_names([f"{name} ({n})" for name, n in few.items()])
    return [
        ngettext(
            "Fewer than {least} photos in the class {names}. Its accuracy will be low; more "
            "photos help.",
            "Fewer than {least} photos in the classes {names}. They will be learned badly; more "
            "help.",
            len(few),
        ).format(least=FEW_PHOTOS, names=names)
    ]


def _find_imbalance(dataset: Dataset) -> list[str]:
    counts = dataset.counts
    if len(counts) < 2 or counts.max() <= MOST_IMBALANCE * counts.min():
        return []
    return [
        _(
            "The classes are unequal: {large} has {most} photos, {small} only {least}. The large "
            "one will be predicted too often; more photos of {small} help."
        ).format(
            large=counts.idxmax(),
            most=int(counts.max()),
            small=counts.idxmin(),
            least=int(counts.min()),
        )
    ]


def _find_case_twins(dataset: Dataset) -> list[str]:
    alike = defaultdict(list)
    for name in dataset.classes:
        alike[name.casefold()].append(name)
    return [
        _(
            "The classes {names} differ only in upper and lower case. Merge them if they mean the "
            "same."
        ).format(names=_list_names(names))
        for names in alike.values()
        if len(names) > 1
    ]


def _find_double_layer(dataset: Dataset) -> list[str]:
    """Every class found in each of several folders: maybe those folders are the classes."""
    folders = dataset.photos["file"].map(lambda file: str(PurePosixPath(file).parent))
    pairs = {
        (parts[-2], parts[-1])
        for parts in (PurePosixPath(folder).parts for folder in folders.unique())
        if len(parts) >= 2
    }
    outer = sorted({first for first, _second in pairs})
    inner = sorted({second for _first, second in pairs})
    full = len(pairs) == len(outer) * len(inner) and set(inner) == set(dataset.classes)
    splits = {"train", "training", "val", "valid", "validation", "test", "testing"}
    if len(outer) < 2 or len(inner) < 1 or not full or {name.lower() for name in outer} & splits:
        return []
    return [
        _(
            "The photos are sorted twice: into {outer}, and inside each into {inner}. The inner "
            "folders were taken as the classes. If the outer ones are, bring in each of them "
            "without folders inside."
        ).format(outer=_list_names(outer), inner=_list_names(inner))
    ]


def _find_contradictions(dataset: Dataset) -> list[str]:
    photos = dataset.photos
    known = photos[photos["sha256"] != ""]
    spread = known.groupby("sha256")["class_name"].nunique()
    doubtful = known[known["sha256"].isin(spread[spread > 1].index)]
    if not len(doubtful):
        return []
    n = int((spread > 1).sum())
    example = doubtful[doubtful["sha256"] == doubtful["sha256"].iloc[0]]
    return [
        ngettext(
            "{n} photo lies in more than one class, for example {first} and {second}. Remove it "
            "where it is wrong.",
            "{n} photos lie in more than one class, for example {first} and {second}. Remove them "
            "where they are wrong.",
            n,
        ).format(n=n, first=example["file"].iloc[0], second=example["file"].iloc[1])
    ]


def _find_doubles(dataset: Dataset) -> list[str]:
    photos = dataset.photos
    known = photos[photos["sha256"] != ""]
    n = int(known.duplicated(["sha256", "class_name"]).sum())
    if not n:
        return []
    return [
        ngettext(
            "{n} photo is an exact copy of another one of its class. It adds nothing; copies are "
            "never put on both sides of the test.",
            "{n} photos are exact copies of others of their class. They add nothing; copies are "
            "never put on both sides of the test.",
            n,
        ).format(n=n)
    ]


def _find_leaks(dataset: Dataset) -> list[str]:
    leaks = split_leaks(dataset)
    if not leaks:
        return []
    files = dict(zip(dataset.photos["path"], dataset.photos["file"], strict=True))
    n = len(leaks)
    return [
        ngettext(
            "{n} photo kept for validation or the test is a copy of a training photo, or nearly "
            "({held} and {train}). The accuracy will look better than it is.",
            "{n} photos kept for validation or the test are copies of training photos, or nearly "
            "(for example {held} and {train}). The accuracy will look better than it is.",
            n,
        ).format(n=n, held=files[leaks[0].held_out], train=files[leaks[0].train])
    ]


def _find_small(dataset: Dataset) -> list[str]:
    photos = dataset.photos
    sides: pd.Series[int] = photos[["width", "height"]].min(axis=1)
    n = int((photos["checked"] & (sides < SMALL_PIXELS)).sum())
    if not n:
        return []
    return [
        ngettext(
            "{n} photo is smaller than {pixels} pixels; little can be seen on it.",
            "{n} photos are smaller than {pixels} pixels; little can be seen on them.",
            n,
        ).format(n=n, pixels=SMALL_PIXELS)
    ]


def _list_names(names: list[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return (
        shown
        if len(names) <= most
        else _("{names} and {n} more").format(names=shown, n=len(names) - most)
    )


CHECKS: tuple[Callable[[Dataset], list[str]], ...] = (
    _find_few,
    _find_imbalance,
    _find_case_twins,
    _find_double_layer,
    _find_contradictions,
    _find_leaks,
    _find_doubles,
    _find_small,
)
"""The data checks: each tells what it found, in sentences."""
