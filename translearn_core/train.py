"""Trains one run: features, head, fine-tuning, the honest test, and what the run leaves.

Owns: the order of the steps and what each hands to the next.
Leaves to others: the process and its states (`worker.py`), features (`features.py`), the fit
loop and its callback (`fitting.py`), graphs (`model.py`).

The frozen part of the network runs once per photo, in the pass that decodes it; the head
learns on what came out; where blocks are unfrozen, they and the head then learn together, from
what came out at the cut. The test photos are judged once, at the end, by what validation chose.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import backbones, datasets, jobs
from translearn_core.augment import VIEWS, Strength
from translearn_core.backbones import Backbone, FreezeChoice
from translearn_core.config import Configuration, Settings, load_configuration
from translearn_core.datasets import Dataset, PhotoFacts
from translearn_core.engine import (
    Engine,
    OpenVINOEngine,
    convert_to_openvino,
    open_prefix_engine,
    prepare_device,
    run_engine,
)
from translearn_core.errors import PhotoError, TransLearnError
from translearn_core.features import (
    FeatureCache,
    FeatureKey,
    FeatureTable,
    Output,
    cache_folder,
    extract,
    trim_cache,
)
from translearn_core.files import replace_file, write_atomically
from translearn_core.metrics import class_figures, confusion_matrix, wilson_interval
from translearn_core.runs import Run
from translearn_core.texts import _

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
PARITY_PHOTOS = 32
PARITY_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is going to do, settled before it begins."""

    run: Run
    dataset: Dataset
    settings: Settings
    configuration: Configuration
    backbone: Backbone
    choice: FreezeChoice
    size: int
    device: str = ""

    @property
    def fine_tunes(self) -> bool:
        """Whether any block is left to learn."""
        return not self.choice.all_frozen

    @property
    def fine_tune_epochs(self) -> int:
        """Epochs of the second phase."""
        if not self.fine_tunes:
            return 0
        wanted = self.settings.fine_tune_epochs or max(1, round(self.settings.epochs / 4))
        return max(1, min(wanted, self.settings.epochs - 1))

    @property
    def head_epochs(self) -> int:
        """Epochs of the first phase."""
        return max(1, self.settings.epochs - self.fine_tune_epochs)

    @property
    def weights_identity(self) -> str:
        """What tells these backbone weights from others, for cache keys."""
        if self.settings.weights == "random":
            return f"random-{self.settings.seed}"
        path = backbones.weights_status(self.backbone).path
        facts = path.stat()
        return f"{path.name}-{facts.st_size}-{facts.st_mtime_ns}"

    def key(self, cut: str, view: int = 0) -> FeatureKey:
        """The cache key of what comes out at `cut` (`pooled`, `pixels` or a layer's name)."""
        pixels = cut == "pixels"
        return FeatureKey(
            backbone="" if pixels else self.backbone.name,
            weights="" if pixels else self.weights_identity,
            cut=cut,
            size=self.size,
            strength=self.settings.augmentation if view else "none",
            view=view,
        )


@dataclass
class Clock:
    """Seconds that each part of a run took."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def lap(self, name: str, began: float) -> None:
        """Add the time since `began` to `name`."""
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


@dataclass(frozen=True, kw_only=True)
class Material:
    """The photos of a run and what the frozen part made of them; rows are positions in `photos`."""

    photos: pd.DataFrame
    classes: list[str]
    labels: npt.NDArray[np.int64]
    split: npt.NDArray[np.str_]
    pooled: FeatureTable
    cut: Any
    """Inputs of the unfrozen part, a `fitting.Source`; None when all is frozen."""
    cut_is_pixels: bool
    views_pooled: tuple[Any, ...]
    views_cut: tuple[Any, ...]
    photos_per_s: float | None

    def rows(self, name: str) -> npt.NDArray[np.int64]:
        """Rows of one part of the split."""
        return np.flatnonzero(self.split == name)

    def joined(self) -> Material:
        """The same with the validation photos among the training photos."""
        return replace(self, split=np.where(self.split == "val", "train", self.split))


class StopRequestedError(Exception):
    """A person asked to stop before there was anything to keep."""


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
    importing = threading.Thread(target=_import_keras, name="import-keras", daemon=True)
    importing.start()
    update(device=plan.device)

    enter("running", "features")
    began = time.monotonic()
    material = _gather(plan)
    clock.lap("features", began)
    if run.stop_requested:
        raise StopRequestedError
    if plan.choice.note:
        run.append_event("warning", text=plan.choice.note)

    from translearn_core import model as graphs

    importing.join()
    _seed(plan.settings.seed)
    enter("running", "head")
    began = time.monotonic()
    head = graphs.build_head(plan.backbone.features, len(material.classes), plan.settings)
    epochs = _fit_head(plan, material, head)
    val_accuracy = _val_accuracy(material, head, material.pooled)
    if _refits(plan, material):
        head = _refit_head(plan, material, head)
    clock.lap("head", began)

    network = _Network(plan)
    if plan.fine_tunes and not run.stop_requested:
        enter("running", "fine_tune")
        began = time.monotonic()
        epochs += _fine_tune(plan, material, network, head, epochs)
        clock.lap("fine_tune", began)
        val_accuracy = _val_accuracy(material, _learner(network, material, head), material.cut)

    stopped = run.stop_requested
    enter("running", "evaluate")
    answers = _evaluate(plan, material, network, head, val_accuracy)
    enter("running", "save")
    proof = _save(plan, material, network, head, answers)
    _write_figures(plan, material, answers, proof, clock, epochs, stopped)
    return not stopped


def _import_keras() -> None:
    """Import Keras while photos are being decoded: it takes seconds."""
    import keras

    logger.info("Keras %s", keras.__version__)


def _seed(seed: int) -> None:
    import keras

    keras.utils.set_random_seed(seed)


def make_plan(run: Run) -> Plan:
    """Settle what a run is going to do.

    Raises:
        InputError: the data set, the settings or the weights do not allow it.
    """
    settings = run.config.settings
    dataset = datasets.open_dataset(Path(run.config.dataset))
    datasets.check_ready(dataset)
    backbone = (
        backbones.get_backbone(settings.backbone)
        if settings.backbone
        else backbones.default_backbone()
    )
    return Plan(
        run=run,
        dataset=dataset,
        settings=settings,
        configuration=load_configuration(),
        backbone=backbone,
        choice=backbones.freeze_choice(backbone, settings.freeze, settings.freeze_layer),
        size=backbones.image_size_for(backbone, settings),
        device=prepare_device(),
    )


class _Network:
    """The backbone of a run, built when it is first needed and cut in two."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parts: tuple[Any, Any] | None = None

    @property
    def is_built(self) -> bool:
        """Whether anything asked for the network yet."""
        return self._parts is not None

    @property
    def parts(self) -> tuple[Any, Any]:
        """Frozen prefix (pixels in) and suffix (None when all is frozen)."""
        if self._parts is None:
            from translearn_core import model as graphs

            plan = self._plan
            backbone = graphs.build_backbone(
                plan.backbone,
                size=plan.size,
                weights=plan.settings.weights,
                seed=plan.settings.seed,
            )
            self._parts = graphs.split_at(backbone, plan.choice.cut_layer)
        return self._parts

    def assemble(self, head: Any) -> Any:
        """Pixels to probabilities, as one model."""
        from translearn_core import model as graphs

        return graphs.assemble(*self.parts, head)


# --- Features -----------------------------------------------------------------------------------


def _gather(plan: Plan) -> Material:
    """Have every photo decoded, checked and run through the frozen part; then split."""
    outputs, cut_name = _choose_outputs(plan)
    dataset = plan.dataset
    at_once = list(outputs)
    if (
        plan.settings.augmentation == "mirror"
    ):  # cheap enough to be made of every photo, in one pass
        at_once += [_output(plan, o.key.cut, 1) for o in outputs if o.key.cut != "pixels"]
    speed = _run_pass(plan, at_once, list(dataset.photos["path"]))
    datasets.check_ready(dataset)
    split = datasets.assign_splits(
        dataset,
        validation_share=plan.settings.validation_share,
        test_share=plan.settings.test_share,
        seed=plan.settings.seed,
    )
    photos = dataset.photos.reset_index(drop=True)
    parts = split.loc[photos["path"]].to_numpy(dtype=str)
    learned = parts != "test" if plan.settings.refit and not plan.fine_tunes else parts == "train"
    views = _gather_views(plan, outputs, photos[learned])
    hashes = list(photos["sha256"])
    tables = {output.key.cut: _open(plan, output.key).table(hashes) for output in outputs}
    classes = list(dataset.classes)
    codes = {name: code for code, name in enumerate(classes)}
    cut: Any = tables.get(cut_name)
    if cut_name == "photos":
        paths = [dataset.photo_path(path) for path in photos["path"]]
        cut = PhotoSource(paths, plan.size)
    view_rows = np.flatnonzero(learned)
    return Material(
        photos=photos,
        classes=classes,
        labels=np.array([codes[name] for name in photos["class_name"]], np.int64),
        split=parts,
        pooled=tables["pooled"],
        cut=cut,
        cut_is_pixels=cut_name in ("pixels", "photos"),
        views_pooled=tuple(_Spread(t["pooled"], view_rows, len(photos)) for t in views),
        views_cut=tuple(
            _Spread(t[cut_name], view_rows, len(photos)) for t in views if cut_name in t
        ),
        photos_per_s=speed,
    )


class _Spread:
    """A table of the training photos only, addressed by the rows of all photos."""

    def __init__(self, table: FeatureTable, rows: npt.NDArray[np.int64], total: int) -> None:
        self._table = table
        self._place = np.full(total, -1, np.int64)
        self._place[rows] = np.arange(len(rows))
        self.shape = table.shape

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """See `fitting.Source`."""
        return self._table.take(self._place[rows])


class PhotoSource:
    """Photos decoded as they are asked for: where nothing of them fits into the cache."""

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self._paths = list(paths)
        self.shape = (len(self._paths), size, size, 3)
        self._size = size

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """Photos `(len(rows), size, size, 3) uint8`; one that vanished since is grey."""
        result = np.full((len(rows), self._size, self._size, 3), 128, np.uint8)
        chosen = [self._paths[row] for row in rows]
        for place, photo in datasets.iterate_photos(chosen, size=self._size):
            if not isinstance(photo, PhotoError):
                result[place] = photo.image
        return result


def _choose_outputs(plan: Plan) -> tuple[list[Output], str]:
    """What to keep of each photo, and the name of what the unfrozen part is fed with.

    The head always learns on pooled features. An unfrozen part is fed, in order of preference,
    with what comes out at the cut, with the decoded photos, or with photos decoded afresh in
    every epoch: the first that the cache has room for.
    """
    outputs = [_output(plan, "pooled")]
    if not plan.fine_tunes:
        return outputs, ""
    n = len(plan.dataset.photos)
    room = plan.configuration.cache_bytes * 0.9
    copies = 1 + VIEWS[plan.settings.augmentation] * (1 - plan.settings.test_share)
    pixels_bytes = n * plan.size * plan.size * 3
    if plan.choice.cut_layer is not None:
        cut_bytes = n * copies * _cut_values(plan) * 2
        if cut_bytes <= room:
            return [*outputs, _output(plan, plan.choice.cut_layer)], plan.choice.cut_layer
        _warn_no_room(plan, cut_bytes)
    if pixels_bytes <= room:
        return [*outputs, _output(plan, "pixels")], "pixels"
    return outputs, "photos"


def _cut_values(plan: Plan) -> int:
    """Numbers that come out at the cut for one photo, about."""
    if plan.settings.freeze_layer:  # maybe within a block, whose shape only the graph knows
        prefix, _suffix = _Network(plan).parts
        return int(np.prod(prefix.output_shape[1:]))
    graph = backbones.blocks_of(plan.backbone)
    height, width, channels = graph.blocks[plan.choice.frozen_blocks - 1].output
    scale = (plan.size / plan.backbone.input_size) ** 2
    return int(height * width * channels * scale) + 1


def _warn_no_room(plan: Plan, needed_bytes: float) -> None:
    plan.run.append_event(
        "warning",
        text=_(
            "What the frozen blocks see of all photos would take {needed:.1f} GB, more than the "
            "cache may hold ({room:.1f} GB). They run again in every epoch, which is slower. "
            "Raise `cache_bytes` in config.toml, or freeze fewer or more blocks."
        ).format(needed=needed_bytes / 2**30, room=plan.configuration.cache_bytes / 2**30),
    )


def _output(plan: Plan, cut: str, view: int = 0) -> Output:
    """One thing to keep of each photo: which, through which engine, in which type."""
    stores = {"pooled": np.float32, "pixels": np.uint8}
    key = plan.key(cut, view)
    return Output(
        key=key,
        open_engine=None if cut == "pixels" else lambda: _open_engine(plan, cut),
        store=np.dtype(stores.get(cut, np.float16)),
        root=_root(plan, key),
    )


def _root(plan: Plan, key: FeatureKey) -> Path:
    """The shared cache; or a place of the run's own where the cache is switched off."""
    return cache_folder() if plan.configuration.cache_bytes else plan.run.folder / "cache"


def _open(plan: Plan, key: FeatureKey) -> FeatureCache:
    return FeatureCache(key, root=_root(plan, key))


def _open_engine(plan: Plan, cut: str) -> Engine:
    """The engine from pixels to `cut`."""

    def build() -> Any:
        from translearn_core import model as graphs

        network = graphs.build_backbone(
            plan.backbone, size=plan.size, weights=plan.settings.weights, seed=plan.settings.seed
        )
        layer = graphs.cut_points(network)[-1] if cut == "pooled" else cut
        prefix, _suffix = graphs.split_at(network, layer)
        return prefix

    path = cache_folder() / "engines" / f"{plan.key(cut).digest}.xml"
    return open_prefix_engine(path, build)


def _run_pass(plan: Plan, outputs: list[Output], paths: list[str]) -> float | None:
    """Decode what is not cached yet; record facts and what had to be left out. Photos per second."""
    known = dict(zip(plan.dataset.photos["path"], plan.dataset.photos["sha256"], strict=True))
    caches = [FeatureCache(output.key, root=output.root) for output in outputs]
    missing = [
        path
        for path in paths
        if not known.get(path) or not all(known[path] in cache for cache in caches)
    ]
    if not missing:
        return None
    result = extract(
        [plan.dataset.photo_path(path) for path in missing],
        outputs,
        progress=_progress(plan, len(paths) - len(missing)),
        stop=lambda: plan.run.stop_requested,
    )
    if result.stopped:
        raise StopRequestedError
    facts: dict[str, PhotoFacts] = {missing[i]: found for i, found in result.facts.items()}
    reasons = {missing[i]: reason for i, reason in result.left_out.items()}
    plan.dataset.record_facts(facts, reasons)
    if reasons:
        names = ", ".join(Path(path).name for path in list(reasons)[:3])
        text = _("{n} files could not be read and are left out: {names} …")
        plan.run.append_event("warning", text=text.format(n=len(reasons), names=names))
    if len(missing) >= 50:  # a pass long enough to tell the next person by
        jobs.record_speed(plan.backbone.name, pass_per_s=round(result.photos_per_s, 2))
    return result.photos_per_s


def _progress(plan: Plan, before: int) -> Callable[[int, int, float], None]:
    """Tells the run how far a pass is, a few times a second."""
    told = 0.0

    def tell(done: int, total: int, per_s: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < 0.25 and done < total:
            return
        told = now
        plan.run.append_event(
            "progress",
            stage="features",
            done=before + done,
            total=before + total,
            per_s=round(per_s, 1),
            left_s=round((total - done) / max(per_s, 1e-6), 1),
        )

    return tell


def _gather_views(
    plan: Plan, outputs: list[Output], photos: pd.DataFrame
) -> list[dict[str, FeatureTable]]:
    """Features of the varied views of the training photos, a dictionary by cut for each view."""
    strength: Strength = plan.settings.augmentation
    views = []
    cuts = [output.key.cut for output in outputs if output.key.cut != "pixels"]
    wanted = [_output(plan, cut, view) for view in range(1, VIEWS[strength] + 1) for cut in cuts]
    if not wanted:
        return []
    _run_pass(plan, wanted, list(photos["path"]))
    hashes = list(photos["sha256"])
    for view in range(1, VIEWS[strength] + 1):
        views.append({cut: _open(plan, plan.key(cut, view)).table(hashes) for cut in cuts})
    return views


# --- Learning -----------------------------------------------------------------------------------


def _part(material: Material, name: str, source: Any, views: tuple[Any, ...], plan: Plan) -> Any:
    """The training or validation part, fed from `source`."""
    from translearn_core.fitting import Part, class_weights

    rows = material.rows(name)
    labels = material.labels[rows]
    balance = plan.settings.class_weighting and name == "train"
    weights = class_weights(labels, len(material.classes), balance)
    return Part(source=source, rows=rows, labels=labels, weights=weights, views=views)


def _fit_head(plan: Plan, material: Material, head: Any) -> int:
    from translearn_core.fitting import fit

    return fit(
        plan.run,
        head,
        _part(material, "train", material.pooled, material.views_pooled, plan),
        _part(material, "val", material.pooled, (), plan),
        settings=plan.settings,
        phase="head",
        epochs=plan.head_epochs,
        first_epoch=0,
    )


def _refits(plan: Plan, material: Material) -> bool:
    """Whether the head learns once more, from training and validation photos together."""
    given = (material.photos["split"] == "val").any()
    wanted = plan.settings.refit and not plan.fine_tunes and not plan.run.stop_requested
    return bool(wanted and not given and len(material.rows("val")))


def _refit_head(plan: Plan, material: Material, head: Any) -> Any:
    """A head that learned from training and validation photos, over the whole schedule.

    On small sets the few validation photos are a noisy judge of single epochs: stopping by them
    cost 3 points of accuracy on real photos against a schedule that runs to its end, and the
    photos themselves are worth another point.

    The one that was handed in is kept when a person stops in the middle.
    """
    from translearn_core import model as graphs
    from translearn_core.fitting import fit

    together = material.joined()
    fresh = graphs.build_head(plan.backbone.features, len(material.classes), plan.settings)
    fit(
        plan.run,
        fresh,
        _part(together, "train", together.pooled, together.views_pooled, plan),
        _part(together, "val", together.pooled, (), plan),
        settings=plan.settings,
        phase="head",
        epochs=plan.head_epochs,
        first_epoch=0,
        quiet=True,
    )
    return head if plan.run.stop_requested else fresh


def _val_accuracy(material: Material, model: Any, source: Any) -> float | None:
    """Share of validation photos that `model` names right; None without any."""
    from translearn_core.fitting import predict_rows

    rows = material.rows("val")
    if not len(rows):
        return None
    answered = predict_rows(model, source, rows).argmax(axis=1)
    return float((answered == material.labels[rows]).mean())


def _fine_tune(
    plan: Plan, material: Material, network: _Network, head: Any, first_epoch: int
) -> int:
    """Train the unfrozen part and the head together, from where the head stopped."""
    from translearn_core import model as graphs
    from translearn_core.fitting import fit

    _prefix, suffix = network.parts
    graphs.set_trainable(suffix, batch_norm=plan.settings.weights == "random")
    learner = _learner(network, material, head)
    strength: Strength = plan.settings.augmentation if material.cut_is_pixels else "none"
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
    )


def _learner(network: _Network, material: Material, head: Any) -> Any:
    """The model that is fed with the material's cut: suffix and head, with the prefix for pixels."""
    import keras

    prefix, suffix = network.parts
    prefix.trainable = False
    parts = [prefix, suffix, head] if material.cut_is_pixels else [suffix, head]
    inputs = x = keras.Input(parts[0].input_shape[1:])
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x, name="learner")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the trained model says: probabilities `(n, classes) float32` by row."""

    test_rows: npt.NDArray[np.int64]
    test: Array
    val_accuracy: float | None


def _evaluate(
    plan: Plan, material: Material, network: _Network, head: Any, val_accuracy: float | None
) -> Answers:
    """Judge the test photos with the weights that were kept, from cached features."""
    from translearn_core.fitting import predict_rows

    tuned = plan.fine_tunes and network.is_built
    model = _learner(network, material, head) if tuned else head
    rows = material.rows("test")
    answers = predict_rows(model, material.cut if tuned else material.pooled, rows)
    return Answers(test_rows=rows, test=answers, val_accuracy=val_accuracy)


# --- What a run leaves --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How far the saved model, loaded afresh, is from the path that was measured."""

    parity_max_diff: float
    openvino_max_diff: float | None
    trainable_weights: int
    model_bytes: int


def _save(plan: Plan, material: Material, network: _Network, head: Any, answers: Answers) -> Proof:
    """Put the model together, save it, load it afresh and hold it against the measured path."""
    from translearn_core import model as graphs

    assembled = network.assemble(head)
    trainable = sum(int(np.prod(weight.shape)) for weight in assembled.trainable_weights)
    folder = plan.run.folder
    graphs.save_model(assembled, plan.run.model_path)
    content = {"schema_version": 1, "classes": material.classes, "image_size": plan.size}
    write_atomically(folder / "labels.json", json.dumps(content, ensure_ascii=False, indent=1))

    chosen = np.linspace(0, len(answers.test_rows) - 1, PARITY_PHOTOS).round().astype(int)
    chosen = np.unique(chosen)
    paths = [
        plan.dataset.photo_path(path)
        for path in material.photos["path"].iloc[answers.test_rows[chosen]]
    ]
    photos, kept = _decode_sample(paths, plan.size)
    expected = answers.test[chosen][kept]
    loaded = graphs.load_model(plan.run.model_path)
    received = np.asarray(loaded.predict_on_batch(photos.astype(np.float32)), np.float32)
    difference = float(np.abs(received - expected).max()) if len(kept) else 0.0
    if difference > 0.02:
        logger.error("The saved model differs from the measured path by %.3g", difference)
        plan.run.append_event(
            "warning",
            text=_(
                "The saved model answers a little differently from the one that was measured: "
                "probabilities differ by up to {difference:.1%}."
            ).format(difference=difference),
        )
    return Proof(
        parity_max_diff=difference,
        openvino_max_diff=_save_openvino(loaded, plan.run.openvino_path, photos, received),
        trainable_weights=trainable,
        model_bytes=plan.run.model_path.stat().st_size,
    )


def _decode_sample(paths: Sequence[Path], size: int) -> tuple[Array, list[int]]:
    """Photos `(n, size, size, 3) uint8` and which of the paths they are."""
    images, kept = [], []
    for place, photo in datasets.iterate_photos(paths, size=size):
        if not isinstance(photo, PhotoError):
            images.append(photo.image)
            kept.append(place)
    return np.stack(images) if images else np.empty((0, size, size, 3), np.uint8), kept


def _save_openvino(model: Any, path: Path, photos: Array, expected: Array) -> float | None:
    """Keep a copy for quick predictions without TensorFlow, if it answers as the model does."""
    try:
        convert_to_openvino(model, path)
        received = run_engine(OpenVINOEngine(path), photos) if len(photos) else expected
    except TransLearnError:
        raise
    except Exception:  # any failure has one answer: predictions go through Keras
        logger.exception("No OpenVINO copy of this model")
        return None
    difference = float(np.abs(received - expected).max()) if len(photos) else 0.0
    if difference > PARITY_TOLERANCE:
        logger.warning("The OpenVINO copy differs by %.3g and is not kept", difference)
        path.unlink(missing_ok=True)
        path.with_suffix(".bin").unlink(missing_ok=True)
    return difference


def _write_figures(
    plan: Plan,
    material: Material,
    answers: Answers,
    proof: Proof,
    clock: Clock,
    epochs: int,
    stopped: bool,
) -> None:
    """Write predictions.parquet and, last, metrics.json."""
    run, classes = plan.run, material.classes
    truth = material.labels[answers.test_rows]
    labels = answers.test.argmax(axis=1)
    correct = int((labels == truth).sum())
    _write_predictions(run, material, answers, truth, labels)
    confusion = confusion_matrix(truth, labels, len(classes))
    majority = int(np.bincount(material.labels[material.rows("train")]).argmax())
    import_s = run.config.import_s
    seconds = {name: round(value, 3) for name, value in clock.seconds.items()}
    total_s = time.monotonic() - clock.started + import_s
    warnings = [e["text"] for e in run.events()[0] if e["kind"] == "warning"]
    n = len(answers.test_rows)
    figures = {
        "schema_version": 1,
        "run_dir": str(run.folder),
        "state": "stopped" if stopped else "finished",
        "dataset": plan.dataset.name,
        "classes": classes,
        "blocks": plan.choice.blocks,
        "frozen_blocks": plan.choice.frozen_blocks,
        "n_train": len(material.rows("train")),
        "n_val": len(material.rows("val")),
        "n_test": n,
        "left_out": _left_out(plan.dataset),
        "backbone": plan.backbone.name,
        "image_size": plan.size,
        "cut_layer": plan.choice.cut_layer,
        "frozen_layers": plan.choice.frozen_layers,
        "total_layers": plan.choice.total_layers,
        "trainable_weights": proof.trainable_weights,
        "val_accuracy": answers.val_accuracy,
        "test_accuracy": correct / n if n else None,
        "test_correct": correct,
        "test_interval": list(wilson_interval(correct, n)),
        "majority_accuracy": float((truth == majority).mean()) if n else None,
        "majority_class": classes[majority],
        "per_class": [vars(figure) for figure in class_figures(confusion, classes)],
        "confusion": confusion.tolist(),
        "epochs_run": epochs,
        "fine_tuned": "fine_tune" in seconds,
        "parity_max_diff": proof.parity_max_diff,
        "openvino_max_diff": proof.openvino_max_diff,
        "model_bytes": proof.model_bytes,
        "seconds": {"total": round(total_s, 3), "import": round(import_s, 3)}
        | {name: seconds.get(name, 0.0) for name in ("features", "head", "fine_tune")},
        "photos_per_s": round(material.photos_per_s, 1) if material.photos_per_s else None,
        "device": plan.device,
        "settings": plan.settings.model_dump(),
        "warnings": warnings,
    }
    write_atomically(run.folder / "metrics.json", json.dumps(figures, ensure_ascii=False, indent=1))


def _left_out(dataset: Dataset) -> list[dict[str, str]]:
    """What was left out of the data set, as `{file, reason}`."""
    frame = dataset.left_out
    return [
        {"file": str(file), "reason": str(reason)}
        for file, reason in zip(frame["file"], frame["reason"], strict=True)
    ]


def _write_predictions(
    run: Run, material: Material, answers: Answers, truth: Array, labels: Array
) -> None:
    names = np.array(material.classes, dtype=object)
    chosen = material.photos.iloc[answers.test_rows]
    frame = pd.DataFrame(
        {
            "path": chosen["path"].to_numpy(),
            "file": chosen["file"].to_numpy(),
            "truth": names[truth],
            "label": names[labels],
            "confidence": answers.test.max(axis=1) if len(labels) else np.empty(0),
            "correct": labels == truth,
        }
    )
    for index in range(len(names)):
        frame[f"p_{index}"] = answers.test[:, index]
    temporary = run.folder / ".predictions.tmp"
    frame.to_parquet(temporary, index=False)
    replace_file(temporary, run.folder / "predictions.parquet")
