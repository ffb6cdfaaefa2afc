"""The verdict of a feasibility check: rules, sentence, and advice.

Owns: `RULES`, the table that the verdict follows from, its sentence, and the advice.
Leaves to others: the figures (`evaluation/cross_validation.py`, `evaluation/learning_curve.py`,
`trivial_baseline.py`) and their files (`report.py`). docs/feasible.md holds the same table.

Shares are in [0, 1]; gains are shares of all new photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from translearn_core.evaluation.caveats import list_names
from translearn_core.feasibility.label_errors import worth_showing
from translearn_core.i18n import N_, _, ngettext

Verdict = Literal["works_well", "works_with_limits", "not_yet", "no_sign"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

TITLES: dict[Verdict, str] = {
    "works_well": N_("It works well"),
    "works_with_limits": N_("It works, with limits"),
    "not_yet": N_("Not yet: more or better photos"),
    "no_sign": N_("No sign that it can"),
}

LEAST_DEVIATIONS = 3.0
"""Least distance from the mean recall on shuffled labels, in their standard deviations."""
USEFUL_REDUCTION, GOOD_REDUCTION = 0.4, 0.8
"""Least error reduction against the baseline, for `works_with_limits` and `works_well`."""
LEAST_RECALL = 0.6
"""Least recall of every class for `works_well`."""
LEAST_GAIN = 0.003
"""Advice with a smaller expected gain in accuracy is left out."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures that the verdict follows from.

    Args:
        accuracy, interval: on the given test photos, else cross-validated, with its 95 %
            confidence interval.
        mean_recall: cross-validated mean recall over classes.
        majority: accuracy of always predicting the largest class.
        shuffled: mean accuracy on shuffled labels.
        shuffled_recall, shuffled_recall_std, shuffled_recall_max: `mean_recall` on shuffled labels:
            mean, standard deviation, maximum.
        trivial: accuracy on colour and size alone.
        lowest_recall: recall of the class with the lowest one.
        shortcuts: sentences about properties that predict classes.
        tested: given test photos that `accuracy` and `lowest_recall` are about; 0: cross-validated.
        gap: how the given test differs from cross-validation, as a sentence, see
            `caveats.tell_gap`.
        one_scene: classes of which most photos are frames of one scene.
        same_scenes: whether more than `caveats.KNOWN_SCENES` of the photos are of such classes.
        augmented: whether the set was augmented before, so that some copies may not be known.
    """

    accuracy: float
    interval: tuple[float, float]
    mean_recall: float
    majority: float
    shuffled: float
    shuffled_recall: float
    shuffled_recall_std: float
    shuffled_recall_max: float
    trivial: float
    lowest_recall: float
    shortcuts: Sequence[str] = ()
    tested: int = 0
    gap: str = ""
    one_scene: Sequence[str] = ()
    same_scenes: bool = False
    augmented: bool = False

    @property
    def baseline(self) -> float:
        """The better of the majority baseline and the accuracy on shuffled labels."""
        return max(self.majority, self.shuffled)

    @property
    def error_reduction(self) -> float:
        """Share of the baseline's errors that are avoided, at the low end of the interval."""
        return (self.interval[0] - self.baseline) / max(1.0 - self.baseline, 1e-9)

    @property
    def chance_bound(self) -> float:
        """The mean recall that is above chance when it is exceeded, as measured on shuffled labels."""
        bound = self.shuffled_recall + LEAST_DEVIATIONS * max(self.shuffled_recall_std, 1e-3)
        return max(bound, self.shuffled_recall_max)

    @property
    def beats_shuffled(self) -> bool:
        """Whether the mean recall is above chance."""
        return self.mean_recall > self.chance_bound

    @property
    def cannot_tell(self) -> bool:
        """Whether not even answers that are all right would be above chance: there are too few photos."""
        return self.chance_bound >= 1.0

    @property
    def beats_trivial(self) -> bool:
        """Whether the low end of the interval is above the accuracy on colour and size alone."""
        return self.interval[0] > self.trivial


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row: the first whose condition holds gives the verdict. `when` says it in words."""

    verdict: Verdict
    when: str
    holds: Callable[[Figures], bool]


RULES: tuple[Rule, ...] = (
    Rule(
        verdict="not_yet",
        when=N_(
            "More than a fifth of the photos are of classes that are frames of one scene, so nothing is "
            "known of other scenes."
        ),
        holds=lambda figures: figures.same_scenes,
    ),
    Rule(
        verdict="not_yet",
        when=N_(
            "Most photos of a class are frames of one scene, and so little differs that shuffled "
            "labels do as well."
        ),
        holds=lambda figures: bool(figures.one_scene) and not figures.beats_shuffled,
    ),
    Rule(
        verdict="not_yet",
        when=N_(
            "There are so few photos that not even a mean recall of 1 would be above what shuffled labels give."
        ),
        holds=lambda figures: figures.cannot_tell,
    ),
    Rule(
        verdict="no_sign",
        when=N_(
            "The mean recall over classes is not above every result on shuffled labels, or not "
            "three of their standard deviations above their mean."
        ),
        holds=lambda figures: not figures.beats_shuffled,
    ),
    Rule(
        verdict="not_yet",
        when=N_(
            "The low end of the confidence interval avoids less than 40 % of the mistakes of "
            "guessing."
        ),
        holds=lambda figures: figures.error_reduction < USEFUL_REDUCTION,
    ),
    Rule(
        verdict="not_yet",
        when=N_(
            "A shortcut gives classes away, and the low end of the confidence interval is not "
            "above the accuracy from colour and size alone."
        ),
        holds=lambda figures: bool(figures.shortcuts) and not figures.beats_trivial,
    ),
    Rule(
        verdict="works_with_limits",
        when=N_("A shortcut gives classes away."),
        holds=lambda figures: bool(figures.shortcuts),
    ),
    Rule(
        verdict="works_with_limits",
        when=N_(
            "The low end of the confidence interval is not above the accuracy from colour and "
            "size alone."
        ),
        holds=lambda figures: not figures.beats_trivial,
    ),
    Rule(
        verdict="works_with_limits",
        when=N_(
            "The low end of the confidence interval avoids less than 80 % of the mistakes of "
            "guessing."
        ),
        holds=lambda figures: figures.error_reduction < GOOD_REDUCTION,
    ),
    Rule(
        verdict="works_with_limits",
        when=N_("A class has a recall below 60 %."),
        holds=lambda figures: figures.lowest_recall < LEAST_RECALL,
    ),
    Rule(
        verdict="works_with_limits",
        when=N_("Most photos of a class are frames of one scene."),
        holds=lambda figures: bool(figures.one_scene),
    ),
    Rule(
        verdict="works_with_limits",
        when=N_("The set was augmented before, so that some copies may not be recognised."),
        holds=lambda figures: figures.augmented,
    ),
    Rule(verdict="works_well", when=N_("None of these."), holds=lambda figures: True),
)


def decide(figures: Figures) -> tuple[Verdict, str]:
    """The verdict, and the sentence of the rule that it follows from."""
    rule = next(rule for rule in RULES if rule.holds(figures))
    return rule.verdict, _(rule.when)


LEADS: dict[Verdict, str] = {
    "works_well": N_("Yes, this works well."),
    "works_with_limits": N_("This works, with limits."),
    "not_yet": N_("Not yet."),
    "no_sign": N_("No sign that it can."),
}


def summarize(
    verdict: Verdict, figures: Figures, *, mixed_up: tuple[str, str] | None = None
) -> str:
    """The verdict in a few sentences for a person; first how a given test differs from the rest.

    Args:
        mixed_up: true and predicted class of the most frequent confusion.
    """
    reasons = _explain_figures(verdict, figures, mixed_up)
    return " ".join(filter(None, (figures.gap, _(LEADS[verdict]), reasons)))


def explain(verdict: Verdict, figures: Figures, *, mixed_up: tuple[str, str] | None = None) -> str:
    """The sentences of `summarize` without the lead."""
    reasons = _explain_figures(verdict, figures, mixed_up)
    return f"{figures.gap} {reasons}" if figures.gap else reasons


def _explain_figures(verdict: Verdict, figures: Figures, mixed_up: tuple[str, str] | None) -> str:
    if figures.same_scenes:
        known = _(
            "Most photos of {names} are frames of one video, burst or fixed camera, which can only be "
            "judged by others of the same scene: how often it is right in other scenes is not known. "
            "Add photos of other things, places and light."
        ).format(names=list_names(figures.one_scene))
        return " ".join([known, *_remarks(figures, mixed_up)])
    words = (
        _(
            "Right on about {right} of 100 photos like the {n:,} given test photos (95 % confidence "
            "interval: {low} – {high} %)."
        )
        if figures.tested
        else _(
            "Right on about {right} of 100 new photos (95 % confidence interval: {low} – {high} %)."
        )
    )
    parts = [
        words.format(
            n=figures.tested,
            right=_of_100(figures.accuracy),
            low=_of_100(figures.interval[0]),
            high=_of_100(figures.interval[1]),
        )
    ]
    if figures.cannot_tell and not figures.one_scene:
        few = _(
            "There are so few photos that this says nothing: shuffled labels could do as well. Add photos "
            "of each class."
        )
        return f"{parts[0]} {few}"
    if verdict == "no_sign":
        text = _(
            "With shuffled labels it is {shuffled}. What the photos show does not seem to go with "
            "their labels. Check that the photos are in the right classes, and that a person could "
            "tell them apart."
        )
        return f"{parts[0]} {text.format(shuffled=_of_100(figures.shuffled))}"
    parts.append(_("Guessing would get {guess}.").format(guess=_of_100(figures.majority)))
    if verdict == "not_yet":
        parts.append(_("You need more photos, or photos that show the difference better."))
    return " ".join([*parts, *_remarks(figures, mixed_up)])


def _remarks(figures: Figures, mixed_up: tuple[str, str] | None) -> list[str]:
    """Shortcuts, the trivial baseline, and the most frequent confusion."""
    remarks = []
    if figures.one_scene and not figures.same_scenes:
        remarks.append(
            _(
                "But this says little about other photos: most of {names} are frames of one video, "
                "burst or fixed camera."
            ).format(names=list_names(figures.one_scene))
        )
    if figures.augmented:
        remarks.append(
            _(
                "But it may be less on new photos: this set was augmented, and copies of one photo may "
                "not have been recognised."
            )
        )
    if figures.shortcuts:
        remarks.append(
            _("But it may use a shortcut: {what}").format(what=" ".join(figures.shortcuts))
        )
    elif not figures.beats_trivial:
        remarks.append(
            _(
                "But colour and size alone get {trivial}: make sure that they are what tells the "
                "classes apart."
            ).format(trivial=_of_100(figures.trivial))
        )
    if mixed_up is not None:
        remarks.append(
            _("It most often confuses {truth} with {answer}.").format(
                truth=mixed_up[0], answer=mixed_up[1]
            )
        )
    return remarks


def _of_100(share: float) -> int:
    """`share` in percent; at most 99 where there was an error."""
    return 99 if 0.99 <= share < 1.0 else round(100 * share)


# ------------------------------------------------------------------------------- advice


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One piece of advice: its text and kind, the number of photos or classes it concerns, and the
    expected gain in accuracy (None where it is unknown)."""

    text: str
    kind: str
    count: int
    gain: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExpectedGains:
    """The expected gain in accuracy of each kind of advice.

    Args:
        label_errors, sure_label_errors: labels that may be wrong; of these, almost certainly wrong.
        label_errors_gain: gain of correcting the almost certain ones.
        cross_class: photos that are in more than one class.
        weak, weak_photos, weak_gain: the classes that gain most from more photos, their number of
            photos, and the gain of doubling it.
        doubled, doubled_gain: number of photos when all are doubled; the gain.
        backbone, backbone_gain: a sentence about a stronger backbone, or empty; the gain.
    """

    label_errors: int = 0
    sure_label_errors: int = 0
    label_errors_gain: float = 0.0
    cross_class: int = 0
    weak: Sequence[str] = ()
    weak_photos: int = 0
    weak_gain: float = 0.0
    doubled: int = 0
    doubled_gain: float = 0.0
    backbone: str = ""
    backbone_gain: float = 0.0


def advise(verdict: Verdict, figures: Figures, gains: ExpectedGains) -> list[Advice]:
    """Advice in order: first what makes the figures unreliable, then by expected gain."""
    first = _advise_first(verdict, figures, gains)
    if verdict == "no_sign":
        return first
    options = [
        option
        for option in (
            _advise_labels(gains),
            _advise_weak_classes(gains),
            _advise_more_photos(gains),
            _advise_backbone(gains),
        )
        if option is not None and (option.gain or 0.0) >= LEAST_GAIN
    ]
    options.sort(key=lambda option: -(option.gain or 0.0))
    if not gains.sure_label_errors and gains.label_errors:
        shown = worth_showing(gains.label_errors, 0, figures.accuracy)
        options.append(_advise_looking(shown))
    if verdict != "works_well":
        options.append(
            Advice(
                kind="unfreeze",
                count=0,
                text=_(
                    "Unfreeze the last blocks when you train. It takes longer; on photos unlike "
                    "everyday ones it often helps. How much cannot be told beforehand."
                ),
            )
        )
    return first + options


def _advise_first(verdict: Verdict, figures: Figures, gains: ExpectedGains) -> list[Advice]:
    """Advice on what makes the figures unreliable."""
    lines = []
    if verdict == "no_sign":
        lines.append(
            Advice(
                kind="check_labels",
                count=0,
                text=_(
                    "Look through the photos of each class: are they in the right class, and "
                    "could you tell them apart yourself?"
                ),
            )
        )
    if figures.shortcuts:
        lines.append(
            Advice(
                kind="shortcut",
                count=len(figures.shortcuts),
                text=_(
                    "Take photos in which the classes differ only in what you care about, or cut "
                    "off what gives them away."
                ),
            )
        )
    if gains.cross_class:
        lines.append(
            Advice(
                kind="cross_class",
                count=gains.cross_class,
                text=ngettext(
                    "Decide on {n} photo that is in more than one class.",
                    "Decide on {n} photos that are in more than one class.",
                    gains.cross_class,
                ).format(n=gains.cross_class),
            )
        )
    return lines


def _advise_labels(gains: ExpectedGains) -> Advice | None:
    """Advice where labels are almost certainly wrong."""
    n, others = gains.sure_label_errors, gains.label_errors - gains.sure_label_errors
    if not n:
        return None
    text = ngettext(
        "Correct {n} label that is almost certainly wrong: about {gain} more right.",
        "Correct {n} labels that are almost certainly wrong: about {gain} more right.",
        n,
    ).format(n=n, gain=_gain(gains.label_errors_gain))
    if others:
        text += " " + ngettext(
            "{n} more is worth a look.", "{n} more are worth a look.", others
        ).format(n=others)
    return Advice(
        kind="fix_labels", count=gains.label_errors, gain=gains.label_errors_gain, text=text
    )


def _advise_looking(n: int) -> Advice:
    """Advice where labels are only worth a look: no gain is known of it."""
    return Advice(
        kind="fix_labels",
        count=n,
        text=ngettext(
            "Look at {n} photo that models took for another class. A hard photo looks the same as "
            "a wrong label: most are right as they are.",
            "Look at {n} photos that models took for another class. Hard photos look the same as "
            "wrong labels: most are right as they are.",
            n,
        ).format(n=n),
    )


def _advise_weak_classes(gains: ExpectedGains) -> Advice | None:
    if not gains.weak:
        return None
    return Advice(
        kind="more_photos_of",
        count=gains.weak_photos,
        gain=gains.weak_gain,
        text=_("Double the photos of {names} ({n:,} more): about {gain} more right.").format(
            names=_(" and ").join(gains.weak), n=gains.weak_photos, gain=_gain(gains.weak_gain)
        ),
    )


def _advise_more_photos(gains: ExpectedGains) -> Advice | None:
    if not gains.doubled:
        return None
    return Advice(
        kind="more_photos",
        count=gains.doubled,
        gain=gains.doubled_gain,
        text=_("Double the photos of all classes (to {n:,}): about {gain} more right.").format(
            n=gains.doubled, gain=_gain(gains.doubled_gain)
        ),
    )


def _advise_backbone(gains: ExpectedGains) -> Advice | None:
    if not gains.backbone:
        return None
    return Advice(kind="stronger_backbone", count=1, gain=gains.backbone_gain, text=gains.backbone)


def _gain(share: float) -> str:
    """A gain in photos out of 100, or out of 1,000 where it is small."""
    if share >= 0.0095:
        return _("{n} of 100").format(n=round(100 * share))
    return _("{n} of 1,000").format(n=max(1, round(1000 * share)))
