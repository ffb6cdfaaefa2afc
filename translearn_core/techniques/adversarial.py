"""Adversarial attacks (FGSM, PGD) and adversarial training.

Owns: the attacks (FGSM, PGD), the model that learns from attacked photos beside the clean ones,
and the trial before and after: how many test photos are still named right under attack.
Leaves to others: the fit loop (`fitting/fit.py`), the graph (`graph/`), the order of steps
(`training/train.py`).

FGSM: Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572; in training one step from a random
start, as in "Fast is better than free", Wong et al. 2020, https://arxiv.org/abs/2001.03994. PGD:
Madry et al. 2018, https://arxiv.org/abs/1706.06083. Gradients run through the whole network,
frozen part included, and are those of the scores before the softmax, whose gradient vanishes
where a model is sure.

Strength is a share of the pixel range in [0, 1]; inside, photos are `(n, h, w, 3) float32 in
[0, 255]`. Files: `<run>/adversarial/photo.png`, `attacked.png`, `change.png`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.inputs import FeatureSource
from translearn_core.fitting.plan import Network, Plan
from translearn_core.graph.assembly import OUTPUT
from translearn_core.monitor import Monitor, PassProgress
from translearn_core.recipe.technique_table import ATTACK_STEPS
from translearn_core.run_settings import Settings
from translearn_core.techniques.base import Technique

Scores = Callable[[Any], Any]
"""Photos -> scores before the softmax, `(n, classes)`, without dropout."""

TRIAL_STEPS = 10
PGD_REACH = 2.5
"""The steps of PGD add up to this many times epsilon."""
FAST_STEP = 1.25
"""Size of fast FGSM's one step, as a share of the radius."""
TRIAL_PHOTOS = 200
TRIAL_BATCH = 16
CANDIDATES = 12
"""Photos that are kept to choose the one from that is shown."""
FOLDER = "adversarial"


def scores_of(parts: Sequence[Any], head: Any) -> Scores:
    """The scores that `head` on top of `parts` gives photos."""
    dense = head.get_layer(OUTPUT)
    before = keras.Model(head.inputs, dense.input)

    def scores(photos: Any) -> Any:
        x = photos
        for part in (*parts, before):
            x = part(x, training=False)
        return keras.ops.matmul(x, dense.kernel) + dense.bias  # (n, classes)

    return scores


def _ascent(scores: Scores, photos: Any, targets: Any) -> Any:
    """The sign of the loss's gradient at each pixel value, `(n, h, w, 3)`."""
    with tf.GradientTape() as tape:
        tape.watch(photos)
        loss = keras.ops.sum(
            keras.losses.categorical_crossentropy(targets, scores(photos), from_logits=True)
        )
    return keras.ops.sign(tape.gradient(loss, photos))


def _step(photos: Any, clean: Any, upward: Any, size: float, radius: float) -> Any:
    """A step up the loss that stays within `radius` of the clean photos, and within [0, 255]."""
    moved = photos + size * upward
    moved = keras.ops.clip(moved, clean - radius, clean + radius)
    return keras.ops.clip(moved, 0.0, 255.0)


# ------------------------------------------------------------------------- the technique


class AdversarialTraining(Technique):
    """Fine-tunes on attacked photos beside the clean ones, and tries both models out."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._trial: RobustnessEvaluation | None = None

    def before_fine_tuning(
        self, network: Network, head: Any, data: TrainingData, monitor: Monitor
    ) -> None:
        """Attack the test photos before the model has learned to resist, for comparison."""
        monitor.stage("technique")
        settings = self.plan.settings
        rows = choose_rows(data.rows("test"), settings.seed)
        self._trial = RobustnessEvaluation(
            folder=self.plan.run.folder,
            source=data.cut,
            rows=rows,
            labels=data.labels[rows],
            classes=data.classes,
            settings=settings,
            attack=Attack(_scores(network, head), settings, len(data.classes)),
        )
        self._trial.judge_before(monitor)

    def fine_tuned_model(self, model: Any, network: Network, head: Any) -> Any:
        """See `Technique.fine_tuned_model`."""
        return make_resisting(model, _scores(network, head), self.plan.settings)

    def after_training(self, network: Network, head: Any, monitor: Monitor) -> None:
        """Attack the model that learned to resist."""
        if self._trial is not None:
            monitor.stage("technique")
            self._trial.judge_after(monitor)

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`."""
        return {} if self._trial is None else self._trial.report()


def _scores(network: Network, head: Any) -> Scores:
    """From pixels to the scores before the softmax."""
    return scores_of([part for part in network.parts if part is not None], head)


# ------------------------------------------------------------------------------- learning


class Resisting(keras.Model):  # type: ignore[misc]
    """A model that learns from each batch as it is and as an attack changes it, half and half.

    Its loss and accuracy, on validation photos too, are the mean of both. Validation takes one
    step also where training takes more, so that a stop does not wait for it.
    """

    scores: Scores
    radius: float
    steps: int

    def train_step(self, data: Any) -> Any:
        """See `keras.Model.train_step`."""
        return super().train_step(self._with_attacked(data, self.steps))

    def test_step(self, data: Any) -> Any:
        """See `keras.Model.test_step`."""
        return super().test_step(self._with_attacked(data, 1))

    def _with_attacked(self, data: Any, steps: int) -> Any:
        photos, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        attacked = photos + keras.random.uniform(keras.ops.shape(photos), -self.radius, self.radius)
        size = self.radius * (FAST_STEP if steps == 1 else PGD_REACH / steps)

        def climb(_number: Any, changed: Any) -> Any:
            upward = _ascent(self.scores, changed, targets)
            return _step(changed, photos, upward, size, self.radius)

        if steps == 1:
            attacked = climb(0, attacked)
        else:
            attacked = keras.ops.fori_loop(0, steps, climb, attacked)
        both = [keras.ops.stop_gradient(attacked), photos]
        twice = (keras.ops.concatenate([part, part]) for part in (targets, weights))
        return (keras.ops.concatenate(both), *twice)


def make_resisting(learner: Any, scores: Scores, settings: Settings) -> Any:
    """`learner` (photos -> probabilities), its layers shared, as a model that resists."""
    model = Resisting(learner.inputs, learner.outputs, name="learner")
    model.scores = scores
    model.radius = settings.strength * 255.0
    model.steps = ATTACK_STEPS[settings.adversarial]
    return model


# ------------------------------------------------------------------------------- the trial


@dataclass(kw_only=True)
class RobustnessEvaluation:
    """Test photos, and how a model stands up to attacks on them, before and after it learned to.

    Args:
        folder: of the run; pictures of an example go there.
        source: photos `(n, size, size, 3)` by row.
        rows: the test photos that are attacked.
        labels: their classes.
        attack: on the model. Its layers are the ones that learn, so that the functions that were
            compiled for them before attack them as they are after.
    """

    folder: Path
    source: FeatureSource
    rows: Ints
    labels: Ints
    classes: Sequence[str]
    settings: Settings
    attack: Attack
    before: dict[str, Array] = field(default_factory=dict)
    after: dict[str, Array] = field(default_factory=dict)
    fooling: dict[int, tuple[Array, Array]] = field(default_factory=dict)
    """Some photos that fooled the plain model, by place: before and after the change."""

    def judge_before(self, monitor: Monitor) -> None:
        """Attack the plainly trained model."""
        self.before = self._judge(monitor, keep=True)

    def judge_after(self, monitor: Monitor) -> None:
        """Attack the model that learned to resist."""
        self.after = self._judge(monitor)

    def _judge(self, monitor: Monitor, *, keep: bool = False) -> dict[str, Array]:
        """Answers `(n,)` to clean and attacked photos by name; empty when the run is to stop."""
        attack = self.attack
        attack.restart()
        tell = PassProgress(monitor, len(self.rows))
        found: dict[str, list[Array]] = {"clean": [], "fgsm": [], "pgd": []}
        for start in range(0, len(self.rows), TRIAL_BATCH):
            photos = self.source.take(self.rows[start : start + TRIAL_BATCH]).astype(np.float32)
            labels = self.labels[start : start + TRIAL_BATCH]
            found["clean"].append(attack.answer(photos))
            found["fgsm"].append(attack.answer(attack.fgsm(photos, labels)))
            changed = attack.pgd(photos, labels, stop=lambda: monitor.stop_requested)
            if changed is None:
                return {}
            found["pgd"].append(attack.answer(changed))
            tell(start + len(photos))
            fooled = (found["clean"][-1] == labels) & (found["pgd"][-1] != labels)
            for place in np.flatnonzero(fooled) if keep else ():
                if len(self.fooling) < CANDIDATES:
                    self.fooling[start + int(place)] = photos[place], changed[place]
        return {name: np.concatenate(parts) for name, parts in found.items() if parts}

    def report(self) -> dict[str, Any]:
        """What metrics.json says under `adversarial`; writes the pictures.

        Shares of `n` test photos named right: `clean`, under `fgsm`, under `pgd`; each with the
        `plain` model and the one that was `trained` to resist. Empty when it was stopped.
        """
        if not self.before or not self.after:
            return {}
        figures = {
            name: {
                "plain": float((self.before[name] == self.labels).mean()),
                "trained": float((self.after[name] == self.labels).mean()),
            }
            for name in self.before
        }
        return {
            "adversarial": {
                "n": len(self.rows),
                "strength": self.settings.strength,
                "steps": TRIAL_STEPS,
                **figures,
                "example": self._write_example(),
            }
        }

    def _write_example(self) -> dict[str, str] | None:
        """Pictures of one photo that the plain model names right, until it is attacked."""
        if not self.fooling:
            return None
        resisted = [
            place for place in self.fooling if self.after["pgd"][place] == self.labels[place]
        ]
        place = next(iter(resisted or self.fooling))
        photo, changed = self.fooling[place]
        magnified = 127.5 + 127.5 * (changed - photo) / (self.settings.strength * 255.0)
        folder = self.folder / FOLDER
        folder.mkdir(exist_ok=True)
        for name, picture in {"photo": photo, "attacked": changed, "change": magnified}.items():
            pixels = np.clip(np.round(picture), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")
        return {
            "truth": self.classes[int(self.labels[place])],
            "plain": self.classes[int(self.before["pgd"][place])],
            "trained": self.classes[int(self.after["pgd"][place])],
        }


class Attack:
    """Attacks on one model, batch by batch, each gradient a call of a compiled function."""

    def __init__(self, scores: Scores, settings: Settings, classes: int) -> None:
        self._radius = settings.strength * 255.0
        self._classes = classes
        self._seed = settings.seed
        self.restart()
        self._ascent = tf.function(
            lambda photos, targets: _ascent(scores, photos, targets), reduce_retracing=True
        )
        self._scores = tf.function(scores, reduce_retracing=True)

    def restart(self) -> None:
        """Draw the random starts of PGD from the beginning again."""
        self._rng = np.random.default_rng([self._seed, 5])

    def answer(self, photos: Array) -> Array:
        """The likeliest class of each photo, `(n,) int64`."""
        found: Array = np.asarray(self._scores(keras.ops.convert_to_tensor(photos))).argmax(axis=1)
        return found

    def fgsm(self, photos: Array, labels: Array) -> Array:
        """One step as long as allowed."""
        return self._walk(photos, photos, labels, size=self._radius)

    def pgd(
        self, photos: Array, labels: Array, *, stop: Callable[[], bool] = lambda: False
    ) -> Array | None:
        """Many short steps from a random start; None when `stop` said so."""
        noise = self._rng.uniform(-self._radius, self._radius, photos.shape)
        changed = np.clip(photos + noise, 0, 255).astype(np.float32)
        for _number in range(TRIAL_STEPS):
            if stop():
                return None
            changed = self._walk(
                changed, photos, labels, size=PGD_REACH * self._radius / TRIAL_STEPS
            )
        return changed

    def _walk(self, photos: Array, clean: Array, labels: Array, *, size: float) -> Array:
        targets = np.eye(self._classes, dtype=np.float32)[labels]
        start = keras.ops.convert_to_tensor(photos)
        upward = self._ascent(start, keras.ops.convert_to_tensor(targets))
        moved: Array = np.asarray(_step(start, clean, upward, size, self._radius))
        return moved


def choose_rows(test_rows: Ints, seed: int) -> Ints:
    """The test photos of the trial: all, or so many drawn that it takes no longer than needed."""
    if len(test_rows) <= TRIAL_PHOTOS:
        return test_rows
    return np.sort(np.random.default_rng([seed, 6]).permutation(test_rows)[:TRIAL_PHOTOS])
