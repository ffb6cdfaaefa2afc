"""Trains one run: features, head, fine-tuning, test, and what the run saves.

Owns: the order of the steps and what each hands to the next.
Leaves to others: the process and its states (`worker.py`), what is settled before (`fitting/plan.py`),
photos and features (`fitting/data.py`), what techniques change (`techniques/base.py`), heads
(`fitting/head.py`), the fit loop (`fitting/fit.py`), graphs (`graph/`), the files of the result
(`save.py`).

The frozen part of the network runs once per photo, in the pass that decodes it; the head
learns on what came out; where blocks are unfrozen, they and the head then learn together, from
what came out at the cut. The test photos are judged once, at the end, by what validation chose.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from translearn_core.backbones import freezing
from translearn_core.concurrency import meanwhile, release_memory
from translearn_core.config import load_configuration
from translearn_core.evaluation.predictions import TestPredictions, ValidationPredictions
from translearn_core.features import costs
from translearn_core.features.cache import trim_cache
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData, gather_training_data
from translearn_core.fitting.fit_spec import FitSpec
from translearn_core.fitting.head import answer_validation, subset_of
from translearn_core.fitting.inputs import FeatureSource
from translearn_core.fitting.plan import Network, Plan, make_plan
from translearn_core.graph.gpus import count_gpus
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.recipe.technique_table import ATTACK_STEPS
from translearn_core.runs import Run
from translearn_core.techniques.base import Techniques, TrainingSet
from translearn_core.techniques.learning import learn_head, seed
from translearn_core.techniques.registry import build_techniques
from translearn_core.training.keras_ahead import Ahead
from translearn_core.training.multitask import (
    RunTasks,
    first_task,
    learn_tasks,
    read_tasks,
)
from translearn_core.training.postprocess import calibrate, calibration_figures, keep_reference
from translearn_core.training.save import Clock, save_model, write_figures

logger = logging.getLogger(__name__)

STEP_S = 2.0
"""Longest step of fine-tuning on a processor, about: a stop waits for its end."""
OPERATIONS_PER_S = 35e9
"""Floating-point operations a second of one processor core in training, about."""


def train(run: Run, monitor: Monitor) -> bool:
    """Train `run` and leave its result in its folder.

    Args:
        run: a run whose turn it is.

    Returns:
        True when it ran to its end, False when it was stopped and left a result.

    Raises:
        StopRequestedError: it was stopped before there was a result.
        TransLearnError: it cannot go on; the message is for a person.
    """
    try:
        return _train(run, monitor, Clock())
    finally:
        shutil.rmtree(run.folder / "cache", ignore_errors=True)
        trim_cache(load_configuration().cache_bytes)


def _train(run: Run, monitor: Monitor, clock: Clock) -> bool:
    plan = make_plan(run)
    with plan.limit_blas():
        return _carry_out(plan, monitor, clock)


def _carry_out(plan: Plan, monitor: Monitor, clock: Clock) -> bool:
    making = Ahead(plan)
    monitor.update(device=plan.device)
    monitor.stage("features")
    with clock.lap("features"):
        data = gather_training_data(plan, monitor)
    plan = replace(plan, augmentation=data.mirroring.augmentation)
    monitor.check_stop()
    tasks = read_tasks(plan, data)  # as they are now: a person may change the labels meanwhile
    _warn(plan, monitor)
    made = making.made(lambda: monitor.stop_requested)
    # a pass that had to ask Keras after all drew from the same random state meanwhile
    head = made.head if data.network is None and plan.saves_by_record else None
    data = replace(data, network=data.network or made.network)
    model = learn(plan, data, monitor, clock, head=head)
    release_memory()
    stopped = monitor.stop_requested
    monitor.stage("evaluate")
    temperature = calibrate(model.head, model.validation)
    test = evaluate(plan, data, model)
    if not stopped:
        model.techniques.after_training(model.network, model.head, monitor)
    plain = None if stopped else _compare_plain(plan, test, monitor)
    monitor.stage("save")
    needs_keras = model.tuned or bool(plan.techniques)
    keep = partial(_keep_reference, plan, data, model, monitor)
    with meanwhile(keep, is_apart=not needs_keras) as reference:
        saved = save_model(plan, data, model.network, model.head, test, monitor)
    figures = model.techniques.figures(test) | (plain or {})
    figures["calibration"] = calibration_figures(
        temperature, model.validation, test=test.test, truth=test.truth
    )
    figures |= _learn_more_tasks(plan, data, tasks, model, test, figures["calibration"], monitor)
    figures["linear_half"] = model.linear_half
    figures["mirrors"] = data.mirroring.said
    figures["unlike"] = reference()
    write_figures(plan, data, test, saved, clock, model.epochs, stopped, figures)
    return not stopped


def _warn(plan: Plan, monitor: Monitor) -> None:
    for text in (plan.fit_choice.reason, plan.freeze.note):
        if text:
            monitor.warning(text)
    if plan.resists and plan.freeze.all_frozen:
        monitor.warning(
            _(
                "With all blocks frozen only the head is trained against attacks, which helps "
                "little. Unfreeze some blocks (`freeze`), best all of them."
            )
        )


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What came out of learning: the network, its head, and how they got there.

    Attributes:
        refitted: whether the head learned from the validation photos, too.
        tuned: whether blocks of the backbone learned, or a wholly frozen one from pixels.
        epochs: of both phases.
        val_accuracy: share of the validation photos that the best weights name right.
        validation: what the head is calibrated by, see `postprocess.calibrate`.
        linear_half: figures of the head's linear half, where it has one.
    """

    network: Network
    head: Any
    techniques: Techniques
    training: TrainingSet
    refitted: bool
    tuned: bool
    epochs: int
    val_accuracy: float | None
    validation: ValidationPredictions
    linear_half: dict[str, float] | None


def learn(
    plan: Plan, data: TrainingData, monitor: Monitor, clock: Clock, *, head: Any = None
) -> TrainedModel:
    """Head, then unfrozen part, by the plan's settings.

    Args:
        head: a new one, where it was made already; it is nobody else's.
    """
    seed(plan)
    techniques = build_techniques(plan, head)
    training = techniques.prepare(TrainingSet.of(data), monitor)
    seed(plan)  # where a technique is left out, this is the plain run
    monitor.stage("head")
    monitor.leaves_result()
    with clock.lap("head"):
        fitted = learn_head(plan, training, techniques, monitor)
    head = techniques.finalize(fitted.head)
    network = Network(plan, training.change, built=data.network)
    epochs, val_accuracy, validation = fitted.epochs, fitted.val_accuracy, fitted.validation
    tuned = False
    if plan.fine_tunes and not monitor.stop_requested:
        techniques.before_fine_tuning(network, head, data, monitor)
    if plan.fine_tunes and not monitor.stop_requested:
        tuned = True
        monitor.stage("fine_tune")
        with clock.lap("fine_tune"):
            epochs += _fine_tune(plan, training.data, network, head, epochs, techniques, monitor)
        validation = answer_validation(data, _learner(network, data, head), data.cut)
        val_accuracy = validation.accuracy
    return TrainedModel(
        network=network,
        head=head,
        techniques=techniques,
        training=training,
        refitted=fitted.refitted,
        tuned=tuned,
        epochs=epochs,
        val_accuracy=val_accuracy,
        validation=validation,
        linear_half=fitted.linear_half,
    )


def _compare_plain(plan: Plan, test: TestPredictions, monitor: Monitor) -> dict[str, Any] | None:
    """The same run without any technique: its accuracy on the same test photos."""
    if not plan.settings.compare_plain:
        return None
    if plan.techniques:
        monitor.stage("compare")
        plain, silent = plan.without_techniques(), monitor.silent()
        data = gather_training_data(plain, silent)
        test = evaluate(plain, data, learn(plain, data, silent, Clock()))
    correct, n = int((test.test.argmax(axis=1) == test.truth).sum()), len(test.truth)
    return {
        "plain_test_accuracy": correct / n if n else None,
        "plain_test_correct": correct,
        "plain_val_accuracy": test.val_accuracy,
    }


def _fine_tune(
    plan: Plan,
    data: TrainingData,
    network: Network,
    head: Any,
    first_epoch: int,
    techniques: Techniques,
    monitor: Monitor,
) -> int:
    """Train the unfrozen part and the head together, from where the head stopped; the epochs."""
    from translearn_core.fitting.fit import fit
    from translearn_core.graph.assembly import set_trainable

    _prefix, suffix = network.parts
    if suffix is not None:
        set_trainable(suffix, batch_norm=plan.settings.weights == "random")
    spec = FitSpec(
        settings=plan.settings,
        phase="fine_tune",
        epochs=plan.fine_tune_epochs,
        first_epoch=first_epoch,
        augmentation=plan.augmentation if data.cut_is_pixels else "none",
        most_at_once=_photos_at_once(plan),
    )
    model = techniques.fine_tuned_model(_learner(network, data, head), network, head)
    train = subset_of(plan, data, "train", data.cut, data.views_cut)
    return fit(model, train, subset_of(plan, data, "val", data.cut), spec, monitor).epochs


def _photos_at_once(plan: Plan) -> int | None:
    """How many photos a step of fine-tuning may take on this machine, so that a stop is heeded.

    By the speed measured here, else by arithmetic at a usual rate of a processor core.
    """
    if count_gpus():
        return None
    frozen = 0 if plan.resists else plan.freeze.frozen_blocks  # attacks go through all of it
    photo_s = costs.expected_epoch_s(plan.backbone.name, frozen, 1)
    if photo_s is None:
        blocks = freezing.blocks_of(plan.backbone).blocks[frozen:]
        area = (plan.image_size / plan.backbone.input_size) ** 2
        operations = 6 * sum(block.macs for block in blocks) * area  # forward and twice back
        photo_s = operations / (OPERATIONS_PER_S * (os.cpu_count() or 1))
    if plan.resists:
        photo_s *= 2 + ATTACK_STEPS[plan.settings.adversarial]
    return max(1, int(STEP_S / max(photo_s, 1e-9)))


def _learner(network: Network, data: TrainingData, *heads: Any) -> Any:
    """The model that is fed with the cut of the data: suffix and head, with the prefix for pixels.

    Without a head it gives the pooled features.
    """
    import keras

    prefix, suffix = network.parts
    prefix.trainable = False
    parts = [prefix, suffix, *heads] if data.cut_is_pixels else [suffix, *heads]
    parts = [part for part in parts if part is not None]
    inputs = x = keras.Input(parts[0].input_shape[1:])
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x, name="learner")


def evaluate(plan: Plan, data: TrainingData, model: TrainedModel) -> TestPredictions:
    """Judge the test photos with the weights that were kept, from cached features."""
    rows = data.rows("test")
    if model.tuned:
        probs = predict_rows(_learner(model.network, data, model.head), data.cut, rows)
    else:
        probs = predict_rows(model.head, model.training.own_features or data.pooled, rows)
    return TestPredictions(
        test_rows=rows, test=probs, truth=data.labels[rows], val_accuracy=model.val_accuracy
    )


def _learn_more_tasks(
    plan: Plan,
    data: TrainingData,
    tasks: RunTasks,
    model: TrainedModel,
    test: TestPredictions,
    calibration: dict[str, Any],
    monitor: Monitor,
) -> dict[str, Any]:
    """A head for each further kind of label of the data set, and the figures of all tasks."""
    if monitor.stop_requested or not tasks.further:
        return {}
    monitor.stage("tasks")
    own = model.training.own_features
    rows = np.arange(len(data.photos))
    features = None if own is None else own.take(rows)
    if model.tuned:
        features = predict_rows(_learner(model.network, data), data.cut, rows)
    first = first_task(tasks.first, test, data) | {
        "calibration": calibration,
        "linear_half": model.linear_half,
    }
    return {"tasks": [first, *learn_tasks(plan, data, tasks.further, features, monitor)]}


def _keep_reference(
    plan: Plan, data: TrainingData, model: TrainedModel, monitor: Monitor
) -> dict[str, Any]:
    """The photos that new ones are held against, and how well that tells strange ones."""
    training = model.training
    training_data = training.data
    rows = (training_data.joined() if model.refitted else training_data).rows("train")
    if not model.tuned:
        answered: FeatureSource = training.own_features or data.pooled

        def features_of(some: Any) -> Any:
            if (training_data.split[some] == "test").all():
                return answered.take(some)
            return model.techniques.as_saved(training_data.pooled.take(some))

        return keep_reference(
            plan, training_data, features_of, learned=rows, backbone_learned=False
        )
    features = _learner(model.network, training_data)
    return keep_reference(
        plan,
        training_data,
        lambda some: predict_rows(features, training_data.cut, some),
        learned=rows,
        backbone_learned=True,
        is_stopped=monitor.stop_requested,
    )
