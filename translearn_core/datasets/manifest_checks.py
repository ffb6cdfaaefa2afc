"""Checks that the manifest alone answers: what each finds, and how it is told before training.

Owns: `Finding`, a function that finds for each of these checks, one that tells, and their bounds.
Leaves to others: the table with names, meaning and advice (`checks.py`), what counts as a near copy
(`duplicates.py`), checks that look at the photos (`feasibility/detectors.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from translearn_core.arrays import Bools
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.duplicates import bare_hashes
from translearn_core.datasets.file_names import group_lookalikes, tidy
from translearn_core.datasets.folder_words import split_kind
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.kept_together import together
from translearn_core.datasets.split import (
    chained_classes,
    scarce_groups,
    split_leaks,
    torn_groups,
)
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.reading import describe_ranges
from translearn_core.imaging.remote import is_address
from translearn_core.imaging.stats import unpack_colour_thumbnails, unpack_grey_thumbnails

FEW_PHOTOS = 10
"""A class with fewer photos has too few."""
MOST_IMBALANCE = 5
"""The largest class may have so many times the photos of another."""
SMALL_PIXELS = 32
"""The shorter side of a photo that is not too small."""
BLANK_BITS, BLANK_EDGES, BLANK_SHARE, NIGHT = 0.5, 0.1, 0.5, 0.06
"""A photo is blank up to so much entropy (bits) and so low an edge score, or with its lightest part
or its distance from white below `NIGHT`; a class from such a share of its photos on."""
BLANK_CONTRAST = 24
"""Grey levels between the darkest and the lightest part of a thumbnail, below which nothing is on it."""
GREY_PART, GREY_LEVELS, GREY_REST = 6 / 24, (90, 170), 10.0
"""A photo has a grey part from this share of it on, along a whole side, of one level between these
(of 255), where the opposite third has such a standard deviation."""
LEAST_AUGMENTED, FEWEST_AUGMENTED = 0.05, 10
"""Share and number of photos with turned copies from which on a set was augmented; the real sets here have at
most 0.01."""
LEAST_LEAK = 0.9
"""Score of a photo that is nearly a copy of a training photo; of an exact copy it is 1."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that may be wrong.

    Args:
        check: name of the row of `datasets.CHECKS`.
        path: the photo (as in the manifest); the file where it could not be read; the class where
            the finding is about one.
        score: how sure it is, in [0, 1]; 1 is certain.
        others: the photos it belongs with: copies, twins.
        suggested: the class that it probably belongs to.
        note: a sentence, translated.
    """

    check: str
    path: str
    score: float
    others: tuple[str, ...] = ()
    suggested: str = ""
    note: str = ""


def list_names(names: list[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return (
        shown
        if len(names) <= most
        else _("{names} and {n} more").format(names=shown, n=len(names) - most)
    )


# ------------------------------------------------------------------------------ sizes of classes


def find_too_few(dataset: Dataset) -> Iterator[Finding]:
    """Classes of fewer than `FEW_PHOTOS` photos."""
    for name, n in _count(dataset).items():
        if n < FEW_PHOTOS:
            note = ngettext(
                "{name} has {n} photo; at least {least} are needed, 30 or more are better.",
                "{name} has {n} photos; at least {least} are needed, 30 or more are better.",
                n,
            )
            yield Finding(
                check="too_few",
                path=name,
                score=round(1.0 - 0.5 * n / FEW_PHOTOS, 4),
                note=note.format(name=name, n=n, least=FEW_PHOTOS),
            )


def tell_too_few(found: Sequence[Finding], dataset: Dataset) -> str:
    """Name the classes."""
    counts = _count(dataset)
    names = list_names([f"{one.path} ({counts[one.path]})" for one in found])
    return ngettext(
        "Fewer than {least} photos in the class {names}.",
        "Fewer than {least} photos in the classes {names}.",
        len(found),
    ).format(least=FEW_PHOTOS, names=names)


def find_imbalance(dataset: Dataset) -> Iterator[Finding]:
    """Classes that the largest one outnumbers by more than `MOST_IMBALANCE`."""
    counts = _count(dataset)
    if len(counts) < 2:
        return
    largest = max(counts, key=lambda name: (counts[name], name))
    for name, n in counts.items():
        if counts[largest] > MOST_IMBALANCE * n:
            note = ngettext(
                "{name} has {n} photo, {largest} has {most}.",
                "{name} has {n} photos, {largest} has {most}.",
                n,
            ).format(name=name, n=n, largest=largest, most=counts[largest])
            score = 1.0 - 0.5 * MOST_IMBALANCE * n / counts[largest]
            yield Finding(check="imbalance", path=name, score=round(score, 4), note=note)


def tell_imbalance(found: Sequence[Finding], dataset: Dataset) -> str:
    """Compare the largest class with the smallest."""
    counts = dataset.counts
    return _("The classes are unequal: {large} has {most} photos, {small} only {least}.").format(
        large=counts.idxmax(),
        most=int(counts.max()),
        small=counts.idxmin(),
        least=int(counts.min()),
    )


def _count(dataset: Dataset) -> dict[str, int]:
    return {str(name): int(n) for name, n in dataset.photos["class_name"].value_counts().items()}


# --------------------------------------------------------------------------- names and folders


def find_case_twins(dataset: Dataset) -> Iterator[Finding]:
    """Classes whose names a reader takes for one another."""
    for names in group_lookalikes(dataset.classes):
        if len({name.casefold() for name in names}) == 1:
            note = _("The classes {names} differ only in upper and lower case.")
        elif len({name.casefold() for name in names}) == len(names) and all(
            _is_number(name) for name in names
        ):
            note = _("The classes {names} are the same number, written differently.")
        else:
            note = _("The classes {names} have names that are nearly the same.")
        yield Finding(
            check="case_twins",
            path=names[0],
            score=1.0,
            note=note.format(names=list_names(names)),
        )


def _is_number(name: str) -> bool:
    return name.isascii() and name.strip("+-").replace(".", "", 1).isdigit()


def find_double_layer(dataset: Dataset) -> Iterator[Finding]:
    """Every class found in each of several folders: maybe those folders are the classes.

    Nothing where that was asked when the photos came in.
    """
    record = dataset.record
    if ImportChoices.from_text(record.choices).classes:
        return
    if any(question.setting == "classes" for question in record.questions):
        return
    photos = dataset.photos
    folders = photos["file"].map(lambda file: str(PurePosixPath(file).parent))
    has_splits = bool((photos["split"] != "").any())
    pairs = {
        (parts[-2], parts[-1])
        for parts in (
            [part for part in PurePosixPath(one).parts if not (has_splits and split_kind(part))]
            for one in folders.unique()
        )
        if len(parts) >= 2
    }
    outer = sorted({first for first, _second in pairs})
    inner = sorted({second for _first, second in pairs})
    full = len(pairs) == len(outer) * len(inner) and set(inner) == set(dataset.classes)
    if len(outer) < 2 or not inner or not full:
        return
    note = _("The photos are sorted twice: into {outer}, and inside each into {inner}.")
    yield Finding(
        check="double_layer",
        path=outer[0],
        score=1.0,
        note=note.format(outer=list_names(outer), inner=list_names(inner)),
    )


def find_lost_classes(dataset: Dataset) -> Iterator[Finding]:
    """Folders beside those of the classes of which every file was left out."""
    photos = dataset.photos
    used: set[str] = set()
    homes: set[str] = set()
    for file, name in zip(photos["file"], photos["class_name"], strict=True):
        parts = file.split("/")[:-1]
        for depth, part in enumerate(parts, 1):
            used.add("/".join(parts[:depth]))
            if tidy(part) == name:
                homes.add("/".join(parts[: depth - 1]))
    classes = set(photos["class_name"])
    lost: dict[str, list[tuple[str, str]]] = defaultdict(list)
    left_out = dataset.left_out
    for file, reason in zip(left_out["file"], left_out["reason"], strict=True):
        if is_address(file):
            continue  # its class is what a row says, and no folder
        parts = file.split("/")[:-1]
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        folder = next((one for one in folders if one not in used), "")
        name = folder.rpartition("/")[2]
        known = tidy(name) in classes or split_kind(name) or file.endswith("/")
        if folder and not known and folder.rpartition("/")[0] in homes:
            lost[folder].append((file, reason))
    for folder, files in lost.items():
        note = ngettext(
            "The class {name} has no photo left: its {n} file was left out ({file}: {reason})",
            "The class {name} has no photo left: all its {n} files were left out (the first, "
            "{file}: {reason})",
            len(files),
        )
        yield Finding(
            check="lost_class",
            path=folder.rpartition("/")[2],
            score=1.0,
            note=note.format(
                name=folder, n=len(files), file=files[0][0], reason=files[0][1].rstrip(".")
            )
            + ".",
        )


def tell_notes(found: Sequence[Finding], dataset: Dataset) -> str:
    """What the findings say themselves, one after the other."""
    return " ".join(one.note for one in found)


# --------------------------------------------------------------------------------------- copies


def find_exact_copies(dataset: Dataset) -> Iterator[Finding]:
    """Photos with the bytes of an earlier one of their class."""
    for _key, rows in _known(dataset).groupby(["sha256", "class_name"], sort=False):
        first, *more = (str(path) for path in rows["path"])
        for path in more:
            yield Finding(check="exact_copies", path=path, score=1.0, others=(first,))


def tell_exact_copies(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them."""
    return ngettext(
        "{n} photo is an exact copy of another one of its class.",
        "{n} photos are exact copies of others of their class.",
        len(found),
    ).format(n=len(found))


def find_exact_across(dataset: Dataset) -> Iterator[Finding]:
    """Photos with the bytes of a photo of another class; near copies take features."""
    for _key, rows in _known(dataset).groupby("sha256", sort=False):
        if rows["class_name"].nunique() > 1:
            first, *more = (str(path) for path in rows.drop_duplicates("class_name")["path"])
            yield Finding(check="cross_class_copies", path=first, score=1.0, others=tuple(more))


def tell_across(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them, with an example."""
    files = _files(dataset)
    return ngettext(
        "{n} photo is in more than one class, for example {first} and {second}.",
        "{n} photos are in more than one class, for example {first} and {second}.",
        len(found),
    ).format(n=len(found), first=files[found[0].path], second=files[found[0].others[0]])


def find_leaks(dataset: Dataset) -> Iterator[Finding]:
    """Photos given for validation or the test with a copy among those given for training."""
    for leak in split_leaks(dataset):
        yield Finding(
            check="leak",
            path=leak.held_out,
            score=1.0 if leak.exact else LEAST_LEAK,
            others=(leak.train,),
        )


def tell_leaks(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them, with an example."""
    files = _files(dataset)
    return ngettext(
        "{n} photo kept for validation or the test is a copy of a training photo, or nearly "
        "({held} and {train}).",
        "{n} photos kept for validation or the test are copies of training photos, or nearly "
        "(for example {held} and {train}).",
        len(found),
    ).format(n=len(found), held=files[found[0].path], train=files[found[0].others[0]])


# ------------------------------------------------------------------------- what belongs together


def find_chains(dataset: Dataset) -> Iterator[Finding]:
    """Classes that are one chain of near-copies."""
    for name in chained_classes(dataset):
        note = _("Most photos of {name} are frames of one video, burst or fixed camera.")
        yield Finding(check="one_chain", path=name, score=1.0, note=note.format(name=name))


def tell_chains(found: Sequence[Finding], dataset: Dataset) -> str:
    """Name the classes."""
    return _("Most photos of {names} are frames of one video, burst or fixed camera.").format(
        names=list_names([one.path for one in found])
    )


def find_augmented(dataset: Dataset) -> Iterator[Finding]:
    """Photos with a mirrored, turned or tilted copy, where they are so many that a tool must have made them."""
    photos = dataset.photos
    turned = together(dataset).turned
    if turned.sum() < max(FEWEST_AUGMENTED, LEAST_AUGMENTED * len(photos)):
        return
    for path in photos["path"].to_numpy()[turned]:
        yield Finding(check="augmented", path=str(path), score=1.0)


def tell_augmented(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them, with an example."""
    return _(
        "{n:,} of {total:,} photos have mirrored, turned, tilted or padded copies (for example {file})."
    ).format(n=len(found), total=len(dataset.photos), file=_files(dataset)[found[0].path])


def find_scarce_groups(dataset: Dataset) -> Iterator[Finding]:
    """Classes with too few named groups for training, validation and test."""
    for name, n in scarce_groups(dataset).items():
        yield Finding(
            check="few_groups",
            path=name,
            score=1.0 if n == 1 else 0.75,
            note=_tell_scarce([name], n, dataset.record.grouped_by),
        )


def tell_scarce_groups(found: Sequence[Finding], dataset: Dataset) -> str:
    """Name the classes with one group, and those with two, and what is done with each."""
    counts = scarce_groups(dataset)
    names = {n: [one.path for one in found if counts[one.path] == n] for n in (1, 2)}
    by = dataset.record.grouped_by
    return " ".join(_tell_scarce(names[n], n, by) for n in (1, 2) if names[n])


def _tell_scarce(names: list[str], n: int, by: str) -> str:
    if n == 1:
        words = _(
            "All photos of {names} are of one group ({by}): they are learned from, and none of them "
            "is tested."
        )
    else:
        words = _(
            "The photos of {names} are of two groups only ({by}): one is learned from, the other is "
            "the test, and none is left for validation."
        )
    return words.format(names=list_names(names), by=by)


def find_torn_groups(dataset: Dataset) -> Iterator[Finding]:
    """Photos that the source holds out, of named groups that are also learned from."""
    for name, paths in torn_groups(dataset).items():
        for path in paths:
            yield Finding(check="torn_group", path=path, score=1.0, note=name)


def tell_torn_groups(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count the photos and name the groups."""
    groups = sorted({one.note for one in found})
    return ngettext(
        "{n} photo given for validation or the test is of a group ({by}) that is learned from, too: "
        "{names}.",
        "{n} photos given for validation or the test are of groups ({by}) that are learned from, too: "
        "{names}.",
        len(found),
    ).format(n=len(found), by=dataset.record.grouped_by, names=list_names(groups))


def find_surplus_copies(dataset: Dataset) -> Iterator[Finding]:
    """Photos that are put aside, because copies of them are in other named groups."""
    yield from _marked(dataset, "copied_group", together(dataset).surplus)


def tell_surplus_copies(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count the photos."""
    return ngettext(
        "{n} photo is a near-copy of photos in other groups ({by}) and is put aside.",
        "{n} photos are near-copies of photos in other groups ({by}) and are put aside.",
        len(found),
    ).format(n=len(found), by=dataset.record.grouped_by)


def find_shared_copies(dataset: Dataset) -> Iterator[Finding]:
    """Photos with near-copies in other named groups that are not put aside."""
    yield from _marked(dataset, "shared_group", together(dataset).shared)


def tell_shared_copies(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count the photos and name their classes."""
    classes = sorted({one.note for one in found})
    return ngettext(
        "{n} photo has near-copies in other groups ({by}), in {names}.",
        "{n} photos have near-copies in other groups ({by}), in {names}.",
        len(found),
    ).format(n=len(found), by=dataset.record.grouped_by, names=list_names(classes))


def _marked(dataset: Dataset, check: str, marked: Bools) -> Iterator[Finding]:
    photos = dataset.photos[marked]
    for path, name in zip(photos["path"], photos["class_name"], strict=True):
        yield Finding(check=check, path=str(path), score=1.0, note=str(name))


def _known(dataset: Dataset) -> pd.DataFrame:
    """The photos whose bytes were read, with the hashes of their files without a position."""
    photos = dataset.photos
    return photos[photos["sha256"] != ""].assign(sha256=bare_hashes(photos))


def _files(dataset: Dataset) -> dict[str, str]:
    photos = dataset.photos
    return dict(zip(photos["path"], photos["file"], strict=True))


# ---------------------------------------------------------------------------------------- sizes


def find_too_small(dataset: Dataset) -> Iterator[Finding]:
    """Photos with a side of fewer than `SMALL_PIXELS` pixels."""
    photos = dataset.photos
    sides: pd.Series[int] = photos[["width", "height"]].min(axis=1)
    for path in photos.loc[photos["checked"] & (sides < SMALL_PIXELS), "path"]:
        yield Finding(check="too_small", path=str(path), score=1.0)


def tell_too_small(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them."""
    return ngettext(
        "{n} photo is smaller than {pixels} pixels.",
        "{n} photos are smaller than {pixels} pixels.",
        len(found),
    ).format(n=len(found), pixels=SMALL_PIXELS)


# --------------------------------------------------------------------------------------- pixels


def has_pages(photos: pd.DataFrame) -> pd.Series[bool]:
    """Which photos are files of several pages, of which one may be chosen."""
    return (photos["pages"] > 1) & (photos["format"] == "TIFF")


def find_pages(dataset: Dataset) -> Iterator[Finding]:
    """Files with several pages."""
    photos = dataset.photos
    for path in photos.loc[has_pages(photos), "path"]:
        yield Finding(check="pages", path=str(path), score=1.0)


def tell_pages(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them, and say which page is used."""
    photos = dataset.photos[has_pages(dataset.photos)]
    pages, how = photos["pages"], dataset.reading
    if len(how.channels) == 3 and not photos["channels"].any():
        used = _("the pages {pages} are used as red, green and blue").format(
            pages=_numbers(how.channels)
        )
    elif how.page == 0:
        used = _("the page with the most contrast is used")
    else:
        used = _("page {page} is used").format(page=how.page)
    return ngettext(
        "{n} photo has several pages ({pages}); {used}.",
        "{n} photos have several pages ({pages}); {used}.",
        len(found),
    ).format(n=len(found), pages=_least_to_most(pages), used=used)


def find_channels(dataset: Dataset) -> Iterator[Finding]:
    """Files with channels that are neither a colour nor opacity."""
    photos = dataset.photos
    for path in photos.loc[photos["channels"] > 0, "path"]:
        yield Finding(check="channels", path=str(path), score=1.0)


def tell_channels(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them, and say which channels are used."""
    channels = dataset.photos.loc[dataset.photos["channels"] > 0, "channels"]
    chosen = dataset.reading.channels
    used = _("the first three are used as red, green and blue (of two, the first)")
    if chosen:
        used = _("{channels} used as {colours}").format(
            channels=_numbers(chosen), colours=_colours(chosen)
        )
    return ngettext(
        "{n} photo has more channels than colours ({channels}); {used}.",
        "{n} photos have more channels than colours ({channels}); {used}.",
        len(found),
    ).format(n=len(found), channels=_least_to_most(channels), used=used)


def find_frames(dataset: Dataset) -> Iterator[Finding]:
    """Animations, of which one picture is read."""
    photos = dataset.photos
    for path in photos.loc[(photos["pages"] > 1) & ~has_pages(photos), "path"]:
        yield Finding(check="frames", path=str(path), score=1.0)


def tell_frames(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count them."""
    return ngettext(
        "{n} file holds several pictures.", "{n} files hold several pictures.", len(found)
    ).format(n=len(found))


def _least_to_most(numbers: pd.Series[int]) -> str:
    least, most = int(numbers.min()), int(numbers.max())
    return str(most) if least == most else f"{least}-{most}"


def _numbers(chosen: Sequence[int]) -> str:
    return ", ".join(str(one) for one in chosen)


def _colours(chosen: Sequence[int]) -> str:
    return _("grey") if len(chosen) == 1 else _("red, green and blue")


def find_grey_part(dataset: Dataset) -> Iterator[Finding]:
    """Photos of which one side is of one medium grey, as after a copy that broke off."""
    photos = dataset.photos
    photos = photos[photos["checked"]]
    if not len(photos):
        return
    grey = unpack_grey_thumbnails(list(photos["look"]))  # (n, 24, 24)
    colours = unpack_colour_thumbnails(list(photos["tint"]))  # (n, 8, 8, 3)
    rows, few = round(GREY_PART * grey.shape[1]), round(GREY_PART * colours.shape[1])
    hit = np.zeros(len(photos), bool)
    for turn in range(4):
        side = np.rot90(grey, turn, (1, 2))[:, -rows:].reshape(len(photos), -1)
        rest = np.rot90(grey, turn, (1, 2))[:, :8].reshape(len(photos), -1)
        tones = np.rot90(colours, turn, (1, 2))[:, -few:]
        hit |= (
            (np.ptp(side, axis=1) <= 4)  # one step of the thumbnails
            & (np.ptp(tones, axis=3).max(axis=(1, 2)) <= 8)
            & (side.mean(axis=1) > GREY_LEVELS[0])
            & (side.mean(axis=1) < GREY_LEVELS[1])
            & (rest.std(axis=1) > GREY_REST)
        )
    for path in photos.loc[hit, "path"]:
        yield Finding(check="grey_part", path=str(path), score=1.0)


def tell_grey_part(found: Sequence[Finding], dataset: Dataset) -> str:
    """Count and name them."""
    names = dataset.photos.set_index("path")["file"]
    return ngettext(
        "{n} photo has a side that is of one grey ({files}).",
        "{n} photos have a side that is of one grey ({files}).",
        len(found),
    ).format(n=len(found), files=list_names([str(names[one.path]) for one in found]))


def find_range(dataset: Dataset) -> Iterator[Finding]:
    """The range by which values of more than 8 bits become 8 bits."""
    ranges = dataset.reading.ranges
    if ranges:
        note = _("Black and white of photos with more than 8 bits: {ranges}.").format(
            ranges=describe_ranges(ranges)
        )
        photos = dataset.photos
        black = photos.loc[photos["checked"] & (photos["light"] < NIGHT), "file"]
        if len(black):
            note += " " + ngettext(
                "{n} photo is nearly black ({files}).",
                "{n} photos are nearly black ({files}).",
                len(black),
            ).format(n=len(black), files=list_names(list(black)))
        yield Finding(check="value_range", path=dataset.id, score=1.0, note=note)


def find_blank(dataset: Dataset) -> Iterator[Finding]:
    """Classes of which at least half of the photos are of one colour, black or white."""
    photos = dataset.photos
    photos = photos[photos["checked"]]
    blank = (
        (photos["entropy"] <= BLANK_BITS)
        & (photos["detail"] == 0)
        & (photos["edge_score"] <= BLANK_EDGES)
    )
    blank |= (photos["light"] < NIGHT) | (photos["shade"] > 1 - NIGHT)
    if not blank.any():
        return
    grey = unpack_grey_thumbnails(list(photos.loc[blank, "look"]))
    blank[blank] = np.ptp(grey, axis=(1, 2)) < BLANK_CONTRAST  # thin lines are few pixels, but show
    for name, flags in blank.groupby(photos["class_name"]):
        n, total = int(flags.sum()), len(flags)
        if n >= BLANK_SHARE * total:
            note = ngettext(
                "{n} of {total} photos of {name} is of one colour, nearly black or nearly white.",
                "{n} of {total} photos of {name} are of one colour, nearly black or nearly white.",
                n,
            ).format(n=n, total=total, name=name)
            yield Finding(check="blank_class", path=str(name), score=round(n / total, 4), note=note)
