"""What metrics.json says: the figures of a run, as one typed model.

Owns: `RunMetrics` and what stands in it. It is written by `training/save.py`, read by `Run.metrics`,
printed by `train --json`, and its documentation is made from the descriptions here.
Leaves to others: computing the figures. Imports nothing heavy.

A file of an earlier version lacks keys, which then have their defaults; one of a later version has
more, which are kept. Shares are in [0, 1].
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1
Interval = tuple[float, float]


class _Figures(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="allow", populate_by_name=True, protected_namespaces=()
    )

    def as_dict(self) -> dict[str, Any]:
        """The object of the file, with just the keys that it has."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class ClassMetrics(_Figures):
    """How well one class is recognised."""

    name: str = Field(default="", description="the class")
    n_test: int = Field(default=0, description="its test photos")
    correct: int = Field(default=0, description="of these, named right")
    answered: int = Field(default=0, description="test photos that were given this class")
    precision: float | None = Field(default=None, description="null where it was never answered")
    recall: float | None = Field(default=None, description="null without test photos")
    f1: float | None = Field(default=None, description="null without either")


class ReliabilityBin(_Figures):
    """Answers of about the same confidence."""

    n: int = Field(default=0, description="test photos")
    confidence: float = Field(default=0.0, description="mean confidence")
    accuracy: float = Field(default=0.0, description="share named right")
    low: float = Field(default=0.0, description="95 % interval of the share (Wilson)")
    high: float = Field(default=1.0, description="its upper end")


class CalibrationMetrics(_Figures):
    """How true the confidence is."""

    temperature: float = Field(default=1.0, description="by which the head was scaled")
    fitted_on: int = Field(default=0, description="photos that it was fitted on")
    how: str = Field(
        default="", description="whose answers those were: `validation` or `out_of_fold`"
    )
    bins: int = Field(default=0, description="bins of the calibration errors")
    error: float | None = Field(
        default=None, description="expected calibration error on the test photos, after scaling"
    )
    error_before: float | None = Field(default=None, description="the same before")
    error_by_chance: float | None = Field(
        default=None, description="what it would be by chance alone, were the confidence true"
    )
    reliability: list[ReliabilityBin] = Field(default=[], description="at most ten bins")


class UnlikeMetrics(_Figures):
    """How well photos of something else are told (out-of-distribution detection)."""

    threshold: float | None = Field(
        default=None, description="distance above which a photo is unlike"
    )
    photos: int = Field(default=0, description="training photos that a new one is held against")
    wanted: float | None = Field(
        default=None, description="share of known photos that the threshold was set to refuse"
    )
    refused: float | None = Field(
        default=None, description="share of the test photos that it refuses"
    )
    n_test: int = Field(default=0, description="of how many")
    refused_interval: Interval | None = Field(default=None, description="95 % interval")
    accepted: float | None = Field(
        default=None, description="share of photos of an unknown kind that it takes for known"
    )
    n_strange: int = Field(default=0, description="of how many")
    accepted_interval: Interval | None = Field(default=None, description="95 % interval")
    auroc: float | None = Field(
        default=None, description="how well the distance tells both apart: 0.5 is chance, 1 perfect"
    )


class HeadMetrics(_Figures):
    """How well one head does on the test photos."""

    classes: list[str] = Field(default=[], description="in the order of the model's outputs")
    n_train: int = Field(default=0, description="photos that were learned from")
    n_test: int = Field(default=0, description="photos of the test")
    test_accuracy: float | None = Field(
        default=None, description="share named right; null without a test"
    )
    test_correct: int = Field(default=0, description="how many were named right")
    test_interval: Interval = Field(
        default=(0.0, 1.0), description="95 % interval of the share (Wilson)"
    )
    majority_accuracy: float | None = Field(
        default=None, description="share that always answering the most frequent class names right"
    )
    majority_class: str = Field(default="", description="that class")
    per_class: list[ClassMetrics] = Field(default=[], description="class by class")
    confusion: list[list[int]] = Field(
        default=[], description="test photos by true class (rows) and answer (columns)"
    )
    calibration: CalibrationMetrics | None = Field(
        default=None, description="how true the confidence is"
    )

    @property
    def accuracy(self) -> float:
        """`test_accuracy`; 0 without a test."""
        return self.test_accuracy or 0.0

    @property
    def guessing(self) -> float:
        """`majority_accuracy`; 0 without a test."""
        return self.majority_accuracy or 0.0


class TaskMetrics(HeadMetrics):
    """One of several tasks."""

    name: str = Field(default="", description="of the task, as the column of the table")


class Seconds(_Figures):
    """Seconds that each part of the run took."""

    total: float = Field(default=0.0, description="all of it, bringing the photos in included")
    import_: float = Field(default=0.0, alias="import", description="bringing the photos in")
    features: float = Field(default=0.0, description="decoding and the frozen part")
    head: float = Field(default=0.0, description="learning the head")
    fine_tune: float = Field(
        default=0.0, description="learning unfrozen blocks and the head together"
    )


class LeftOut(_Figures):
    """A file that could not be read."""

    file: str = Field(default="", description="its name")
    reason: str = Field(default="", description="why, in a sentence")


class AdaptationMetrics(_Figures):
    """What domain adaptation did. Accuracies of the new domain are of photos with known classes."""

    way: str = Field(default="", description="the method, as the setting `adaptation` names it")
    n_target: int = Field(default=0, description="photos of the new domain")
    n_source: int = Field(default=0, description="validation photos of the old one")
    n_target_labelled: int = Field(default=0, description="of the new one with a known class")
    source_accuracy_before: float | None = Field(
        default=None, description="of photos of the old domain, before"
    )
    source_accuracy_after: float | None = Field(
        default=None, description="of photos of the old domain, after"
    )
    target_accuracy_before: float | None = Field(
        default=None, description="of photos of the new domain, before"
    )
    target_accuracy_after: float | None = Field(
        default=None, description="of photos of the new domain, after"
    )
    tested_photos_seen: int = Field(
        default=0, description="test photos among those of the new domain"
    )
    pseudo_labels: int | None = Field(default=None, description="guesses that were learned from")
    threshold: float | None = Field(default=None, description="the least sure of them")


class SelfTrainingMetrics(_Figures):
    """What unlabelled photos brought, judged by sorted photos that were hidden in turn."""

    n_unlabelled: int = Field(default=0, description="unlabelled photos")
    pseudo_labels: int = Field(default=0, description="guesses that were learned from")
    helps: bool | None = Field(default=None, description="whether they are learned from")
    threshold: float | None = Field(default=None, description="how sure a guess has to be")
    hidden: int | None = Field(default=None, description="sorted photos that were hidden in turn")
    hidden_accuracy_plain: float | None = Field(
        default=None, description="of these, without guesses"
    )
    hidden_accuracy: float | None = Field(default=None, description="and with them")


class WarmStartMetrics(_Figures):
    """What was carried over from the run that this one started from."""

    run: str = Field(default="", description="its folder")
    classes_carried_over: list[str] = Field(default=[], description="classes that both have")
    backbone_changed: bool = Field(default=False, description="whether its backbone had learned")
    rehearsed_photos: int = Field(default=0, description="its photos that were learned from again")
    helps: bool | None = Field(default=None, description="whether they are learned from")
    weight: float | None = Field(
        default=None, description="what they weigh, as a share of the new ones"
    )
    hidden: int | None = Field(default=None, description="new photos that were hidden in turn")
    hidden_accuracy_plain: float | None = Field(
        default=None, description="of these, without old photos"
    )
    hidden_accuracy: float | None = Field(default=None, description="and with them")
    layers: list[str] = Field(
        default=[], description="layers of the head that began with its weights"
    )


class DistillationMetrics(_Figures):
    """What was learned from a teacher."""

    teacher: str = Field(default="", description="the folder of its run")
    teacher_test_accuracy: float | None = Field(default=None, description="on its own test")
    agrees_with_labels: float | None = Field(
        default=None, description="share of the labels that it was asked about and gave"
    )


class AttackAccuracy(_Figures):
    """Share of the photos of the trial that are named right."""

    plain: float = Field(default=0.0, description="by the model before")
    trained: float = Field(
        default=0.0, description="by the model that learned from attacked photos"
    )


class AdversarialMetrics(_Figures):
    """How the model stands up to changed test photos, before and after adversarial training."""

    n: int = Field(default=0, description="test photos that were attacked")
    strength: float = Field(
        default=0.0, description="how much a pixel may change, as a share of its range"
    )
    steps: int = Field(default=0, description="steps of PGD")
    clean: AttackAccuracy = Field(default=AttackAccuracy(), description="photos as they are")
    fgsm: AttackAccuracy = Field(default=AttackAccuracy(), description="under FGSM")
    pgd: AttackAccuracy = Field(default=AttackAccuracy(), description="under PGD")
    example: dict[str, str] | None = Field(
        default=None, description="one photo: its truth, and both models' answers under attack"
    )


class RunMetrics(HeadMetrics):
    """The figures of a run."""

    schema_version: int = Field(default=SCHEMA, description="of this file")
    run_dir: str = Field(default="", description="the folder of the run")
    state: str = Field(default="", description="`finished` or `stopped`")
    dataset: str = Field(default="", description="name of the data set")
    blocks: int = Field(default=0, description="blocks of the backbone")
    frozen_blocks: int = Field(default=0, description="of these, frozen")
    n_val: int = Field(default=0, description="photos of the validation")
    test_given: bool = Field(default=False, description="whether a person named the test photos")
    left_out: list[LeftOut] = Field(default=[], description="files that could not be read")
    backbone: str = Field(default="", description="its name")
    image_size: int = Field(default=0, description="side of the photos for the network, in pixels")
    augmentation: str = Field(default="", description="how photos were varied")
    cut_layer: str | None = Field(default=None, description="the last frozen layer")
    frozen_layers: int = Field(default=0, description="frozen layers of the backbone")
    total_layers: int = Field(default=0, description="all of its layers")
    trainable_weights: int = Field(default=0, description="numbers that learned")
    val_accuracy: float | None = Field(default=None, description="of the weights that were kept")
    epochs_run: int = Field(default=0, description="of both phases")
    fine_tuned: bool = Field(default=False, description="whether unfrozen blocks learned")
    parity_max_diff: float | None = Field(
        default=None, description="largest difference of the saved model from the measured one"
    )
    openvino_max_diff: float | None = Field(
        default=None, description="and of its OpenVINO copy; null without one"
    )
    model_bytes: int = Field(default=0, description="size of model.keras")
    seconds: Seconds = Field(default=Seconds(), description="what each part took")
    photos_per_s: float | None = Field(
        default=None, description="of the pass over the photos; null when all was cached"
    )
    device: str = Field(default="", description="what it trained on")
    settings: dict[str, Any] = Field(
        default={}, description="all settings, with the backbone filled in"
    )
    warnings: list[str] = Field(default=[], description="what a person was told meanwhile")
    adaptation: AdaptationMetrics | None = Field(default=None, description="with `adapt_to`")
    selftraining: SelfTrainingMetrics | None = Field(default=None, description="with `unlabelled`")
    carryover: WarmStartMetrics | None = Field(default=None, description="with `start_from`")
    distillation: DistillationMetrics | None = Field(
        default=None, description="with `distill_from`"
    )
    adversarial: AdversarialMetrics | None = Field(default=None, description="with `adversarial`")
    plain_test_accuracy: float | None = Field(
        default=None, description="with `compare_plain`: of a run without techniques"
    )
    plain_test_correct: int | None = Field(default=None, description="the same, how many")
    plain_val_accuracy: float | None = Field(
        default=None, description="the same, on validation photos"
    )
    tasks: list[TaskMetrics] = Field(
        default=[], description="with several tasks: each, the run's own first"
    )
    unlike: UnlikeMetrics | None = Field(
        default=None, description="how well photos of something else are told"
    )

    @property
    def further_tasks(self) -> list[TaskMetrics]:
        """The tasks beside the run's own."""
        return self.tasks[1:]
