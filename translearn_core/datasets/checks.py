"""The table of checks of the photos, and what is said before training.

Owns: `CHECKS`, one row per check: name, words, bound and what it takes to find it. The pages, the
command line, the report and the docs read it. Two views show it:

- before training (`warnings`, on the pages Photos and Train and in `check`): rows with `find`,
  which the manifest alone answers;
- the feasibility check: rows that `feasibility/detectors.py` has a detector for, with statistics of the
  photos, features of a network and cross-validated predictions.

Leaves to others: finding (`manifest_checks.py`, `feasibility/detectors.py`), what forbids training
(`readiness.py`), and what a person does about a finding.

A score is how sure it is that something is wrong, in [0, 1]; a check flags from its threshold on.
Dark, bright, low information, odd shape and size follow CleanVision 0.3: its bounds are where the
score reaches the threshold. Nothing here changes a photo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from translearn_core.datasets.aspect_ratios import GIVEN_AWAY, ONE_SHAPE, find_shape, tell_shape
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.duplicates import MIN_SIMILARITY
from translearn_core.datasets.manifest_checks import (
    BLANK_BITS,
    FEW_PHOTOS,
    LEAST_LEAK,
    MOST_IMBALANCE,
    NIGHT,
    SMALL_PIXELS,
    Finding,
    find_augmented,
    find_blank,
    find_case_twins,
    find_chains,
    find_channels,
    find_double_layer,
    find_exact_across,
    find_exact_copies,
    find_frames,
    find_grey_part,
    find_imbalance,
    find_leaks,
    find_lost_classes,
    find_pages,
    find_range,
    find_scarce_groups,
    find_shared_copies,
    find_surplus_copies,
    find_too_few,
    find_too_small,
    find_torn_groups,
    tell_across,
    tell_augmented,
    tell_chains,
    tell_channels,
    tell_exact_copies,
    tell_frames,
    tell_grey_part,
    tell_imbalance,
    tell_leaks,
    tell_notes,
    tell_pages,
    tell_scarce_groups,
    tell_shared_copies,
    tell_surplus_copies,
    tell_too_few,
    tell_too_small,
    tell_torn_groups,
)
from translearn_core.datasets.picture_sizes import (
    APART,
    ONE_SIZE,
    SMALL,
    TOLD,
    find_size,
    tell_size,
)
from translearn_core.i18n import N_, _

BLURRED_DETAIL = 0.1
"""`detail` up to which a photo counts as blurred: of sharp photos of four sets one in three hundred
lies below, of photos blurred by 1.5 % of their longer side all do."""
BLURRED_EDGES, DARK_LIGHT, BRIGHT_SHADE, FEW_BITS, ODD_SHAPE = 0.29, 0.32, 0.05, 3.0, 0.35
"""CleanVision's bounds: blur score, brightness of the lightest 1 %, distance from white of the
darkest 5 %, bits of entropy, shorter over longer side."""
ODD_QUARTILES = 3.0
OUTLIER_SPREADS = 3.0

Needs = Literal["manifest", "statistics", "features", "predictions"]
"""What finding takes: the manifest alone, statistics of the pixels, features of a network, or
predictions of models that have not learned from the photo."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row.

    Args:
        name, title: in code, and for people.
        threshold: score from which a photo is flagged.
        rule: when that is, for the docs.
        sentence: what it means.
        advice: what to do.
        needs: what it takes to find all of them.
        excludable: whether all photos that it finds may be excluded at one click.
        find: what the manifest tells of it, where it is told before training. A check that
            `needs` more finds only the certain part that way.
        tell: the findings in one sentence, for that view.
    """

    name: str
    title: str
    threshold: float
    rule: str
    sentence: str
    advice: str
    needs: Needs
    excludable: bool = False
    find: Callable[[Dataset], Iterator[Finding]] | None = None
    tell: Callable[[Sequence[Finding], Dataset], str] | None = None


def warnings(dataset: Dataset) -> list[str]:
    """What a person should know before training: what was said and asked when the photos came in,
    and of each check that found something what it is, what it means and what to do.

    Empty: all is well.
    """
    record = dataset.record
    return [*record.notices, *(one.text for one in record.questions), *found_by_checks(dataset)]


def found_by_checks(dataset: Dataset) -> list[str]:
    """Of each check that found something what it is, what it means and what to do."""
    return list(dataset.known("found_by_checks", lambda: _find_by_checks(dataset)))


def _find_by_checks(dataset: Dataset) -> list[str]:
    result = []
    for check in CHECKS:
        if check.find is None or check.tell is None:
            continue
        found = [one for one in check.find(dataset) if one.score >= check.threshold]
        if found:
            result.append(
                " ".join([check.tell(found, dataset), _(check.sentence), _(check.advice)])
            )
    return result


def split_notes(dataset: Dataset) -> list[str]:
    """What has to be said beside an accuracy: classes that are one chain of near-copies, classes with too few
    groups, groups that the source tears apart, copies in two of its splits, classes that the size of their
    photos gives away."""
    return list(dataset.known("split_notes", lambda: _note_splits(dataset)))


def _note_splits(dataset: Dataset) -> list[str]:
    result = []
    for check in CHECKS:
        if check.name in _BESIDE_ACCURACY and check.find is not None and check.tell is not None:
            found = list(check.find(dataset))
            if found:
                result.append(f"{check.tell(found, dataset)} {_(check.sentence)}")
    return result


_BESIDE_ACCURACY = (
    "augmented",
    "one_chain",
    "few_groups",
    "copied_group",
    "shared_group",
    "torn_group",
    "leak",
    "one_size",
)

CHECKS: tuple[Check, ...] = (
    Check(
        name="unreadable",
        title=N_("Cannot be read"),
        threshold=1.0,
        rule="the decoder cannot read the file to its last byte",
        sentence=N_("The file is damaged, cut off or no photo; it was left out."),
        advice=N_("Save the photo again from its source, or do without it."),
        needs="manifest",
        excludable=True,
    ),
    Check(
        name="exact_copies",
        title=N_("Exact copies"),
        threshold=1.0,
        rule="the same bytes twice in one class",
        sentence=N_("The same file is there more than once. Copies teach nothing new."),
        advice=N_("Keep one and remove the others. Copies are never put on both sides of a test."),
        needs="manifest",
        find=find_exact_copies,
        tell=tell_exact_copies,
    ),
    Check(
        name="near_copies",
        title=N_("Nearly the same photo"),
        threshold=MIN_SIMILARITY,
        rule="two registered photos of a class agree: mean correlation of the whole image, of its "
        "fine structure, and of the features; or one is a mirrored, turned, tilted or padded copy",
        sentence=N_(
            "The same photo saved again, cut, mirrored, turned or lit differently, or frames of one burst."
        ),
        advice=N_(
            "They may stay, but count as one: better are photos of other things, places and light."
        ),
        needs="features",
    ),
    Check(
        name="cross_class_copies",
        title=N_("The same photo in two classes"),
        threshold=MIN_SIMILARITY,
        rule="an exact or near copy lies in another class",
        sentence=N_("One photo cannot be right in both classes."),
        advice=N_("Keep it where it belongs and remove it from the other class."),
        needs="features",
        find=find_exact_across,
        tell=tell_across,
    ),
    Check(
        name="wrong_label",
        title=N_("Maybe in the wrong class"),
        threshold=0.5,
        rule="confident learning on cross-validated predictions; almost certain (0.9 and more) where "
        "the photo also lies among those of the other class: by its five nearest neighbours, and as "
        "near as half of that class are to each other",
        sentence=N_(
            "Models that were not trained on this photo predict another class. Hard photos look the "
            "same as wrong labels: of those worth a look, most are right."
        ),
        advice=N_("Look at it: move it to the right class, or keep it where it is."),
        needs="predictions",
    ),
    Check(
        name="outlier",
        title=N_("Unlike the others of its class"),
        threshold=0.5,
        rule=f"mean feature distance to the five nearest neighbours of its class is {OUTLIER_SPREADS:g} "
        "robust standard deviations above the median of the class",
        sentence=N_("Nothing in its class looks like this photo."),
        advice=N_("If it does not belong here, remove it; if it does, add more photos like it."),
        needs="features",
        excludable=True,
    ),
    Check(
        name="blurred",
        title=N_("Blurred"),
        threshold=0.5,
        rule="neighbouring pixels differ hardly more than a quarter of what pixels four apart do "
        f"(mean squares, at 128 pixels: at most {BLURRED_DETAIL}), or CleanVision's blur score is "
        f"below {BLURRED_EDGES}",
        sentence=N_("There is no fine detail on this photo."),
        advice=N_("Take it again with a steady hand, or remove it if the thing cannot be told."),
        needs="statistics",
        excludable=True,
    ),
    Check(
        name="dark",
        title=N_("Too dark"),
        threshold=0.5,
        rule=f"99 % of the pixels are darker than {DARK_LIGHT}",
        sentence=N_("Even the lightest parts of this photo are dark."),
        advice=N_("Take it again in better light, unless photos will be as dark in use."),
        needs="statistics",
        excludable=True,
    ),
    Check(
        name="bright",
        title=N_("Too bright"),
        threshold=0.5,
        rule=f"95 % of the pixels are brighter than {1 - BRIGHT_SHADE}",
        sentence=N_("Nearly all of this photo is white."),
        advice=N_("Take it again with less light, unless the white is its background."),
        needs="statistics",
        excludable=True,
    ),
    Check(
        name="low_information",
        title=N_("Hardly anything to see"),
        threshold=0.5,
        rule=f"entropy of the colour values below {FEW_BITS:g} bits",
        sentence=N_("This photo consists of a few colours only, like a blank page."),
        advice=N_("Remove it if it shows nothing."),
        needs="statistics",
        excludable=True,
    ),
    Check(
        name="odd_aspect",
        title=N_("Odd shape"),
        threshold=0.5,
        rule=f"the shorter side is at most {ODD_SHAPE} of the longer one",
        sentence=N_(
            "This photo is very wide or very tall: the network sees it squeezed, or only its middle."
        ),
        advice=N_("Cut it to the thing that it shows."),
        needs="manifest",
    ),
    Check(
        name="shape",
        title=N_("The shape gives the class away"),
        threshold=1.0,
        rule=f"a range of ratios of width to height holds the photos of the class and hardly any other: "
        f"mean of both shares at least {GIVEN_AWAY:g}, nine tenths of the class within a factor of "
        f"{ONE_SHAPE:g}",
        sentence=N_("The model may learn the shape instead of what the photos show."),
        advice=N_(
            "Take photos of all classes in the same shape. Until then training cuts every photo to "
            "the square in its middle, unless the setting `fit` says otherwise."
        ),
        needs="manifest",
        find=find_shape,
        tell=tell_shape,
    ),
    Check(
        name="one_size",
        title=N_("The size gives the class away"),
        threshold=1.0,
        rule=f"by the root of the area, nine tenths of the class lie within a factor of {ONE_SIZE:g}; of other "
        f"photos a share that is at least {TOLD:g} smaller than that of the class lies there, with a margin of a factor of "
        f"{APART:g}; the median of the class or that of the others is below {SMALL} pixels",
        sentence=N_(
            "All photos are brought to one size, and the model may learn how blurred they are then instead "
            "of what they show: on photos of other sizes it may be right less often."
        ),
        advice=N_("Take photos of all classes in the same sizes."),
        needs="manifest",
        find=find_size,
        tell=tell_size,
    ),
    Check(
        name="odd_size",
        title=N_("Odd size"),
        threshold=0.5,
        rule=f"root of the area lies more than {ODD_QUARTILES:g} quartile ranges outside the quartiles",
        sentence=N_("This photo is far larger or smaller than the others."),
        advice=N_("Make sure that it comes from the same source as the others."),
        needs="manifest",
    ),
    Check(
        name="greyscale",
        title=N_("Grey among colour photos"),
        threshold=0.5,
        rule="no colour at all, where most photos have some",
        sentence=N_("This photo has no colour, most of the others do."),
        advice=N_("Use colour photos only, or grey ones in every class."),
        needs="statistics",
    ),
    Check(
        name="imbalance",
        title=N_("Unequal classes"),
        threshold=0.5,
        rule=f"the largest class has more than {MOST_IMBALANCE} times as many photos",
        sentence=N_("The large class will be predicted too often."),
        advice=N_("Add photos to the small class."),
        needs="manifest",
        find=find_imbalance,
        tell=tell_imbalance,
    ),
    Check(
        name="too_few",
        title=N_("Too few photos"),
        threshold=0.5,
        rule=f"fewer than {FEW_PHOTOS} photos in a class",
        sentence=N_("So few photos cannot show what the class has in common."),
        advice=N_("Add photos: other things of the class, in other places and light."),
        needs="manifest",
        find=find_too_few,
        tell=tell_too_few,
    ),
    Check(
        name="shortcut",
        title=N_("Something else gives the class away"),
        threshold=0.9,
        rule="one trivial property alone (file type, size, a mark near the rim, brightness, "
        "sharpness, border, background) predicts the class: mean of recall and of the share of "
        "other photos that are rejected at least 0.95 (a mark: 0.9, or 0.75 where it takes few "
        "parts of the photo; from brightness on: 0.97)",
        sentence=N_("The model may learn this shortcut instead of what the photos show."),
        advice=N_("Take photos of all classes in the same way, or cut the mark off."),
        needs="statistics",
    ),
    Check(
        name="mirrors",
        title=N_("Mirrored photos look like another class"),
        threshold=1.0,
        rule="a linear head on the photos of two classes takes held-out ones, mirrored, for the "
        "other class: its probability rises by 0.1 or more on average (paired t-test, 0.05 for all "
        "pairs together); only below 200 photos a class, where training would mirror them",
        sentence=N_(
            "Learning from mirrored photos would teach the wrong class, so training does not mirror "
            "these photos by itself."
        ),
        advice=N_("Leave the augmentation at `auto`, or choose `none`."),
        needs="features",
    ),
    Check(
        name="giveaway",
        title=N_("The files tell the classes apart"),
        threshold=0.5,
        rule="one feature of the files alone (size of the file, format, compression, width and height, "
        "camera, pattern of the names, number of copies) puts so many photos into the right class, out "
        "of fold, that the low end of its 95 % interval avoids at least 40 % of the mistakes of always "
        "answering the largest class",
        sentence=N_("The model may learn where the photos come from instead of what they show."),
        advice=N_(
            "Bring in photos of all classes from the same cameras and sources, saved in one way."
        ),
        needs="statistics",
    ),
    Check(
        name="leak",
        title=N_("Test photos that are also training photos (leakage)"),
        threshold=LEAST_LEAK,
        rule="a photo given for validation or the test has a copy, or another frame of its burst, "
        "in the given training set",
        sentence=N_(
            "So that the accuracy counts new photos alone, the training photos are put aside; or the "
            "others, where a class would lose more than half of its training photos."
        ),
        advice=N_("Remove the copies from one of both, or let the split be made here."),
        needs="features",
        find=find_leaks,
        tell=tell_leaks,
    ),
    Check(
        name="augmented",
        title=N_("Augmented before it was brought"),
        threshold=1.0,
        rule="a twentieth of the photos, ten at least, have a mirrored, turned, tilted or padded copy",
        sentence=N_(
            "These copies stay on one side of a split. Others that a tool made of the same photos may "
            "not be recognised; then the accuracy is better than on new photos."
        ),
        advice=N_(
            "Bring the photos as they were before copies were made; training varies them itself."
        ),
        needs="manifest",
        find=find_augmented,
        tell=tell_augmented,
    ),
    Check(
        name="one_chain",
        title=N_("One scene only"),
        threshold=1.0,
        rule="a chain of strict near-copies is most of a class",
        sentence=N_(
            "Such photos are split in time: the last ones are the test, and between the parts some are "
            "put aside, so that no neighbours stand on both sides. The accuracy says little about "
            "photos of another time or place."
        ),
        advice=N_("Add photos of other things, places and light."),
        needs="manifest",
        find=find_chains,
        tell=tell_chains,
    ),
    Check(
        name="few_groups",
        title=N_("Too few groups"),
        threshold=0.5,
        rule="photos are grouped, and a class has fewer than three groups: a group is never divided",
        sentence=N_("How well a new group of such a class is told apart is hardly measured."),
        advice=N_("Add photos of more groups."),
        needs="manifest",
        find=find_scarce_groups,
        tell=tell_scarce_groups,
    ),
    Check(
        name="copied_group",
        title=N_("Copies in several groups"),
        threshold=1.0,
        rule="photos are grouped, near-copies connect so many groups that names decide alone, and a photo is a "
        "near-copy of photos of which most are in another group",
        sentence=N_("So no split has copies on both sides."),
        advice=N_("Nothing to do; or name groups so that copies are in one."),
        needs="manifest",
        find=find_surplus_copies,
        tell=tell_surplus_copies,
    ),
    Check(
        name="shared_group",
        title=N_("Groups of the same photos"),
        threshold=1.0,
        rule="as before, but without these photos a class would have fewer than three groups; or a chain of "
        "near-copies has photos in several groups",
        sentence=N_(
            "They may stand on both sides of a split: the accuracy is too good for photos of other things."
        ),
        advice=N_("Name groups so that copies are in one, or do without groups."),
        needs="manifest",
        find=find_shared_copies,
        tell=tell_shared_copies,
    ),
    Check(
        name="torn_group",
        title=N_("Groups on both sides of the given test"),
        threshold=1.0,
        rule="a photo given for validation or the test is of a named group that also has photos to "
        "learn from",
        sentence=N_("The split of the source was kept; its figures are too good for new groups."),
        advice=N_("Hold out whole groups, or let the split be made here."),
        needs="manifest",
        find=find_torn_groups,
        tell=tell_torn_groups,
    ),
    Check(
        name="random_split",
        title=N_("A random split would flatter"),
        threshold=1.0,
        rule="cross-validation that tears groups and near-copies apart is right on at least 2 % more "
        "photos, by more than two standard errors of the difference",
        sentence=N_("What belongs together lies on both sides of a random split."),
        advice=N_("Rely on the grouped figure, and never split such photos at random."),
        needs="predictions",
    ),
    Check(
        name="case_twins",
        title=N_("Names that look alike"),
        threshold=1.0,
        rule="the names of two classes are the same but for upper and lower case, for letters of "
        "another alphabet or width that look the same, for a final s, for what marks a copy, or for how "
        "a number is written",
        sentence=N_("They are learned as different classes."),
        advice=N_("Merge them if they mean the same."),
        needs="manifest",
        find=find_case_twins,
        tell=tell_notes,
    ),
    Check(
        name="double_layer",
        title=N_("Sorted twice"),
        threshold=1.0,
        rule="every class lies in each of several folders that are no splits",
        sentence=N_("The inner folders were taken as the classes."),
        advice=N_(
            "If the outer ones are the classes, bring in each of them without folders inside."
        ),
        needs="manifest",
        find=find_double_layer,
        tell=tell_notes,
    ),
    Check(
        name="lost_class",
        title=N_("A class without photos"),
        threshold=1.0,
        rule="every file of a folder beside the classes was left out",
        sentence=N_("The class cannot be learned."),
        advice=N_("Look at the files that were left out: each has its reason."),
        needs="manifest",
        find=find_lost_classes,
        tell=tell_notes,
    ),
    Check(
        name="pages",
        title=N_("Files with several pages"),
        threshold=1.0,
        rule="a TIFF with several pages: one of them is used, or three as red, green and blue",
        sentence=N_("What stands on the other pages is not learned."),
        advice=N_(
            "If it shows too little, choose another page for the whole set: under Pages and "
            "channels on the Photos page, or when you bring the photos in."
        ),
        needs="manifest",
        find=find_pages,
        tell=tell_pages,
    ),
    Check(
        name="channels",
        title=N_("Files with many channels"),
        threshold=1.0,
        rule="a TIFF with channels that are neither a colour nor opacity",
        sentence=N_("The other channels are not learned."),
        advice=N_(
            "If others matter, choose one or three for the whole set: under Pages and channels on "
            "the Photos page, or when you bring the photos in."
        ),
        needs="manifest",
        find=find_channels,
        tell=tell_channels,
    ),
    Check(
        name="frames",
        title=N_("Animations"),
        threshold=1.0,
        rule="an animation, or a file that holds several pictures",
        sentence=N_("The first of them that is not of one colour is used."),
        advice=N_("Save the others as photos of their own if they matter."),
        needs="manifest",
        find=find_frames,
        tell=tell_frames,
    ),
    Check(
        name="value_range",
        title=N_("More than 8 bits"),
        threshold=1.0,
        rule="files whose values need a range to become 8 bits: it is the same for the whole set",
        sentence=N_("The same range is used in training, predictions and exports."),
        advice=N_("Look at the photos: they should be neither black nor white."),
        needs="manifest",
        find=find_range,
        tell=tell_notes,
    ),
    Check(
        name="grey_part",
        title=N_("A part of one grey"),
        threshold=1.0,
        rule="at least a quarter along a whole side is of one medium grey, and the opposite third "
        "is not",
        sentence=N_("A photo looks so after a copy that broke off was saved again."),
        advice=N_("Look at them, and copy them again from their source."),
        needs="manifest",
        find=find_grey_part,
        tell=tell_grey_part,
    ),
    Check(
        name="blank_class",
        title=N_("Photos without anything on them"),
        threshold=0.5,
        rule=f"at least half of the photos of a class are of one colour, nearly black or nearly "
        f"white: entropy up to {BLANK_BITS:g} bits, or their lightest part is darker than "
        f"{NIGHT:g} or their darkest lighter than {1 - NIGHT:g}",
        sentence=N_("There may be nothing to learn on them, or they were read in a wrong way."),
        advice=N_(
            "Look at them, and save them again in another format if they look different here."
        ),
        needs="manifest",
        find=find_blank,
        tell=tell_notes,
    ),
    Check(
        name="too_small",
        title=N_("Too small"),
        threshold=1.0,
        rule=f"a side of fewer than {SMALL_PIXELS} pixels",
        sentence=N_("Little can be seen on so small a photo."),
        advice=N_("Use larger ones where there are any."),
        needs="manifest",
        find=find_too_small,
        tell=tell_too_small,
    ),
)
"""Every check, in the order in which they are shown."""
