"""What must be said beside an accuracy, as sentences.

Owns: when a class, a split or a test is too poor for its figure, and how that is said. The
feasibility check, the command line, the Results page and the report all say it by `caveats`.
Leaves to others: the figures (`metrics.py`, `cross_validation.py`), where they are shown.

Shares are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext

FEW_TRAINED = 5
"""A class that was learned from fewer photos is named."""
FEW_TEST_PHOTOS = 10
"""With fewer test photos the recall of a class says little."""
FEW_VALIDATION_PHOTOS = 10
"""With fewer validation photos the best epoch is chosen by chance."""
UNEVEN = 2.0
"""From this ratio of the largest to the smallest class on, balanced accuracy is said, too."""
UNEQUAL = 5.0
"""Above this ratio the sizes themselves are said."""
KNOWN_SCENES = 0.2
"""Above this share of photos of scenes that were learned from, an accuracy is not named: without them
it could be that much lower."""
_MOST_NAMES = 6


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """What is known of one class.

    Args:
        n_train: photos to learn from; None where it is unknown.
        n_groups: these and its test photos, with copies and bursts counted once; None: unknown.
        n_test, recall: photos that it was measured on, and the share of them that was found.
    """

    name: str
    n_train: int | None = None
    n_groups: int | None = None
    n_test: int = 0
    recall: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """An accuracy, its 95 % interval, and the photos that it was measured on."""

    accuracy: float
    interval: tuple[float, float]
    n: int


def balanced_accuracy(classes: Sequence[ClassCount]) -> float | None:
    """Mean recall over the classes that were measured; None without any."""
    recalls = [one.recall for one in classes if one.n_test and one.recall is not None]
    return sum(recalls) / len(recalls) if recalls else None


def differs(test: Measured, other: Measured) -> bool:
    """Whether each accuracy lies outside the other's interval."""
    return not (
        other.interval[0] <= test.accuracy <= other.interval[1]
        or test.interval[0] <= other.accuracy <= test.interval[1]
    )


def tell_gap(test: Measured, other: Measured, *, folds: bool) -> str:
    """The difference between a test that was given and other photos; empty where there is none.

    Args:
        other: measured on photos of the same source as those to learn from.
        folds: whether `other` comes from cross-validation, else from a validation set.
    """
    if not differs(test, other):
        return ""
    where = _("in cross-validation") if folds else _("on validation photos")
    if test.accuracy < other.accuracy:
        words = _(
            "On the {n:,} given test photos only {test} are right, {where} {other}: the test photos "
            "differ from those to learn from. On photos like the test photos expect {test}."
        )
    else:
        words = _(
            "On the {n:,} given test photos {test} are right, {where} only {other}: the test photos "
            "are easier than those to learn from, or some of them are copies."
        )
    return words.format(
        n=test.n, where=where, test=percent(test.accuracy), other=percent(other.accuracy)
    )


def caveats(
    classes: Sequence[ClassCount],
    *,
    n_val: int | None = None,
    measured: str = "",
    balanced: bool = True,
) -> list[str]:
    """What must be said beside an accuracy, the gravest first.

    Args:
        classes: all classes.
        n_val: validation photos that the best epoch is chosen by; None where none are used.
        measured: the photos of the accuracy in words; default test photos.
        balanced: whether balanced accuracy may be said; not where the accuracy is not known.
    """
    measured = measured or _("test photos")
    found = [
        _tell_untested(classes),
        _tell_never_found(classes, measured),
        _tell_few_learned(classes),
        _tell_copies_only(classes),
        _tell_uneven(classes, balanced=balanced),
        _tell_few_tested(classes, measured),
        _tell_weak(classes),
    ]
    if n_val is not None and n_val < FEW_VALIDATION_PHOTOS:
        found.append(
            ngettext(
                "There is only {n} validation photo: too few to choose the best epoch by. Add "
                "photos, or raise the validation share.",
                "There are only {n} validation photos: too few to choose the best epoch by. Add "
                "photos, or raise the validation share.",
                n_val,
            ).format(n=n_val)
        )
    return [sentence for sentence in found if sentence]


def is_uneven(classes: Sequence[ClassCount]) -> bool:
    """Whether classes differ so much in size that accuracy hides the small ones."""
    return _ratio(classes, lambda one: one.n_train) >= UNEVEN or (
        _ratio(classes, lambda one: one.n_test) >= UNEVEN
    )


def _ratio(classes: Sequence[ClassCount], size: Callable[[ClassCount], int | None]) -> float:
    """The largest class against the smallest."""
    sizes = [n for n in map(size, classes) if n]
    return max(sizes) / min(sizes) if sizes else 1.0


def _tell_never_found(classes: Sequence[ClassCount], measured: str) -> str:
    names = [f"{one.name} (0 / {one.n_test})" for one in classes if one.n_test and not one.recall]
    return (
        ngettext(
            "Never found among the {photos} (recall 0): {names}. It cannot be told apart yet; add "
            "photos of it.",
            "Never found among the {photos} (recall 0): {names}. They cannot be told apart yet; add "
            "photos of them.",
            len(names),
        ).format(photos=measured, names=list_names(names))
        if names
        else ""
    )


def _tell_copies_only(classes: Sequence[ClassCount]) -> str:
    names = [
        one.name for one in classes if one.n_groups == 1 and (one.n_train or 0) + one.n_test > 1
    ]
    return (
        ngettext(
            "All photos of {names} are copies of one photo or frames of one burst: nothing is known of "
            "other photos of it. Add different ones.",
            "Of each of {names} all photos are copies of one photo or frames of one burst: nothing is "
            "known of other photos of them. Add different ones.",
            len(names),
        ).format(names=list_names(names))
        if names
        else ""
    )


def _tell_uneven(classes: Sequence[ClassCount], *, balanced: bool) -> str:
    if not is_uneven(classes):
        return ""
    parts = []
    sizes = [(one.n_train, one.name) for one in classes if one.n_train]
    if sizes and max(sizes)[0] > UNEQUAL * min(sizes)[0]:
        parts.append(
            _(
                "The classes are unequal: {large} has {most:,} photos to learn from, {small} only {least:,}."
            ).format(
                large=max(sizes)[1], most=max(sizes)[0], small=min(sizes)[1], least=min(sizes)[0]
            )
        )
    share = balanced_accuracy(classes) if balanced else None
    if share is not None:
        parts.append(
            _("With every class counted alike, {share} are right (balanced accuracy).").format(
                share=percent(share)
            )
        )
    return " ".join(parts)


def _tell_few_learned(classes: Sequence[ClassCount]) -> str:
    few = [
        f"{one.name} ({one.n_train})"
        for one in classes
        if one.n_train and one.n_train < FEW_TRAINED
    ]
    return (
        _("Learned from fewer than {least} photos: {names}.").format(
            least=FEW_TRAINED, names=list_names(few)
        )
        if few
        else ""
    )


def _tell_untested(classes: Sequence[ClassCount]) -> str:
    untested = [one.name for one in classes if not one.n_test]
    return (
        _(
            "No photo is tested of {names}: how often they are recognised is not known, and the accuracy is of "
            "the other classes alone."
        ).format(names=list_names(untested))
        if untested
        else ""
    )


def _tell_few_tested(classes: Sequence[ClassCount], measured: str) -> str:
    few = [f"{one.name} ({one.n_test})" for one in classes if 0 < one.n_test < FEW_TEST_PHOTOS]
    return (
        _("Fewer than {least} {photos}, so their own figures say little: {names}.").format(
            least=FEW_TEST_PHOTOS, photos=measured, names=list_names(few)
        )
        if few
        else ""
    )


def _tell_weak(classes: Sequence[ClassCount]) -> str:
    weak = [one.name for one in classes if one.n_test and 0 < (one.recall or 0.0) < 0.5]
    return (
        _("Missed more often than found: {names}.").format(names=list_names(weak)) if weak else ""
    )


def list_names(names: Sequence[str]) -> str:
    """Names in a line; of many the first ones and how many more there are."""
    shown = ", ".join(names[:_MOST_NAMES])
    if len(names) <= _MOST_NAMES:
        return shown
    return _("{names} and {n} more").format(names=shown, n=len(names) - _MOST_NAMES)
