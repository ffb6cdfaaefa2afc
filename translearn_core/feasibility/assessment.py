"""One judgement of a data set, for every page and the command line.

Owns: what is said of a data set as a whole, in one sentence, and how good that is. Leaves to others:
what forbids training (`datasets.check_ready`), what the checks of the photos say
(`datasets.found_by_checks`), the verdict of the feasibility check (`verdict.py`).

The first row of `RULES` that holds decides, so no two pages can say different things of the same
photos: a set that cannot be trained on, or that was found to be not good enough, is never called
free of faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.tasks import table_notes
from translearn_core.errors import SourceError
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.report import Report
from translearn_core.feasibility.verdict import TITLES, Verdict
from translearn_core.i18n import N_, _, ngettext
from translearn_core.run_settings import Settings

Level = Literal["cannot", "not_yet", "few", "look", "limits", "well", "unknown"]
LEAST_TESTED = 20
"""With fewer test photos the figure of a training says little."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What is said of a data set.

    Attributes:
        level: `cannot` be trained on; the check says `not_yet` (or sees no sign), that it works with
            `limits`, or `well`; without a check of these very photos: `few` photos, something to
            `look` at, or `unknown`, which is the best that can be said.
        sentence: the judgement.
        remarks: what is known of single photos and classes, each a sentence.
    """

    level: Level
    sentence: str
    remarks: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the check of these very photos says that it works."""
        return self.level in ("limits", "well")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the judgement follows from.

    Attributes:
        asks: whether it was not clear how the photos are meant, or rows of a table were not used.
        obstacle: why it cannot be trained on; empty: it can.
        report: of the check of these very photos; None where there is none.
        remarks: see `Assessment`.
        n, n_tested: photos, and how many of them a training keeps for its test.
    """

    obstacle: str
    report: Report | None
    remarks: tuple[str, ...]
    n: int
    n_tested: int
    asks: bool

    def has_verdict(self, *verdicts: Verdict) -> bool:
        """Whether the check came to one of these."""
        return self.report is not None and self.report.verdict in verdicts


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row: the first whose condition holds gives the level, and its sentence."""

    level: Level
    holds: Callable[[Facts], bool]
    tell: Callable[[Facts], str]


def assess(dataset: Dataset, report: Report | None = None) -> Assessment:
    """Judge a data set by all that is known of it now.

    Args:
        report: of its last check, where it was read already.
    """
    return decide(_gather(dataset, report or check_report.read(dataset)))


def decide(facts: Facts) -> Assessment:
    """The judgement that follows from the facts."""
    rule = next(rule for rule in RULES if rule.holds(facts))
    few = rule.level in ("limits", "well") and facts.n_tested < LEAST_TESTED
    remarks = (*((_tell_few(facts),) if few else ()), *facts.remarks)
    return Assessment(level=rule.level, sentence=rule.tell(facts), remarks=remarks)


def _gather(dataset: Dataset, report: Report | None) -> Facts:
    try:
        datasets.check_ready(dataset)
        obstacle = ""
    except SourceError as error:
        obstacle = error.message
    photos, record = dataset.photos, dataset.record
    given = int((photos["split"] == "test").sum())
    n = len(photos)
    is_current = report is not None and report.fingerprint == dataset.fingerprint
    return Facts(
        obstacle=obstacle,
        report=report if is_current else None,
        remarks=(*record.notices, *datasets.found_by_checks(dataset)) if n else (),
        n=n,
        n_tested=given or round(Settings().test_share * n),
        asks=bool(record.questions or table_notes(dataset).rows),
    )


def _tell_verdict(facts: Facts) -> str:
    """The verdict in one sentence."""
    report = facts.report
    assert report is not None
    title = _(TITLES[report.verdict])
    if report.same_scenes:
        return _("{title}. How often it is right in other scenes is not known.").format(title=title)
    low, high = report.told.interval
    return _("{title}. Right on {low} to {high} of 100 new photos.").format(
        title=title, low=round(100 * low), high=round(100 * high)
    )


def _tell_few(facts: Facts) -> str:
    return ngettext(
        "These are few photos: a training would be tested on {n} of them, so its figure would say "
        "little.",
        "These are few photos: a training would be tested on {n} of them, so its figure would say "
        "little.",
        facts.n_tested,
    ).format(n=facts.n_tested)


_LOOK = N_("There is something to look at before you train.")
_UNKNOWN = N_(
    "Nothing wrong was found in these photos. Whether they are enough, a check can tell before you "
    "train."
)

RULES: tuple[Rule, ...] = (
    Rule(
        level="cannot", holds=lambda facts: bool(facts.obstacle), tell=lambda facts: facts.obstacle
    ),
    Rule(
        level="not_yet",
        holds=lambda facts: facts.has_verdict("not_yet", "no_sign"),
        tell=_tell_verdict,
    ),
    Rule(
        level="limits",
        holds=lambda facts: facts.has_verdict("works_with_limits"),
        tell=_tell_verdict,
    ),
    Rule(level="well", holds=lambda facts: facts.has_verdict("works_well"), tell=_tell_verdict),
    Rule(level="few", holds=lambda facts: facts.n_tested < LEAST_TESTED, tell=_tell_few),
    Rule(
        level="look",
        holds=lambda facts: bool(facts.remarks or facts.asks),
        tell=lambda _facts: _(_LOOK),
    ),
    Rule(level="unknown", holds=lambda _facts: True, tell=lambda _facts: _(_UNKNOWN)),
)
