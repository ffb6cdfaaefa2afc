"""The verdict of a feasibility check: rules, sentence, and what would help most.

Owns: `RULES`, the table that the verdict follows from, its sentence, and what would help most.
Leaves to others: the figures (`evaluation/cross_validation.py`, `evaluation/learning_curve.py`, `trivial_baseline.py`) and their files
(`report.py`). docs/feasible.md holds the same table.

Shares are in [0, 1]; gains are shares of all new photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from translearn_core.i18n import N_, _, ngettext

Verdict = Literal["works_well", "works_with_limits", "not_yet", "no_sign"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

TITLES: dict[Verdict, str] = {
    "works_well": N_("It works well"),
    "works_with_limits": N_("It works, with limits"),
    "not_yet": N_("Not yet: more or better photos"),
    "no_sign": N_("No sign that it can"),
}

SURE = 3.0
"""Standard deviations of shuffled results that a real one must lie above them."""
USEFUL, GOOD = 0.4, 0.8
"""Share of the mistakes of mere guessing that must be avoided."""
WEAKEST = 0.6
"""Share of its photos that must be found of every class for "works well"."""
LEAST_GAIN = 0.003


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the verdict follows from.

    Args:
        accuracy, interval: cross-validated, with its 95 % interval.
        found: mean share of photos found, each class counted alike.
        guessing: accuracy of always answering the largest class.
        shuffled: accuracy on shuffled labels, mean.
        shuffled_found, shuffled_spread, shuffled_best: `found` on shuffled labels: mean, standard
            deviation, largest.
        trivial: accuracy of colour and size alone.
        weakest: share found of the class of which least was found.
        shortcuts: sentences about properties that give classes away.
    """

    accuracy: float
    interval: tuple[float, float]
    found: float
    guessing: float
    shuffled: float
    shuffled_found: float
    shuffled_spread: float
    shuffled_best: float
    trivial: float
    weakest: float
    shortcuts: Sequence[str] = ()

    @property
    def base(self) -> float:
        """What can be had without looking: the better of guessing and shuffled labels."""
        return max(self.guessing, self.shuffled)

    @property
    def avoided(self) -> float:
        """Share of the mistakes of guessing that are avoided, at the low end of the interval."""
        return (self.interval[0] - self.base) / max(1.0 - self.base, 1e-9)

    @property
    def is_a_sign(self) -> bool:
        """Whether the photos say more about their labels than shuffled labels do."""
        sure = self.shuffled_found + SURE * max(self.shuffled_spread, 1e-3)
        return self.found > max(sure, self.shuffled_best)

    @property
    def beats_trivial(self) -> bool:
        """Whether even the low end of the interval lies above colour and size alone."""
        return self.interval[0] > self.trivial


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row: the first whose condition holds gives the verdict. `when` says it in words."""

    verdict: Verdict
    when: str
    holds: Callable[[Figures], bool]


RULES: tuple[Rule, ...] = (
    Rule(
        verdict="no_sign",
        when=N_(
            "The mean recall over classes is not above every result on shuffled labels, or not "
            "three of their standard deviations above their mean."
        ),
        holds=lambda figures: not figures.is_a_sign,
    ),
    Rule(
        verdict="not_yet",
        when=N_(
            "The low end of the confidence interval avoids less than 40 % of the mistakes of "
            "guessing."
        ),
        holds=lambda figures: figures.avoided < USEFUL,
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
        holds=lambda figures: figures.avoided < GOOD,
    ),
    Rule(
        verdict="works_with_limits",
        when=N_("A class has a recall below 60 %."),
        holds=lambda figures: figures.weakest < WEAKEST,
    ),
    Rule(verdict="works_well", when=N_("None of these."), holds=lambda figures: True),
)


def decide(figures: Figures) -> tuple[Verdict, str]:
    """The verdict, and the words of the rule that it follows from."""
    rule = next(rule for rule in RULES if rule.holds(figures))
    return rule.verdict, _(rule.when)


LEADS: dict[Verdict, str] = {
    "works_well": N_("Yes, this works well."),
    "works_with_limits": N_("This works, with limits."),
    "not_yet": N_("Not yet."),
    "no_sign": N_("No sign that it can."),
}


def say(verdict: Verdict, figures: Figures, *, mixed_up: tuple[str, str] | None = None) -> str:
    """The verdict in a few sentences for a person.

    Args:
        mixed_up: the two classes that are mixed up most.
    """
    return f"{_(LEADS[verdict])} {explain(verdict, figures, mixed_up=mixed_up)}"


def explain(verdict: Verdict, figures: Figures, *, mixed_up: tuple[str, str] | None = None) -> str:
    """What `say` says, after its first words."""
    parts = [
        _(
            "Right on about {right} of 100 new photos (95 % confidence interval: {low} – {high} %)."
        ).format(
            right=_of_100(figures.accuracy),
            low=_of_100(figures.interval[0]),
            high=_of_100(figures.interval[1]),
        )
    ]
    if verdict == "no_sign":
        text = _(
            "With shuffled labels it is {shuffled}. What the photos show does not seem to go with "
            "their labels. Check that the photos lie in the right folders, and that a person could "
            "tell them apart."
        )
        return f"{parts[0]} {text.format(shuffled=_of_100(figures.shuffled))}"
    parts.append(_("Guessing would get {guess}.").format(guess=_of_100(figures.guessing)))
    if verdict == "not_yet":
        parts.append(_("It takes more photos, or photos that show the difference better."))
    return " ".join([*parts, *_remarks(figures, mixed_up)])


def _remarks(figures: Figures, mixed_up: tuple[str, str] | None) -> list[str]:
    """What else belongs to the verdict: shortcuts first."""
    remarks = []
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
            _("It takes {truth} for {answer} most often.").format(
                truth=mixed_up[0], answer=mixed_up[1]
            )
        )
    return remarks


def _of_100(share: float) -> int:
    """`share` as a number out of 100; never 100 where something was wrong."""
    return 99 if 0.99 <= share < 1.0 else round(100 * share)


# ------------------------------------------------------------------------------- advice


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One thing that would help: in words, of which kind, how many photos or classes it is about,
    and by how much the accuracy is expected to grow (None: it cannot be told)."""

    text: str
    kind: str
    count: int
    gain: float | None = None


@dataclass(frozen=True, kw_only=True)
class Hopes:
    """What advice follows from.

    Args:
        suspects: likely wrong labels.
        suspects_gain: accuracy that correcting all of them adds.
        across: photos that lie under more than one class.
        weak: classes that more photos help most, with what doubling them adds.
        weak_photos: photos in these classes.
        twice: photos when there are twice as many; what they add.
        backbone: a sentence about a stronger backbone, or empty; what it adds.
    """

    suspects: int = 0
    suspects_gain: float = 0.0
    across: int = 0
    weak: Sequence[str] = ()
    weak_photos: int = 0
    weak_gain: float = 0.0
    twice: int = 0
    twice_gain: float = 0.0
    backbone: str = ""
    backbone_gain: float = 0.0


def advise(verdict: Verdict, figures: Figures, hopes: Hopes) -> list[Advice]:
    """What would help most, in order: what spoils every figure, then by expected gain."""
    first = _first_things(verdict, figures, hopes)
    if verdict == "no_sign":
        return first
    options = [
        option
        for option in (
            _mend_labels(hopes),
            _photograph_weak(hopes),
            _photograph_all(hopes),
            _change_backbone(hopes),
        )
        if option is not None and (option.gain or 0.0) >= LEAST_GAIN
    ]
    options.sort(key=lambda option: -(option.gain or 0.0))
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


def _first_things(verdict: Verdict, figures: Figures, hopes: Hopes) -> list[Advice]:
    """What makes the figures themselves doubtful."""
    found = []
    if verdict == "no_sign":
        found.append(
            Advice(
                kind="check_labels",
                count=0,
                text=_(
                    "Look through the photos of each class: do they lie in the right folders, and "
                    "could you tell them apart yourself?"
                ),
            )
        )
    if figures.shortcuts:
        found.append(
            Advice(
                kind="shortcut",
                count=len(figures.shortcuts),
                text=_(
                    "Take photos in which the classes differ only in what you care about, or cut "
                    "off what gives them away."
                ),
            )
        )
    if hopes.across:
        found.append(
            Advice(
                kind="cross_class",
                count=hopes.across,
                text=ngettext(
                    "Decide on {n} photo that lies under more than one class.",
                    "Decide on {n} photos that lie under more than one class.",
                    hopes.across,
                ).format(n=hopes.across),
            )
        )
    return found


def _mend_labels(hopes: Hopes) -> Advice | None:
    if not hopes.suspects:
        return None
    return Advice(
        kind="fix_labels",
        count=hopes.suspects,
        gain=hopes.suspects_gain,
        text=ngettext(
            "Look at {n} label that is likely wrong, and correct it if it is: up to {gain} more "
            "right.",
            "Look at {n} labels that are likely wrong, and correct those that are: up to {gain} "
            "more right.",
            hopes.suspects,
        ).format(n=hopes.suspects, gain=_gain(hopes.suspects_gain)),
    )


def _photograph_weak(hopes: Hopes) -> Advice | None:
    if not hopes.weak:
        return None
    return Advice(
        kind="more_photos_of",
        count=hopes.weak_photos,
        gain=hopes.weak_gain,
        text=_("Take as many photos again of {names} ({n:,}): about {gain} more right.").format(
            names=_(" and ").join(hopes.weak), n=hopes.weak_photos, gain=_gain(hopes.weak_gain)
        ),
    )


def _photograph_all(hopes: Hopes) -> Advice | None:
    if not hopes.twice:
        return None
    return Advice(
        kind="more_photos",
        count=hopes.twice,
        gain=hopes.twice_gain,
        text=_("Take twice as many photos of everything ({n:,}): about {gain} more right.").format(
            n=hopes.twice, gain=_gain(hopes.twice_gain)
        ),
    )


def _change_backbone(hopes: Hopes) -> Advice | None:
    if not hopes.backbone:
        return None
    return Advice(kind="stronger_backbone", count=1, gain=hopes.backbone_gain, text=hopes.backbone)


def _gain(share: float) -> str:
    """A gain as photos out of 100, or of 1,000 where it is small."""
    if share >= 0.0095:
        return _("{n} of 100").format(n=round(100 * share))
    return _("{n} of 1,000").format(n=max(1, round(1000 * share)))
