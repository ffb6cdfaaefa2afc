"""The report of a feasibility check: its models and its files.

Owns: `Report` and its parts, reading reports.
Leaves to others: computing one (`compute.py`), the process that makes it (`job.py`).

Files, in `<dataset>/feasible/`, each written whole:
    report.json      `Report`
    photos.parquet   a row per photo, `PHOTO_COLUMNS`
    findings.json    what the checks found, a list of `Finding` as objects
Imports nothing heavy: pages read reports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from translearn_core.atomic import parse_parquet
from translearn_core.datasets import Dataset
from translearn_core.feasibility.label_errors import Strength
from translearn_core.feasibility.verdict import Verdict

SCHEMA = 1
PHOTO_COLUMNS: dict[str, str] = {
    "path": "str",
    "class_name": "str",
    "group": "int64",
    "x": "float64",
    "y": "float64",
    "pca_x": "float64",
    "pca_y": "float64",
    "answer": "str",
    "p_given": "float64",
    "correct": "bool",
    "suspect_score": "float64",
    "suggested": "str",
    "outlier_score": "float64",
}


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ForecastLine(_Line):
    """Expected accuracy with `n` photos; `past_error` is the error (predicted minus measured) of the
    same forecast made from half of the photos, None with too few."""

    n: int
    accuracy: float
    low: float
    high: float
    past_error: float | None = None


class Point(_Line):
    """A point of the learning curve: accuracy after training on `n` photos."""

    n: int
    accuracy: float


class LabelErrorLine(_Line):
    """A label that may be wrong; score in [0.5, 1], `strength` what it is worth."""

    file: str
    given: str
    suggested: str
    score: float
    path: str
    strength: Strength = "worth_a_look"


class ConfusedPair(_Line):
    """Photos of class `truth` predicted as `answer`; `share` of all photos of `truth`."""

    truth: str
    answer: str
    n: int
    share: float
    paths: list[str]


class ClassResult(_Line):
    """Number of photos and cross-validated recall of a class, with its 95 % confidence interval, and
    its given test photos (`n_test`) with the recall on them (null without any)."""

    name: str
    n: int
    recall: float
    interval: tuple[float, float]
    n_test: int = 0
    test_recall: float | None = None


class GiveawayLine(_Line):
    """What a feature of the files alone achieves.

    `accuracy` with its 95 % `interval` against `largest_class`, the share of the largest class;
    `found` whether it tells the classes apart; `sentence` says it.
    """

    feature: str
    accuracy: float
    interval: tuple[float, float]
    largest_class: float
    found: bool
    sentence: str


class GivenTest(_Line):
    """Accuracy on the test photos that the source gives."""

    n: int
    accuracy: float
    interval: tuple[float, float]


class Headline(_Line):
    """The accuracy that the verdict follows from, its interval and photos; `source` is `test` where
    test photos are given, else `cross_validation`."""

    accuracy: float
    interval: tuple[float, float]
    n: int
    source: Literal["test", "cross_validation"]


class AdviceLine(_Line):
    """See `verdict.Advice`."""

    text: str
    kind: str
    count: int
    gain: float | None = None


class Report(_Line):
    """report.json, and what `feasible --json` prints. Shares are in [0, 1].

    Files are the names that the photos came with.
    """

    schema_version: int = SCHEMA
    verdict: Verdict = Field(description="`works_well`, `works_with_limits`, `not_yet`, `no_sign`")
    sentence: str = Field(description="the verdict in words")
    explanation: str = Field(description="the same without its first words", default="")
    rule: str = Field(description="the rule that it follows from, in words")
    headline: Headline | None = Field(
        default=None,
        description="the figure that verdict and sentence follow: `accuracy`, `interval`, `n`, "
        "`source` (`test` where test photos are given, else `cross_validation`); null in reports "
        "of earlier versions",
    )
    test_gap: str = Field(
        default="",
        description="how the given test differs from cross-validation, where that is beyond both "
        "intervals; begins `sentence`; else empty",
    )
    remarks: list[str] = Field(
        default=[],
        description="what must be said beside the accuracy: classes never found or hardly tested, "
        "unequal classes with the balanced accuracy, copies only, one scene only, too few groups, "
        "a shape that gives classes away",
    )
    same_scenes: bool = Field(
        default=False,
        description="whether more than a fifth of the photos are of classes that are one video, burst "
        "or fixed camera: the accuracies are then those in the same scenes, and of others nothing is known",
    )
    fit: str = Field(
        default="stretch",
        description="how photos that are not square become so, as in training: `stretch`, `crop` or "
        "`pad`",
    )
    mirrors: str = Field(
        default="",
        description="two classes that mirroring exchanges, so that training does not mirror photos "
        "by itself, as sentences; empty: none; one of `remarks`",
    )
    accuracy: float = Field(description="cross-validated accuracy with a group-aware split")
    interval: tuple[float, float] = Field(
        description="95 % confidence interval of the accuracy on new photos"
    )
    mean_recall: float = Field(description="mean recall over classes")
    majority_accuracy: float = Field(description="majority baseline: always the largest class")
    trivial_accuracy: float = Field(description="of a head on colour and size alone")
    trivial: dict[str, float] = Field(description="of a head on each trivial property alone")
    shuffled_accuracy: float = Field(description="mean accuracy on shuffled labels")
    random_split_accuracy: float = Field(
        description="naive random split (near-duplicates on both sides): too optimistic"
    )
    random_split_flatters: bool = Field(
        default=True,
        description="whether that is more than `accuracy` by 2 % and two standard errors of the "
        "difference",
    )
    random_split_note: str = Field(
        default="",
        description="both in a sentence; empty where nothing is grouped and they do not differ",
    )
    grouped_by: str = Field(
        default="",
        description="what named groups of photos are, which no split tears apart (`--group-by`); "
        "empty: none. `accuracy` is then that on photos of new groups",
    )
    forecast: ForecastLine | None = Field(
        description="`n`, `accuracy`, `low`, `high`, and `past_error`: error of the same forecast "
        "made from half of the photos; null with too few"
    )
    learning_curve: list[Point] = Field(
        description="`n` training photos, `accuracy` on held-out ones"
    )
    suspects: list[LabelErrorLine] = Field(
        description="labels that may be wrong: `file`, `given`, `suggested`, `score` in [0.5, 1], "
        "`strength`: `almost_certain` (score 0.9 and more) or `worth_a_look`: on sound sets nearly all "
        "of these are right"
    )
    near_duplicate_groups: list[list[str]] = Field(
        description="files that are near-duplicates: copies of each other or frames of one burst"
    )
    cross_class_duplicates: list[list[str]] = Field(
        description="files of one photo that lies under more than one class"
    )
    leaks: list[dict[str, str]] = Field(
        description="leakage: given test or validation photos with a copy in the given training "
        "set: `file`, `split`, `copy_of`, `kind`"
    )
    shortcuts: list[str] = Field(description="sentences about shortcuts: what gives a class away")
    giveaways: list[GiveawayLine] = Field(
        default=[],
        description="what each feature of the files alone achieves ([give-aways]"
        "(checks.md#what-the-files-give-away)): `feature`, `accuracy`, `interval`, `largest_class` "
        "(the share of the largest class), `found` (it tells the classes apart), `sentence`",
    )
    findings_counts: dict[str, int] = Field(description="findings of each [check](checks.md)")
    seconds: float = Field(description="duration of the check, reading the photos included")
    classes: list[str] = Field(description="class names, sorted: the order of `confusion`")
    counts: dict[str, int] = Field(description="photos of each class")
    n_photos: int = Field(description="photos that can be read")
    n_judged: int = Field(
        description="photos in the cross-validation: no given test photos, and above 4,000 a sample"
    )
    n_groups: int = Field(
        description="what was never torn apart: groups of copies, bursts and named groups, single "
        "photos included"
    )
    folds: int = Field(description="number of folds, at most ten")
    repeats: int = Field(description="repeats of the cross-validation")
    given_test: GivenTest | None = Field(
        description="`n`, `accuracy`, `interval` on test photos that the source gives; else null"
    )
    confusion: list[list[int]] = Field(
        description="confusion matrix: photos by true class (rows) and predicted class (columns)"
    )
    mixups: list[ConfusedPair] = Field(
        description="pairs of classes that are confused, with the photos"
    )
    per_class: list[ClassResult] = Field(
        description="`name`, `n`, `recall`, `interval`; `n_test`, `test_recall` of given test photos"
    )
    advice: list[AdviceLine] = Field(
        description="what would help, in order: `text`, `kind`, `count`, `gain`"
    )
    fingerprint: str = Field(
        description="hash of the photos and their classes at the time of the check"
    )
    backbone: str = Field(description="the frozen backbone")
    seed: int = Field(description="random seed of folds, subsets and shuffles")
    created: float = Field(description="seconds since 1970")

    @property
    def told(self) -> Headline:
        """The headline; that of a report of an earlier version is cross-validated."""
        return self.headline or Headline(
            accuracy=self.accuracy,
            interval=self.interval,
            n=self.n_judged,
            source="cross_validation",
        )


def folder_of(dataset: Dataset) -> Path:
    """The folder of a data set's reports."""
    return dataset.folder / "feasible"


def read(dataset: Dataset) -> Report | None:
    """The last report; None where there is none, or one that cannot be read.

    It is outdated when its `fingerprint` is not the data set's.
    """
    return dataset.known("report", lambda: _read(dataset))


def _read(dataset: Dataset) -> Report | None:
    try:
        data = (folder_of(dataset) / "report.json").read_bytes()
        return Report.model_validate_json(data)
    except (OSError, ValidationError):
        return None


def read_photos(dataset: Dataset) -> pd.DataFrame:
    """photos.parquet of the last report; empty where there is none."""
    try:
        return parse_parquet((folder_of(dataset) / "photos.parquet").read_bytes())
    except (OSError, ValueError):
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in PHOTO_COLUMNS.items()})
