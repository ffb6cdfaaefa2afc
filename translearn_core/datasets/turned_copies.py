"""Finds photos that are mirrored, turned or tilted copies of others, as sets that were augmented hold them.

Owns: which photos may be such copies, the angle, and how far they agree then. Leaves to others: copies that
are upright (`duplicates.py`), refining a transform (`lucas_kanade.py`).

A thumbnail is read along rings about its centre. Turning it shifts each ring, and mirroring reverses it, so
that the magnitudes of the Fourier coefficients along the rings stay as they are: photos with the most similar ones are
candidates. The angle is where the rings correlate best (phase kept; B. S. Reddy and B. N. Chatterji, An
FFT-Based Technique for Translation, Rotation, and Scale-Invariant Image Registration, 1996, along one scale).
Then the transform is refined on the inscribed disc, which has no corners of another colour. Photos that are
also cropped are found if they are mirrored only, among neighbours by features, which hardly see the difference.
Bars of one colour around a photo are cut off first, so that copies with such bars are found, too, upright ones included.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import numpy.typing as npt

from translearn_core.arrays import Array, Bools, Floats, Ints
from translearn_core.datasets.borders import trim_borders
from translearn_core.datasets.crop_search import COARSE, shrink
from translearn_core.datasets.lucas_kanade import Aligned, align, multiply_affine
from translearn_core.datasets.nearest import find_copies
from translearn_core.datasets.registration import compare_pairs
from translearn_core.imaging.processors import processor_count
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE as SIDE
from translearn_core.imaging.stats import GreyThumbnails

Spectra = npt.NDArray[np.complex64]

MIN_LIKENESS = 0.9
"""Mean of the correlations of the whole disc and of its fine structure from which two photos are one."""
_LEFT_OVER = 0.5
"""What stays unexplained by the best turn, of what does unturned, at most: a round thing agrees at any angle."""
_RINGS, _ANGLES, _HARMONICS, _DIRECTIONS = 8, 32, 9, 64
_MOST_COPIES = 6
_MIN_PEAK = 0.75
_MIN_COARSE, _COARSE_STEPS = 0.9, 3
_MIN_FIRST = 0.8  # likeness from which the other photo is tried as the smaller one, too
_MIN_MIRROR_COSINE = 0.5
_SCALES = (0.7, 1.4)
_BATCH = 256
_AT_ONCE = 2**12


def find_turned_copies(
    thumbnails: GreyThumbnails, embedding: Floats | None, rows: Ints
) -> tuple[Ints, Ints, Floats]:
    """Pairs (first < second) of `rows` of which one photo is a turned copy of the other, and their likeness.

    Args:
        thumbnails: of all photos.
        embedding: `(photos, d)` of unit length; without it mirrored crops are not looked for.
        rows: of the photos to compare, ascending.
    """
    found = [_find_turned(thumbnails, rows)]
    if embedding is not None:
        found.append(_find_mirrored(thumbnails, embedding, rows))
    first, second, likeness = (np.concatenate(parts) for parts in zip(*found, strict=True))
    _keys, kept = np.unique(first * len(rows) + second, return_index=True)
    return rows[first[kept]], rows[second[kept]], likeness[kept]


def _find_turned(thumbnails: GreyThumbnails, rows: Ints) -> tuple[Ints, Ints, Floats]:
    spectra, has_bars = _read_rings(thumbnails, rows)

    def compare_some(first: Ints, second: Ints) -> Floats:
        peak, affine = _best_turn(
            spectra[first], spectra[second], may_be_upright=has_bars[first] != has_bars[second]
        )
        likeness = np.zeros(len(first), np.float32)
        some = np.flatnonzero(peak >= _MIN_PEAK)
        one, other = (trim_borders(thumbnails[rows[photos[some]]])[0] for photos in (first, second))
        likeness[some] = _compare(one, other, affine[some])
        return likeness

    def compare(first: Ints, second: Ints) -> Floats:
        parts = [slice(start, start + _BATCH) for start in range(0, len(first), _BATCH)]
        with ThreadPoolExecutor(processor_count()) as pool:
            likeness = pool.map(lambda part: compare_some(first[part], second[part]), parts)
            return np.concatenate([np.empty(0, np.float32), *likeness])

    return find_copies(_magnitudes(spectra), compare, enough=MIN_LIKENESS, most=_MOST_COPIES)


def _find_mirrored(
    thumbnails: GreyThumbnails, embedding: Floats, rows: Ints
) -> tuple[Ints, Ints, Floats]:
    def compare(first: Ints, second: Ints) -> Floats:
        first, second = rows[first], rows[second]
        likeness = compare_pairs(thumbnails, first, second, mirrored=True).mean()
        some = np.flatnonzero(likeness >= MIN_LIKENESS)
        upright = compare_pairs(thumbnails, first[some], second[some]).mean()
        likeness[some[~_explains_more(likeness[some], upright)]] = 0
        return likeness

    return find_copies(
        embedding[rows], compare, enough=MIN_LIKENESS, most=_MOST_COPIES, least=_MIN_MIRROR_COSINE
    )


def _explains_more(turned: Floats, upright: Floats) -> Bools:
    return 1 - turned <= _LEFT_OVER * (1 - upright)


# ---------------------------------------------------------------------------- candidates and angles


@cache
def _rings() -> tuple[Floats, Floats]:
    """What reads the rings from a thumbnail `(pixels, rings * angles)`, and their weights `(rings, 1)`."""
    radii = np.linspace(2, SIDE / 2 - 1, _RINGS)[:, None]
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    middle = (SIDE - 1) / 2
    lines = np.zeros((SIDE, SIDE, _RINGS, _ANGLES), np.float32)
    ring, angle = np.indices((_RINGS, _ANGLES))
    rows, columns = middle + radii * np.sin(angles), middle + radii * np.cos(angles)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    for row, by_row in ((top, 1 - down), (top + 1, down)):
        for column, by_column in ((left, 1 - right), (left + 1, right)):
            np.add.at(lines, (row, column, ring, angle), by_row * by_column)
    return lines.reshape(SIDE**2, -1), np.sqrt(radii).astype(np.float32)


def _read_rings(thumbnails: GreyThumbnails, rows: Ints) -> tuple[Spectra, Bools]:
    """Fourier coefficients along the rings of each photo without bars around it, of mean 0 and length 1
    `(n, rings, harmonics)`; and which photos had bars, `(n,)`."""
    lines, weights = _rings()
    has_bars = np.zeros(len(rows), np.bool_)
    spectra = np.empty((len(rows), _RINGS, _HARMONICS), np.complex64)
    for start in range(0, len(rows), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        trimmed, has_bars[some] = trim_borders(thumbnails[rows[some]])
        values = trimmed.reshape(-1, SIDE**2) @ lines
        values = values.reshape(-1, _RINGS, _ANGLES)
        values -= np.average(values.mean(axis=2), axis=1, weights=weights.ravel())[
            :, None, None
        ].astype(np.float32)
        part = np.fft.rfft(values, axis=2)[:, :, :_HARMONICS] * weights
        part[:, :, 1:] *= np.sqrt(2)  # each stands for its conjugate, too
        length = np.sqrt((np.abs(part) ** 2).sum(axis=(1, 2), keepdims=True))
        spectra[some] = part / np.maximum(length, 1e-3)
    return spectra, has_bars


def _magnitudes(spectra: Spectra) -> Floats:
    """What turning and mirroring leave as it is, about its mean and of length 1: `(n, d)`."""
    values = np.abs(spectra)
    values[:, :, 0] = spectra[:, :, 0].real  # the mean of a ring has a sign
    flat = values.reshape(len(values), -1)
    flat -= flat.mean(axis=0)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat


def _best_turn(one: Spectra, other: Spectra, *, may_be_upright: Bools) -> tuple[Floats, Floats]:
    """The correlation of two photos at the best angle, mirrored or not, `(n,)`, 0 where upright ones correlate
    nearly as well and may not; and the transform of the second into the first that it stands for,
    `(n, 2, 3)`."""
    directions = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    waves = np.exp(-1j * np.outer(np.arange(_HARMONICS), directions)).astype(np.complex64)
    as_it_is = np.einsum("nrh,nrh->nh", one.conj(), other) @ waves
    mirrored = np.einsum("nrh,nrh->nh", one, other) @ waves
    correlation = np.concatenate([as_it_is.real, mirrored.real], axis=1)
    best = correlation.argmax(axis=1)
    peak = correlation[np.arange(len(best)), best]
    explains = may_be_upright | _explains_more(peak, correlation[:, 0])
    peak = np.where(explains, peak, 0.0)
    angle, is_mirrored = directions[best % _DIRECTIONS], best >= _DIRECTIONS
    return peak, _turn(angle, is_mirrored)


def _turn(angle: Array, is_mirrored: Bools) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    sign = np.where(is_mirrored, -1, 1)
    affine = np.empty((len(angle), 2, 3), np.float32)
    affine[:, 0, 0], affine[:, 0, 1] = sign * cos, sign * sin
    affine[:, 1, 0], affine[:, 1, 1] = -sin, cos
    affine[:, :, 2] = (SIDE - 1) / 2 * (1 - affine[:, :, :2].sum(axis=2))
    return affine


# ---------------------------------------------------------------------------- comparing


@cache
def _disc(side: int) -> Bools:
    rows, columns = np.mgrid[0:side, 0:side] - (side - 1) / 2
    disc: Bools = rows**2 + columns**2 <= ((side - 1) / 2) ** 2
    return disc


def _compare(one: Floats, other: Floats, affine: Floats) -> Floats:
    """Likeness of the pairs, 0 where they do not agree at half the side: `(n,)`.

    Args:
        one, other: `(n, 24, 24)`.
        affine: of the second into the first, see `Aligned`.
    """
    likeness = np.zeros(len(one), np.float32)
    coarse = _align_coarsely(one, other, affine)
    chosen = np.flatnonzero(coarse.whole >= _MIN_COARSE)
    one, other, affine = one[chosen], other[chosen], coarse.affine[chosen]
    found = _likeness(one, other, affine)
    near = np.flatnonzero((found >= _MIN_FIRST) & (found < MIN_LIKENESS))
    found[near] = np.maximum(found[near], _likeness(other[near], one[near], _invert(affine[near])))
    likeness[chosen] = found
    return likeness


def _align_coarsely(one: Floats, other: Floats, affine: Floats) -> Aligned:
    """At half the side; the transforms stay those of whole thumbnails."""
    large, small = (shrink(photos).reshape(-1, COARSE, COARSE) for photos in (one, other))
    halved = affine.copy()
    halved[:, :, 2] = (affine[:, :, 2] + affine[:, :, :2].sum(axis=2) / 2 - 0.5) / 2
    found = align(large, small, halved, scales=_SCALES, window=_disc(COARSE), steps=_COARSE_STEPS)
    found.affine[:, :, 2] = 2 * found.affine[:, :, 2] + 0.5 - found.affine[:, :, :2].sum(axis=2) / 2
    return found


def _likeness(large: Floats, small: Floats, affine: Floats) -> Floats:
    aligned = align(large, small, affine, scales=_SCALES, window=_disc(SIDE))
    return np.asarray((aligned.whole + aligned.fine()) / 2, np.float32)


def _invert(affine: Floats) -> Floats:
    identity = np.tile(np.eye(3, dtype=np.float32), (len(affine), 1, 1))
    return multiply_affine(
        identity[:, :2], np.linalg.inv(np.concatenate([affine, identity[:, 2:]], axis=1))
    )
