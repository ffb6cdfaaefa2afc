"""Trains one run: features, head, fine-tuning, test, and what the run saves.

Owns: the order of the steps and what each hands to the next.
Leaves to others: the process and its states (`worker.py`), what is settled before (`plan.py`),
photos and features (`material.py`), techniques (`lesson.py`), the fit loop and its callback (`fitting.py`), graphs
(`graph/`), the files of the result (`artefacts.py`).

The frozen part of the network runs once per photo, in the pass that decodes it; the head
learns on what came out; where blocks are unfrozen, they and the head then learn together, from
what came out at the cut. The test photos are judged once, at the end, by what validation chose.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core import costs, freezing
from translearn_core.artefacts import Clock, save_model, write_figures
from translearn_core.augment import Strength
from translearn_core.config import load_configuration
from translearn_core.doubt import calibrate, calibration_figures, keep_reference
from translearn_core.engine import count_gpus, import_keras
from translearn_core.errors import StopRequestedError
from translearn_core.features import trim_cache
from translearn_core.lesson import Lesson, build_new_head, learns_again
from translearn_core.material import Material, gather_material
from translearn_core.plan import Network, Plan, make_plan
from translearn_core.predictions import Answers, Validation
from translearn_core.prepare import prepare_lesson
from translearn_core.runs import Run
from translearn_core.stopping import begin, wait_for
from translearn_core.techniques import ATTACK_STEPS, plain_settings
from translearn_core.texts import _

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
ENOUGH_SAMPLES = 30_000
LEAST_EPOCHS = 12
"""A head has learned what it can from so many photos, with their views, or so many rounds. On 2,000
photos of litter 46,000 gave 0.781, 30,000 0.787 and 24,000 0.784 (means of five seeds)."""
STEP_S = 2.0
"""Longest step of fine-tuning on a processor, about: a stop waits for its end."""
OPERATIONS_PER_S = 35e9
"""Floating-point operations a second of one processor core in training, about."""


def train(
    run: Run,
    enter: Callable[..., None],
    update: Callable[..., None],
) -> bool:
    """Train `run` and leave its result in its folder.

    Args:
        run: a run whose turn it is.
        enter: called with a state and a stage when a new stage begins.
        update: called with changes of the state, like the device.

    Returns:
        True when it ran to its end, False when it was stopped (with a result once training had
        begun).

    Raises:
        TransLearnError: it cannot go on; the message is for a person.
    """
    clock = Clock()
    try:
        return _train(run, enter, update, clock)
    except StopRequestedError:
        return False
    finally:
        shutil.rmtree(run.folder / "cache", ignore_errors=True)
        trim_cache(load_configuration().cache_bytes)


def _train(run: Run, enter: Callable[..., None], update: Callable[..., None], clock: Clock) -> bool:
    plan = make_plan(run)
    importing = begin(import_keras)
    update(device=plan.device)

    enter("running", "features")
    began = time.monotonic()
    material = gather_material(plan)
    clock.lap("features", began)
    if run.stop_requested:
        raise StopRequestedError
    if plan.freeze.note:
        run.append_event("warning", text=plan.freeze.note)

    if plan.resists and plan.freeze.all_frozen:
        run.append_event(
            "warning",
            text=_(
                "With all blocks frozen only the head is trained against attacks, which helps "
                "little. Unfreeze some blocks (`freeze`), best all of them."
            ),
        )
    logger.info("Keras %s", wait_for(importing, lambda: run.stop_requested).__version__)
    learned = learn(plan, material, enter, clock)
    stopped = run.stop_requested
    enter("running", "evaluate")
    temperature = calibrate(learned.head, learned.validation)
    answers = _evaluate(plan, material, learned)
    if learned.trial is not None and not stopped:
        enter("running", "technique")
        learned.trial.judge_after(_scores(learned.network, learned.head))
    plain = None if stopped else _compare_plain(plan, answers, enter)
    enter("running", "save")
    proof = save_model(plan, material, learned.network, learned.head, answers)
    more = learned.lesson.report(answers) | (plain or {})
    more["calibration"] = calibration_figures(
        temperature, learned.validation, test=answers.test, truth=answers.truth
    )
    if learned.trial is not None:
        more |= learned.trial.report()
    more |= _learn_more_tasks(plan, material, learned, answers, enter, more["calibration"])
    more["unlike"] = _keep_reference(plan, material, learned)
    write_figures(plan, material, answers, proof, clock, learned.epochs, stopped, more)
    return not stopped


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What came out of learning: the network, its head, and how they got there."""

    network: Network
    head: Any
    lesson: Lesson
    epochs: int
    val_accuracy: float | None
    validation: Validation
    """Answers that the head is calibrated by, see `doubt.calibrate`."""
    trial: Any = None
    """Attacks on test photos, an `adversarial.Trial`, where the run learns to resist."""


def learn(
    plan: Plan,
    material: Material,
    enter: Callable[..., None],
    clock: Clock,
    *,
    quiet: bool = False,
) -> Learned:
    """Head, then unfrozen part, by the plan's settings; with `quiet` nobody hears of it."""

    _seed(plan.settings.seed)
    lesson = prepare_lesson(plan, material, lambda: _learn_plainly(plan, material), enter)
    if not quiet:
        enter("running", "head")
    began = time.monotonic()
    head = lesson.new_head(plan, lesson.material)
    last: list[Validation] = []
    epochs = 0
    if not lesson.learned:
        epochs = _fit_head(plan, lesson.material, head, last, quiet=quiet)
    validation = _answer_validation(lesson.material, head, lesson.material.pooled)
    val_accuracy = validation.accuracy
    if lesson.refits and _refits(plan, lesson.material):
        fresh = _refit_head(plan, lesson, head)
        validation = validation if fresh is head else last[-1]
        head = fresh
    head = lesson.finish(head)
    clock.lap("head", began)

    network = Network(plan, lesson.change)
    trial = None
    if plan.resists and not plan.run.stop_requested:
        enter("running", "technique")
        trial = _begin_trial(plan, material, network, head)
    if plan.fine_tunes and not plan.run.stop_requested:
        if not quiet:
            enter("running", "fine_tune")
        began = time.monotonic()
        epochs += _fine_tune(plan, lesson.material, network, head, epochs, quiet=quiet)
        clock.lap("fine_tune", began)
        learner = _learner(network, material, head)
        validation = _answer_validation(material, learner, material.cut)
        val_accuracy = validation.accuracy
    return Learned(
        network=network,
        head=head,
        lesson=lesson,
        epochs=epochs,
        val_accuracy=val_accuracy,
        validation=validation,
        trial=trial,
    )


def _learn_more_tasks(
    plan: Plan,
    material: Material,
    learned: Learned,
    answers: Answers,
    enter: Callable[..., None],
    calibration: dict[str, Any],
) -> dict[str, Any]:
    """A head for each further kind of label of the data set, and the figures of all tasks."""
    from translearn_core import tasks
    from translearn_core.fitting import predict_rows

    if not tasks.more_tasks(plan, material) or plan.run.stop_requested:
        return {}
    enter("running", "tasks")
    own = learned.lesson.own_features
    features = None if own is None else own.take(np.arange(len(material.photos)))
    if plan.fine_tunes and learned.network.is_built:
        rows = np.arange(len(material.photos))
        features = predict_rows(_learner(learned.network, material), material.cut, rows)
    first = tasks.first_task(plan, answers, material) | {"calibration": calibration}
    return {"tasks": [first, *tasks.learn_tasks(plan, material, features)]}


def _begin_trial(plan: Plan, material: Material, network: Network, head: Any) -> Any:
    """Attack the test photos before the model has learned to resist, for comparison."""
    from translearn_core import adversarial

    rows = adversarial.choose_rows(material.rows("test"), plan.settings.seed)
    trial = adversarial.Trial(
        run=plan.run,
        source=material.cut,
        rows=rows,
        labels=material.labels[rows],
        classes=material.classes,
        settings=plan.settings,
    )
    trial.judge_before(_scores(network, head))
    return trial


def _scores(network: Network, head: Any) -> Any:
    """From pixels to the scores before the softmax."""
    from translearn_core.adversarial import scores_of

    return scores_of([part for part in network.parts if part is not None], head)


def _learn_plainly(plan: Plan, material: Material) -> Any:
    """A head that learned from the training photos as they are, unheard."""
    head = build_new_head(plan, material)
    _fit_head(plan, material, head, [], quiet=True)
    if plan.run.stop_requested:
        raise StopRequestedError
    return head


def _compare_plain(
    plan: Plan, answers: Answers, enter: Callable[..., None]
) -> dict[str, Any] | None:
    """The same run without any technique: its accuracy on the same test photos."""
    if not plan.settings.compare_plain:
        return None
    bare = plain_settings(plan.settings)
    if bare != plan.settings.model_copy(update={"compare_plain": False}):
        enter("running", "compare")
        plan = replace(plan, settings=bare, change=None)
        material = gather_material(plan)
        answers = _evaluate(plan, material, learn(plan, material, enter, Clock(), quiet=True))
    truth = answers.truth
    right = int((answers.test.argmax(axis=1) == truth).sum())
    n = len(truth)
    return {
        "plain_test_accuracy": right / n if n else None,
        "plain_test_correct": right,
        "plain_val_accuracy": answers.val_accuracy,
    }


def _seed(seed: int) -> None:
    import keras

    keras.utils.set_random_seed(seed)


def _part(material: Material, name: str, source: Any, views: tuple[Any, ...], plan: Plan) -> Any:
    """The training or validation part, fed from `source`."""
    from translearn_core.feeding import Part, class_weights

    rows = material.rows(name)
    labels = material.labels[rows]
    balance = plan.settings.class_weighting and name == "train"
    counting = None if material.weights is None else material.weights[rows]
    weights = class_weights(labels, len(material.classes), balance, counting)
    if counting is not None:
        weights = weights * counting
    learned = name == "train"
    return Part(
        source=source,
        rows=rows,
        labels=labels,
        weights=weights,
        views=views,
        targets=material.targets[rows] if learned and material.targets is not None else None,
        view_targets=tuple(one[rows] for one in material.view_targets) if learned else (),
    )


def _fit_head(
    plan: Plan, material: Material, head: Any, last: list[Validation], *, quiet: bool = False
) -> int:
    """Epochs run; `last` receives what the last weights, before the best are put back, answer."""

    def keep(model: Any) -> None:
        last.append(_answer_validation(material, model, material.pooled))

    at_end = keep if _refits(plan, material) else None
    epochs = _head_epochs(plan, material)
    return _fit_pooled(plan, material, head, epochs=epochs, quiet=quiet, at_end=at_end)


def _fit_pooled(
    plan: Plan,
    material: Material,
    head: Any,
    *,
    epochs: int,
    quiet: bool,
    at_end: Callable[[Any], None] | None = None,
) -> int:
    """Fit a head to the pooled features of all views; the epochs run."""
    from translearn_core.fitting import fit

    return fit(
        plan.run,
        head,
        _part(material, "train", material.pooled, material.views_pooled, plan),
        _part(material, "val", material.pooled, (), plan),
        settings=plan.settings,
        phase="head",
        epochs=epochs,
        first_epoch=0,
        quiet=quiet,
        at_end=at_end,
    )


def _head_epochs(plan: Plan, material: Material) -> int:
    """Epochs of the head: fewer where there are so many photos that a few rounds see enough."""
    if not plan.settings.early_stopping:
        return plan.head_epochs
    enough = max(LEAST_EPOCHS, math.ceil(ENOUGH_SAMPLES / max(1, len(material.rows("train")))))
    return min(plan.head_epochs, enough)


def _refits(plan: Plan, material: Material) -> bool:
    return learns_again(plan, material, len(material.rows("val")))


def _refit_head(plan: Plan, lesson: Lesson, head: Any) -> Any:
    """A head that learned from training and validation photos, over the whole schedule.

    On small sets the few validation photos are a noisy judge of single epochs: stopping by them
    cost 3 points of accuracy on real photos against a schedule that runs to its end, and the
    photos themselves are worth another point.

    The one that was handed in is kept when a person stops in the middle.
    """
    material = lesson.material
    together = lesson.together or material.joined()
    fresh = lesson.new_head(plan, material)
    _fit_pooled(plan, together, fresh, epochs=_head_epochs(plan, material), quiet=True)
    return head if plan.run.stop_requested else fresh


def _answer_validation(material: Material, model: Any, source: Any) -> Validation:
    """What `model` says of the validation photos, which it has not learned from."""
    from translearn_core.fitting import predict_rows

    rows = material.rows("val")
    return Validation(answers=predict_rows(model, source, rows), labels=material.labels[rows])


def _fine_tune(
    plan: Plan,
    material: Material,
    network: Network,
    head: Any,
    first_epoch: int,
    *,
    quiet: bool = False,
) -> int:
    """Train the unfrozen part and the head together, from where the head stopped."""
    from translearn_core.adversarial import make_resisting
    from translearn_core.fitting import fit
    from translearn_core.graph.assembly import set_trainable

    _prefix, suffix = network.parts
    if suffix is not None:
        set_trainable(suffix, batch_norm=plan.settings.weights == "random")
    learner = _learner(network, material, head)
    if plan.resists:
        learner = make_resisting(learner, _scores(network, head), plan.settings)
    strength: Strength = plan.augmentation if material.cut_is_pixels else "none"
    return fit(
        plan.run,
        learner,
        _part(material, "train", material.cut, material.views_cut, plan),
        _part(material, "val", material.cut, (), plan),
        settings=plan.settings,
        phase="fine_tune",
        epochs=plan.fine_tune_epochs,
        first_epoch=first_epoch,
        strength=strength,
        most_at_once=_photos_at_once(plan),
        quiet=quiet,
    )


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


def _learner(network: Network, material: Material, *heads: Any) -> Any:
    """The model that is fed with the material's cut: suffix and head, with the prefix for pixels.

    Without a head it gives the pooled features.
    """
    import keras

    prefix, suffix = network.parts
    prefix.trainable = False
    parts = [prefix, suffix, *heads] if material.cut_is_pixels else [suffix, *heads]
    parts = [part for part in parts if part is not None]
    inputs = x = keras.Input(parts[0].input_shape[1:])
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x, name="learner")


def _evaluate(plan: Plan, material: Material, learned: Learned) -> Answers:
    """Judge the test photos with the weights that were kept, from cached features."""
    from translearn_core.fitting import predict_rows

    tuned = plan.fine_tunes and learned.network.is_built
    model = _learner(learned.network, material, learned.head) if tuned else learned.head
    rows = material.rows("test")
    pooled = learned.lesson.own_features or material.pooled
    answers = predict_rows(model, material.cut if tuned else pooled, rows)
    return Answers(
        test_rows=rows,
        test=answers,
        truth=material.labels[rows],
        val_accuracy=learned.val_accuracy,
    )


def _keep_reference(plan: Plan, own: Material, learned: Learned) -> dict[str, Any] | None:
    """The photos that new ones are compared with; None where a stop should not wait for them."""
    from translearn_core.fitting import predict_rows

    material = learned.lesson.material
    tuned = plan.fine_tunes and learned.network.is_built
    if tuned and plan.run.stop_requested:
        return None
    rows = material.rows("train")
    if learned.lesson.refits and _refits(plan, material):
        rows = material.joined().rows("train")
    if not tuned:
        lesson, answered = learned.lesson, learned.lesson.own_features or own.pooled

        def features_of(some: Any) -> Any:
            if (material.split[some] == "test").all():
                return answered.take(some)
            return lesson.as_seen(material.pooled.take(some))

        return keep_reference(plan, material, features_of, learned=rows, backbone_learned=False)
    features = _learner(learned.network, material)
    return keep_reference(
        plan,
        material,
        lambda some: predict_rows(features, material.cut, some),
        learned=rows,
        backbone_learned=True,
    )
