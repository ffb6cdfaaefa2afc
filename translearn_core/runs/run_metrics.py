"""metrics.json: the metrics of a run, as one typed model.

Owns: `RunMetrics` and its parts. `training/save.py` writes it, `Run.metrics` reads it, `train --json`
prints it, and `docs/metrics.md` is generated from the descriptions here.
Leaves to others: computing the metrics. Imports nothing heavy.

Keys that a file of an earlier version lacks have their defaults; further keys of a file of a later
version are kept. Shares are in [0, 1].

Where many test photos are of scenes that were learned from (`caveats.KNOWN_SCENES`), the run has no
accuracy: nothing is known of other scenes, and a share of these photos would be taken for it.
`RunMetrics` has null there whatever the file says, so that no reader names one; the counts stay.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from translearn_core.evaluation.caveats import KNOWN_SCENES

SCHEMA = 1
Interval = tuple[float, float]


class _Figures(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="allow", populate_by_name=True, protected_namespaces=()
    )

    def as_dict(self) -> dict[str, Any]:
        """The JSON object, with just the keys that were given."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class ClassMetrics(_Figures):
    """Metrics of one class."""

    name: str = Field(default="", description="the class")
    n_train: int | None = Field(
        default=None, description="its training photos; null where that was not recorded"
    )
    n_groups: int | None = Field(
        default=None,
        description="all of its photos, copies and bursts counted once; null where that was not "
        "recorded",
    )
    n_test: int = Field(default=0, description="its test photos")
    correct: int = Field(default=0, description="of these, predicted correctly")
    answered: int = Field(default=0, description="test photos for which this class was predicted")
    precision: float | None = Field(default=None, description="null where it was never predicted")
    recall: float | None = Field(default=None, description="null without test photos")
    f1: float | None = Field(default=None, description="null without either")


class ReliabilityBin(_Figures):
    """Predictions of about the same confidence."""

    n: int = Field(default=0, description="test photos")
    confidence: float = Field(default=0.0, description="mean confidence")
    accuracy: float = Field(default=0.0, description="share of correct predictions")
    low: float = Field(default=0.0, description="lower end of the 95 % interval (Wilson)")
    high: float = Field(default=1.0, description="upper end")


class CalibrationMetrics(_Figures):
    """Calibration of the confidence."""

    temperature: float = Field(
        default=1.0, description="temperature by which the logits are divided"
    )
    fitted_on: int = Field(default=0, description="photos that it was fitted on")
    how: str = Field(
        default="", description="predictions that it was fitted on: `validation` or `out_of_fold`"
    )
    bins: int = Field(default=0, description="bins of the calibration errors")
    error: float | None = Field(
        default=None, description="expected calibration error on the test photos, after scaling"
    )
    error_before: float | None = Field(default=None, description="the same before")
    error_by_chance: float | None = Field(
        default=None, description="expected value by chance alone for perfect calibration"
    )
    reliability: list[ReliabilityBin] = Field(default=[], description="at most ten bins")


class LinearHalfMetrics(_Figures):
    """The linear half of a head, where the setting `head` is `auto`."""

    share: float = Field(
        default=0.5, description="its share in the logits; the rest is that of the hidden half"
    )
    spread_power: float = Field(
        default=0.5, description="power of the deviations by which features were divided"
    )
    penalty: float = Field(default=0.0, description="its L2 penalty, chosen on held-out photos")
    temperature: float = Field(
        default=1.0, description="temperature by which its logits are divided"
    )
    hidden_temperature: float = Field(
        default=1.0,
        description="the same for the hidden half; the head is the weighted mean of both, and "
        "`calibration.temperature` applies to that",
    )


class UnlikeMetrics(_Figures):
    """Out-of-distribution detection: photos of something else."""

    threshold: float | None = Field(
        default=None, description="distance above which a photo is out of distribution"
    )
    photos: int = Field(default=0, description="training photos that a new one is compared with")
    wanted: float | None = Field(
        default=None, description="false refusal rate that the threshold was chosen for"
    )
    refused: float | None = Field(
        default=None, description="share of the test photos that are refused"
    )
    n_test: int = Field(default=0, description="of how many")
    refused_interval: Interval | None = Field(default=None, description="95 % interval")
    accepted: float | None = Field(
        default=None, description="share of photos of left-out classes that are taken for known"
    )
    n_strange: int = Field(default=0, description="of how many")
    accepted_interval: Interval | None = Field(default=None, description="95 % interval")
    auroc: float | None = Field(
        default=None,
        description="area under the ROC curve of the distance: 0.5 is chance, 1 perfect",
    )


_SHARES = ("test_accuracy", "balanced_accuracy", "plain_test_accuracy")


def _without_shares(figures: dict[str, Any]) -> dict[str, Any]:
    """The same figures of a head, or of a run, with its shares of the test photos not known."""
    unknown: dict[str, Any] = {name: None for name in _SHARES if name in figures}
    if "test_interval" in figures:
        unknown["test_interval"] = (0.0, 1.0)
    if "slices" in figures:
        unknown["slices"] = []
    return figures | unknown


class HeadMetrics(_Figures):
    """Metrics of one head on the test set."""

    classes: list[str] = Field(
        default=[], description="class names, in the order of the model's outputs"
    )
    n_train: int = Field(default=0, description="training photos")
    n_test: int = Field(default=0, description="test photos")
    test_accuracy: float | None = Field(
        default=None,
        description="accuracy on the test photos; null without any, or where more than a fifth of "
        "them are of scenes that were learned from (`n_test_same_scene`)",
    )
    test_correct: int = Field(default=0, description="test photos predicted correctly")
    test_interval: Interval = Field(
        default=(0.0, 1.0),
        description="95 % confidence interval of the accuracy (Wilson); 0 to 1 without one",
    )
    balanced_accuracy: float | None = Field(
        default=None,
        description="mean recall of the classes with test photos; null where `test_accuracy` is",
    )
    majority_accuracy: float | None = Field(
        default=None, description="accuracy of always predicting the most frequent training class"
    )
    majority_class: str = Field(default="", description="that class")
    per_class: list[ClassMetrics] = Field(default=[], description="metrics of each class")
    confusion: list[list[int]] = Field(
        default=[], description="confusion matrix: true class (rows), predicted class (columns)"
    )
    calibration: CalibrationMetrics | None = Field(
        default=None, description="calibration of the confidence"
    )
    linear_half: LinearHalfMetrics | None = Field(
        default=None, description="the linear half of the head, where it has one"
    )

    @property
    def accuracy(self) -> float:
        """`test_accuracy`; 0 where it is not known."""
        return self.test_accuracy or 0.0

    @property
    def guessing(self) -> float:
        """`majority_accuracy`; 0 without a test."""
        return self.majority_accuracy or 0.0


class TaskMetrics(HeadMetrics):
    """Metrics of one of several tasks."""

    name: str = Field(default="", description="name of the task: its column in the table of labels")


class SliceMetrics(_Figures):
    """The test photos of which an attribute has one value."""

    attribute: str = Field(
        default="",
        description="a column of the table of labels, a further task, or what groups the photos",
    )
    value: str = Field(default="", description="its value")
    n_test: int = Field(default=0, description="test photos with this value")
    correct: int = Field(default=0, description="of these, predicted correctly")
    interval: Interval = Field(
        default=(0.0, 1.0), description="95 % interval of their share (Wilson)"
    )
    n_rest: int = Field(default=0, description="test photos with another value")
    correct_rest: int = Field(default=0, description="of these, predicted correctly")
    is_worse: bool = Field(
        default=False,
        description="whether fewer are right than of the rest by more than chance (Fisher's exact "
        "test, Holm)",
    )


class Seconds(_Figures):
    """Duration of the parts of a run, in seconds."""

    total: float = Field(default=0.0, description="the whole run, with import of the photos")
    import_: float = Field(default=0.0, alias="import", description="import of the photos")
    features: float = Field(default=0.0, description="decoding, and features of the frozen part")
    head: float = Field(default=0.0, description="training of the head")
    fine_tune: float = Field(
        default=0.0, description="fine-tuning: training of unfrozen blocks and head together"
    )


class LeftOut(_Figures):
    """A file that could not be read."""

    file: str = Field(default="", description="its name")
    reason: str = Field(default="", description="reason, as a sentence")


class AdaptationMetrics(_Figures):
    """Domain adaptation. Accuracy in the target domain is measured on labelled photos of it."""

    way: str = Field(default="", description="the method, as the setting `adaptation` names it")
    n_target: int = Field(
        default=0, description="photos of the target domain that the model was adapted to"
    )
    n_source: int = Field(default=0, description="validation photos of the source domain")
    n_target_labelled: int = Field(
        default=0,
        description="labelled photos of the target domain that measure the accuracy there",
    )
    held_back: bool = Field(
        default=False,
        description="whether these were kept out of adaptation; earlier versions adapted to them, too",
    )
    source_accuracy_before: float | None = Field(
        default=None, description="accuracy in the source domain before adaptation"
    )
    source_accuracy_after: float | None = Field(
        default=None, description="accuracy in the source domain after it"
    )
    target_accuracy_before: float | None = Field(
        default=None, description="accuracy in the target domain before adaptation"
    )
    target_accuracy_after: float | None = Field(
        default=None, description="accuracy in the target domain after it"
    )
    tested_photos_seen: int = Field(
        default=0, description="test photos among those that the model was adapted to"
    )
    tested_photos_left_out: int = Field(
        default=0,
        description="photos of the target domain that are test photos, and were not adapted to",
    )
    pseudo_labels: int | None = Field(default=None, description="pseudo-labels that were used")
    threshold: float | None = Field(default=None, description="least confidence of a pseudo-label")
    helps: bool | None = Field(
        default=None,
        description="with `auto`: whether the model was adapted; if not, it is the plain one",
    )
    left_plain: str | None = Field(
        default=None,
        description="with `auto`, where the model was not adapted: `alike` (the domains can hardly be "
        "told apart) or `few_classes` (plain answers about the target are of few classes)",
    )
    diversity: float | None = Field(
        default=None,
        description="with `auto`: how evenly plain answers about the target, spread among photos that "
        "are alike, fall into the classes (0: one class, 1: evenly); from 0.85 on it adapts",
    )
    told_apart: float | None = Field(
        default=None,
        description="with `auto`: how often a linear head tells photos of the two domains apart "
        "(0.5: by chance); from 0.9 on it adapts",
    )
    weight: float | None = Field(
        default=None,
        description="with `auto`: how much aligned and spread answers count beside plain ones; 0 where "
        "it is not adapted",
    )
    consistency_plain: float | None = Field(
        default=None,
        description="with `auto`: agreement of target photos that are alike about the label "
        "without alignment, beyond chance (1: always)",
    )
    consistency: float | None = Field(
        default=None, description="with `auto`: the same for the labels after alignment"
    )
    consistency_certainty: float | None = Field(
        default=None, description="with `auto`: the difference of the two, in standard errors"
    )
    information_certainty: float | None = Field(
        default=None,
        description="with `auto`: how much more the labels of target photos that are alike tell of "
        "each other after alignment (mutual information), in standard errors",
    )
    expected_gain: float | None = Field(
        default=None,
        description="with `auto`: mean gain in target accuracy that is expected over class shares "
        "drawn at random",
    )


class SelfTrainingMetrics(_Figures):
    """Self-training on unlabelled photos, judged by labelled photos held out in turn."""

    n_unlabelled: int = Field(default=0, description="unlabelled photos")
    pseudo_labels: int = Field(default=0, description="pseudo-labels that were used")
    helps: bool | None = Field(default=None, description="whether pseudo-labels are used")
    threshold: float | None = Field(default=None, description="least confidence of a pseudo-label")
    hidden: int | None = Field(default=None, description="labelled photos held out in turn")
    hidden_accuracy_plain: float | None = Field(
        default=None, description="accuracy on these without pseudo-labels"
    )
    hidden_accuracy: float | None = Field(default=None, description="and with them")
    certainty: float | None = Field(
        default=None, description="the gain in accuracy on these, in standard errors"
    )


class WarmStartMetrics(_Figures):
    """Warm start: what was carried over from another run."""

    run: str = Field(default="", description="its folder")
    classes_carried_over: list[str] = Field(default=[], description="classes that both runs have")
    backbone_changed: bool = Field(default=False, description="whether its backbone was fine-tuned")
    rehearsed_photos: int = Field(
        default=0, description="photos of the other run used again (rehearsal)"
    )
    helps: bool | None = Field(default=None, description="whether rehearsal is used")
    weight: float | None = Field(
        default=None, description="weight of its photos relative to new ones"
    )
    hidden: int | None = Field(default=None, description="new photos held out in turn")
    hidden_accuracy_plain: float | None = Field(
        default=None, description="accuracy on these without rehearsal"
    )
    hidden_accuracy: float | None = Field(default=None, description="and with them")
    certainty: float | None = Field(
        default=None, description="the gain in log-likelihood on these, in standard errors"
    )
    layers: list[str] = Field(
        default=[], description="layers of the head initialised with its weights"
    )


class DistillationMetrics(_Figures):
    """Knowledge distillation from a teacher."""

    teacher: str = Field(default="", description="folder of its run")
    teacher_test_accuracy: float | None = Field(
        default=None, description="its accuracy on its own test photos"
    )
    agrees_with_labels: float | None = Field(
        default=None, description="share of training labels that its predictions agree with"
    )
    helps: bool | None = Field(
        default=None, description="whether its predictions are learned; if not, the run is plain"
    )
    hidden: int | None = Field(default=None, description="labelled photos held out in turn")
    hidden_accuracy_plain: float | None = Field(
        default=None, description="accuracy on these without the teacher"
    )
    hidden_accuracy: float | None = Field(default=None, description="and with it")
    certainty: float | None = Field(
        default=None, description="the gain in accuracy on these, in standard errors"
    )


class AttackAccuracy(_Figures):
    """Accuracy on the photos of the evaluation under attack."""

    plain: float = Field(default=0.0, description="before adversarial training")
    trained: float = Field(default=0.0, description="after adversarial training")


class AdversarialExample(_Figures):
    """Classes of the photo whose pictures are in `adversarial/`."""

    truth: str = Field(default="", description="true class")
    plain: str = Field(
        default="", description="prediction under attack before adversarial training"
    )
    trained: str = Field(
        default="", description="prediction under attack after adversarial training"
    )


class AdversarialMetrics(_Figures):
    """Robustness on attacked test photos, before and after adversarial training."""

    n: int = Field(default=0, description="test photos that were attacked")
    strength: float = Field(
        default=0.0, description="largest change of a pixel (epsilon), as a share of its range"
    )
    steps: int = Field(default=0, description="steps of PGD")
    clean: AttackAccuracy = Field(
        default=AttackAccuracy(), description="accuracy on unchanged photos"
    )
    fgsm: AttackAccuracy = Field(default=AttackAccuracy(), description="accuracy under FGSM")
    pgd: AttackAccuracy = Field(default=AttackAccuracy(), description="accuracy under PGD")
    example: AdversarialExample | None = Field(
        default=None, description="a photo whose attack succeeded before; null without one"
    )


class RunMetrics(HeadMetrics):
    """Metrics of a run: the object of metrics.json."""

    schema_version: int = Field(default=SCHEMA, description="version of this format")
    run_dir: str = Field(default="", description="folder of the run")
    state: str = Field(default="", description="`finished` or `stopped`")
    dataset: str = Field(default="", description="name of the data set")
    blocks: int = Field(default=0, description="blocks of the backbone")
    frozen_blocks: int = Field(default=0, description="of these, frozen")
    n_val: int = Field(default=0, description="validation photos")
    test_given: bool = Field(default=False, description="whether the user supplied the test photos")
    n_test_same_scene: int = Field(
        default=0,
        description="test photos of classes that are one video, burst or fixed camera, so that their "
        "test photos are later ones of the scene that was learned from",
    )
    split_notes: list[str] = Field(
        default=[],
        description="what has to be known beside the accuracy: classes that are one scene, classes with too "
        "few groups, groups that the source tears apart, copies in two of its splits, classes that the size "
        "of their photos gives away",
    )
    slices: list[SliceMetrics] = Field(
        default=[],
        description="the test photos broken down by attributes, the lowest share first in each",
    )
    left_out: list[LeftOut] = Field(default=[], description="files that could not be read")
    backbone: str = Field(default="", description="name of the backbone")
    image_size: int = Field(default=0, description="input size of the model, in pixels a side")
    fit: str = Field(
        default="stretch",
        description="how photos that are not square become so: `stretch`, `crop` or `pad`",
    )
    augmentation: str = Field(default="", description="strength of augmentation that was used")
    mirrors: str = Field(
        default="",
        description="classes that mirrored photos are confused with, and whether the run mirrors "
        "its photos, as sentences; empty: none was found",
    )
    cut_layer: str | None = Field(default=None, description="name of the last frozen layer")
    frozen_layers: int = Field(default=0, description="frozen layers of the backbone")
    total_layers: int = Field(default=0, description="all of its layers")
    trainable_weights: int = Field(default=0, description="number of trainable weights")
    val_accuracy: float | None = Field(
        default=None, description="validation accuracy of the weights that were kept"
    )
    epochs_run: int = Field(default=0, description="epochs of both phases")
    fine_tuned: bool = Field(default=False, description="whether unfrozen blocks were trained")
    parity_max_diff: float | None = Field(
        default=None,
        description="largest difference of a probability between saved and measured model: as "
        "Keras answers, or its OpenVINO copy where the model was saved without Keras",
    )
    openvino_max_diff: float | None = Field(
        default=None,
        description="between the OpenVINO copy and the saved model as Keras answers, or the "
        "measured one where the model was saved without Keras; null without a copy",
    )
    model_bytes: int = Field(default=0, description="size of model.keras in bytes")
    seconds: Seconds = Field(default=Seconds(), description="duration of each part")
    photos_per_s: float | None = Field(
        default=None,
        description="photos a second in feature extraction; null when all features were cached",
    )
    device: str = Field(default="", description="device that it was trained on")
    settings: dict[str, Any] = Field(
        default={}, description="all settings, with the backbone filled in"
    )
    warnings: list[str] = Field(default=[], description="warnings of the run, as sentences")
    adaptation: AdaptationMetrics | None = Field(default=None, description="with `adapt_to`")
    selftraining: SelfTrainingMetrics | None = Field(default=None, description="with `unlabelled`")
    carryover: WarmStartMetrics | None = Field(default=None, description="with `start_from`")
    distillation: DistillationMetrics | None = Field(
        default=None, description="with `distill_from`"
    )
    adversarial: AdversarialMetrics | None = Field(default=None, description="with `adversarial`")
    plain_test_accuracy: float | None = Field(
        default=None,
        description="with `compare_plain`: test accuracy of a run without techniques; null where "
        "`test_accuracy` is",
    )
    plain_test_correct: int | None = Field(
        default=None, description="its test photos predicted correctly"
    )
    plain_val_accuracy: float | None = Field(default=None, description="its validation accuracy")
    tasks: list[TaskMetrics] = Field(
        default=[], description="with several tasks: metrics of each, the main task first"
    )
    unlike: UnlikeMetrics | None = Field(default=None, description="out-of-distribution detection")

    @model_validator(mode="before")
    @classmethod
    def _name_no_share_of_known_scenes(cls, figures: Any) -> Any:
        if not isinstance(figures, dict):
            return figures
        known, n = (figures.get(name, 0) for name in ("n_test_same_scene", "n_test"))
        if not (isinstance(known, int) and isinstance(n, int)) or known <= KNOWN_SCENES * n:
            return figures
        tasks = figures.get("tasks")
        if isinstance(tasks, list):
            heads = [_without_shares(one) if isinstance(one, dict) else one for one in tasks]
            figures = figures | {"tasks": heads}
        return _without_shares(figures)

    @property
    def tested_on_known_scenes(self) -> bool:
        """Whether many test photos are of scenes that were learned from: there is no accuracy."""
        return self.n_test_same_scene > KNOWN_SCENES * self.n_test

    @property
    def tested_elsewhere(self) -> bool:
        """Whether the run was adapted to a new domain, but its test photos are of the source domain.

        Test photos that the person named themselves count as photos of the new domain, and so do all where
        most of them are among its photos: a few may lie there by mistake.
        """
        figures = self.adaptation
        if figures is None or self.test_given:
            return False
        there = figures.tested_photos_seen + figures.tested_photos_left_out
        return there <= self.n_test / 2

    @property
    def further_tasks(self) -> list[TaskMetrics]:
        """All tasks but the main one."""
        return self.tasks[1:]
