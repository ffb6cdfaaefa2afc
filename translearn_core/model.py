"""All Keras graph code: building a backbone, cutting it, the head, putting together, saving.

Owns: the functional graph from pixels to probabilities. Pixel scaling is part of it:
every model here takes `(n, h, w, 3) float32 in [0, 255]`.
Leaves to others: which backbones there are and what a person chose (`backbones.py`), running
a prefix over photos (`features.py`), training (`train.py`).

Words: an *operation* is a node of the graph (a layer, or a bare operation such as ConvNeXt's
adds). A *cut point* is an operation whose output is all that flows on from there. A *block*
is a stretch of the graph that ends in a cut point and that a person would name. *Prefix* and
*suffix* are the two sides of one cut.

Imports Keras when it is imported: not for the web process.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import keras

from translearn_core.backbones import Backbone, image_size_for, pixel_scaling
from translearn_core.config import Settings
from translearn_core.errors import RunError, SettingsError, WeightsError
from translearn_core.texts import _
from translearn_core.weights import weights_path, weights_status

__all__ = [
    "GraphBlock",
    "assemble",
    "build_backbone",
    "build_head",
    "cut_points",
    "describe_backbone",
    "describe_weights",
    "find_blocks",
    "image_size_for",
    "load_model",
    "save_model",
    "set_trainable",
    "split_at",
]

INPUT = "photo"
OUTPUT = "probabilities"
PIXELS = "pixels_"
"""Names of the operations that scale pixels begin so; they count as no layer of the backbone."""
POOLING = "pooled"


# -------------------------------------------------------------------------------- building


def build_backbone(
    backbone: Backbone,
    *,
    size: int | None = None,
    weights: Literal["imagenet", "random"] = "imagenet",
    seed: int = 0,
) -> keras.Model:
    """Build a backbone without its top, with its pixel scaling inside.

    Operations keep the names that Keras gives them in a fresh process, whatever was built
    before, so that cuts can be named in files.

    Args:
        backbone: a row of the table.
        size: side of the square photos in pixels; default the backbone's own.
        weights: `imagenet` reads the file in Keras' folder, `random` initialises afresh.
        seed: of the random weights. Sets the global random state of Keras, NumPy and Python.

    Returns:
        A functional model, `(n, size, size, 3) float32 in [0, 255]` -> feature maps
        `(n, h, w, c)`; its input is named `photo`.

    Raises:
        SettingsError: `size` is below the backbone's smallest.
        WeightsError: the weights are not on this machine, or do not fit.
    """
    size = backbone.input_size if size is None else size
    if size < backbone.min_size:
        image_size_for(backbone, Settings(image_size=size))  # raises with the sentence
    application = _call_builder(backbone, size, weights, seed)
    _restore_names(application)
    photo = keras.Input((size, size, 3), dtype="float32", name=INPUT)
    scaled = _scale_pixels(photo, backbone)
    feature_maps = _replay(application, scaled, after_normalization=backbone.after_normalization)
    return keras.Model(photo, feature_maps, name=backbone.name)


def _call_builder(
    backbone: Backbone, size: int, weights: Literal["imagenet", "random"], seed: int
) -> keras.Model:
    module, _colon, function = backbone.builder.rpartition(":")
    builder = getattr(import_module(module) if module else keras.applications, function)
    arguments = {**dict(backbone.arguments), "include_top": False, "input_shape": (size, size, 3)}
    if weights == "random":
        keras.utils.set_random_seed(seed)
        return builder(weights=None, **arguments)
    status = weights_status(backbone)
    if status.state != "ready":
        raise WeightsError(status.sentence)
    path = weights_path(backbone)
    try:
        return builder(weights=str(path), **arguments)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            _(
                "The weights file {file} does not fit {title}: {cause}. Delete it and download "
                "it again, or put the right file in its place."
            ).format(file=path, title=backbone.title, cause=str(error).splitlines()[0])
        ) from error


def _restore_names(model: keras.Model) -> None:
    """Number Keras' automatic names from zero again: `conv2d_94` -> `conv2d`, `_95` -> `_1`."""
    numbered: dict[str, list[tuple[int, Any]]] = {}
    for operation in model.operations:
        stem = _automatic_stem(operation)
        if stem:
            suffix = operation.name[len(stem) + 1 :]
            numbered.setdefault(stem, []).append((int(suffix or 0), operation))
    for stem, entries in numbered.items():
        entries.sort(key=lambda entry: entry[0])
        for index, (_number, operation) in enumerate(entries):
            operation.name = f"{stem}_{index}" if index else stem


def _automatic_stem(operation: Any) -> str:
    """`conv2d` when `operation` has the automatic name of its class, else an empty text."""
    stem: str = keras.src.utils.naming.to_snake_case(type(operation).__name__)
    return stem if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", operation.name) else ""


def _scale_pixels(photo: Any, backbone: Backbone) -> Any:
    """Pixels in [0, 255] -> what the backbone was trained on; built-in operations only."""
    scaling = pixel_scaling(backbone.pixels)
    x = photo  # (n, h, w, 3)
    if scaling is None:
        return keras.layers.Identity(name=f"{PIXELS}unchanged", dtype="float32")(x)
    if scaling.flip_channels:
        x = keras.src.ops.numpy.Flip(axis=-1, name=f"{PIXELS}bgr")(x)
    return keras.layers.Rescaling(
        scaling.scale, scaling.offset, name=f"{PIXELS}rescaling", dtype="float32"
    )(x)


# --------------------------------------------------------------------------- walking a graph


@dataclass(frozen=True)
class _Walk:
    """The nodes of a graph in topological order, with what flows where.

    `last_use[i]` is the position of the last node that reads the output of node `i`; `reads[i]`
    are the positions that node `i` reads.
    """

    nodes: tuple[Any, ...]
    reads: tuple[tuple[int, ...], ...]
    last_use: tuple[int, ...]

    def operation(self, position: int) -> Any:
        return self.nodes[position].operation


def _walk(model: keras.Model) -> _Walk:
    """Every node once, inputs first. The one place that looks into Keras' graph."""
    by_depth = model._nodes_by_depth
    nodes = tuple(node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth])
    made_at = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.output_tensors}
    reads = tuple(
        tuple(made_at[id(tensor)] for tensor in node.arguments.keras_tensors) for node in nodes
    )
    last_use = list(range(len(nodes)))
    for position, sources in enumerate(reads):
        for source in sources:
            last_use[source] = max(last_use[source], position)
    return _Walk(nodes, reads, tuple(last_use))


def _cut_positions(walk: _Walk) -> list[int]:
    """Positions whose output is all that flows on, without the inputs; in linear time.

    In any topological order a node lies on every path from input to output exactly when no
    edge passes over it, so one sweep that remembers the farthest reading so far finds them.
    """
    cuts: list[int] = []
    reach = 0
    for position, farthest in enumerate(walk.last_use):
        if reach <= position and walk.reads[position]:
            cuts.append(position)
        reach = max(reach, farthest)
    return cuts


def cut_points(model: keras.Model) -> list[str]:
    """Names of the operations where the graph can be cut in two, from pixels to features.

    Pixel scaling added by `build_backbone` is left out; the last name is the output.
    """
    walk = _walk(model)
    names = [walk.operation(position).name for position in _cut_positions(walk)]
    return [name for name in names if not name.startswith(PIXELS)]


def _replay(
    model: keras.Model,
    value: Any,
    *,
    start: str | None = None,
    end: str | None = None,
    after_normalization: tuple[float, ...] = (),
) -> Any:
    """Call the operations of `model` again, in order, on `value`; layers are shared.

    Args:
        value: stands for the model's input, or for the output of `start`.
        start: name of the operation after which to begin; default the input.
        end: name of the operation after which to end; default the output.
        after_normalization: see `Backbone.after_normalization`.

    Returns:
        The symbolic tensor that stands for the output of `end`, or of the model.
    """
    walk = _walk(model)
    tensors: dict[int, Any] = {}
    waiting = True
    for position, node in enumerate(walk.nodes):
        name = node.operation.name
        begins = name == start if start is not None else not walk.reads[position]
        if begins:
            tensors[id(node.output_tensors[0])] = value
            waiting = False
        elif not waiting:
            arguments, keywords = node.arguments.fill_in(tensors)
            result = node.operation(*arguments, **keywords)
            if after_normalization and isinstance(node.operation, keras.layers.Normalization):
                rescaling = keras.layers.Rescaling(
                    list(after_normalization), name=f"{PIXELS}after_normalization", dtype="float32"
                )
                result = rescaling(result)
            for old, new in zip(node.output_tensors, keras.tree.flatten(result), strict=True):
                tensors[id(old)] = new
        if name == end:
            return tensors[id(node.output_tensors[0])]
    return tensors[id(model.outputs[0])]


# --------------------------------------------------------------------------------- blocks


@dataclass(frozen=True)
class GraphBlock:
    """A stretch of a backbone that a person would name.

    `end` is the name of its last operation, a cut point; `operations` are the names of all of
    its operations in topological order.
    """

    title: str
    end: str
    operations: tuple[str, ...]


def find_blocks(model: keras.Model) -> list[GraphBlock]:
    """Group the graph into the architecture's own blocks, by structure alone.

    A block ends at a cut point where one of these holds:

    1. **Branches meet:** an addition or a concatenation ends a region of branches (ResNet,
       Inception), together with the activation right after it. A multiplication does not: it
       is a gate inside a block (squeeze and excitation). Nor does a concatenation that keeps
       its own input and is followed by another such one: the block is still growing
       (DenseNet).
    2. **Branches part:** the output is what such a region starts from.
    3. **Pooling:** on a plain chain, a pooling layer closes a block (VGG, a stem).
    4. **A linear bottleneck:** a convolution (and its normalisation) without an activation
       that is followed by the next convolution (MobileNetV2 where no addition can be).
    5. **A change of name:** on a plain chain, where the convolution before and the one after
       carry names with different first words (`stem_conv`, `block1a_project_conv`).

    A block holds at least one convolution or dense layer; a stretch without one belongs to the
    block after it, at the very end to the last block. A block therefore never ends between a
    convolution and its normalisation or activation.

    Returns:
        The blocks in order; the first one holds the input and the pixel scaling as well.
    """
    walk = _walk(model)
    ends = _block_ends(walk)
    blocks: list[GraphBlock] = []
    begin = 0
    for end in ends:
        operations = [walk.operation(position) for position in range(begin, end + 1)]
        names = tuple(operation.name for operation in operations)
        blocks.append(GraphBlock(_title(operations, len(blocks) + 1, model.name), names[-1], names))
        begin = end + 1
    return blocks


def _block_ends(walk: _Walk) -> list[int]:
    cuts = _cut_positions(walk)
    ends: list[int] = []
    has_weights = False
    for index, cut in enumerate(cuts):
        begin = cuts[index - 1] + 1 if index else 0
        has_weights |= any(_has_kernel(walk.operation(i)) for i in range(begin, cut + 1))
        if has_weights and index + 1 < len(cuts) and _ends_block(walk, cuts, index):
            ends.append(cut)
            has_weights = False
    if has_weights or not ends:
        ends.append(cuts[-1])
    else:
        ends[-1] = cuts[-1]
    return ends


def _ends_block(walk: _Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether one of the rules of `find_blocks` holds at the cut `index`, not the last."""
    here = walk.operation(cuts[index])
    following = walk.operation(cuts[index] + 1)
    if _opens_region(walk, cuts, index):  # rule 2, and rule 1 for what grows on
        return not (_is_growth(walk, cuts, index) and _is_growth(walk, cuts, index + 1))
    if _is_gate_region(cuts, index):
        return False
    if _is_merge(here) and _is_region(cuts, index - 1):  # rule 1
        return not _is_activation(following)
    if _is_activation(here) and index and _is_merge(walk.operation(cuts[index - 1])):
        return _is_region(cuts, index - 2)
    if isinstance(here, _pooling_layers()):  # rule 3
        return True
    next_kernel = _next_kernel(walk, cuts, index)
    if next_kernel is None:
        return False
    last_kernel = _last_kernel(walk, cuts[index])
    if _is_linear(here):  # rule 4
        return True
    before, after = _first_word(last_kernel), _first_word(next_kernel)  # rule 5
    return bool(before and after and before != after)


def _is_region(cuts: Sequence[int], index: int) -> bool:
    """Whether branches lie between the cut `index` and the next."""
    return index >= 0 and index + 1 < len(cuts) and cuts[index + 1] - cuts[index] > 1


def _opens_region(walk: _Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether the region after the cut `index` is one that closes by meeting, not by gating."""
    return _is_region(cuts, index) and not _is_gate(walk.operation(cuts[index + 1]))


def _is_gate_region(cuts: Sequence[int], index: int) -> bool:
    return _is_region(cuts, index)


def _is_growth(walk: _Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether the cut `index` concatenates something to the cut before it."""
    if index == 0 or not isinstance(walk.operation(cuts[index]), keras.layers.Concatenate):
        return False
    return cuts[index - 1] in walk.reads[cuts[index]]


def _is_merge(operation: Any) -> bool:
    return type(operation).__name__ in {"Add", "Concatenate", "Average", "Maximum", "Subtract"}


def _is_gate(operation: Any) -> bool:
    return type(operation).__name__ == "Multiply"


def _is_activation(operation: Any) -> bool:
    return "activation" in type(operation).__module__ or type(operation).__name__ in {
        "Relu",
        "Relu6",
        "Silu",
        "Gelu",
        "HardSwish",
        "HardSilu",
    }


def _is_normalization(operation: Any) -> bool:
    return isinstance(
        operation,
        keras.layers.BatchNormalization
        | keras.layers.LayerNormalization
        | keras.layers.GroupNormalization,
    )


def _is_linear(operation: Any) -> bool:
    """Whether `operation` is a convolution without activation, or a normalisation."""
    if _is_normalization(operation):
        return True
    activation = getattr(operation, "activation", None)
    return _has_kernel(operation) and activation is keras.activations.linear


def _has_kernel(operation: Any) -> bool:
    """Whether `operation` holds weights that mix channels or places, at any depth."""
    return any(len(weight.shape) >= 2 for weight in getattr(operation, "weights", []))


def _pooling_layers() -> tuple[type, ...]:
    return (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


def _next_kernel(walk: _Walk, cuts: Sequence[int], index: int) -> Any | None:
    """The convolution that comes next on the chain, nothing but padding between; else None."""
    for position in cuts[index + 1 :]:
        operation = walk.operation(position)
        if _has_kernel(operation):
            return operation
        if not isinstance(operation, keras.layers.ZeroPadding2D):
            return None
    return None


def _last_kernel(walk: _Walk, position: int) -> Any:
    """The last operation with a kernel up to `position`."""
    return next(
        walk.operation(i) for i in range(position, -1, -1) if _has_kernel(walk.operation(i))
    )


def _first_word(operation: Any) -> str:
    """`block1a` of `block1a_project_conv`; empty for an automatic name."""
    if _automatic_stem(operation):
        return ""
    match = re.match(r"[a-z]+_?\d+[a-z]?(?=_|$)|[a-z]+", operation.name.lower())
    return match.group() if match else ""


def _title(operations: Sequence[Any], number: int, model_name: str) -> str:
    """What the names of a block's convolutions have in common; else its end's name or `number`."""
    own = [op.name for op in operations if _has_kernel(op) and not _automatic_stem(op)]
    words = zip(*(name.split("_") for name in own), strict=False)
    common = "_".join(same[0] for same in takewhile(lambda word: len(set(word)) == 1, words))
    if len(own) == 1:  # `block1a_project_conv` -> `block1a`
        common = re.sub(r"(_[a-z]+)?_conv$", "", common)
    title = common.removeprefix(f"{model_name}_")
    if not title and not _automatic_stem(operations[-1]):
        title = operations[-1].name
    return title or ("stem" if number == 1 else f"block_{number}")


# -------------------------------------------------------------------------- cut and assemble


def split_at(model: keras.Model, cut_layer: str | None) -> tuple[keras.Model, keras.Model | None]:
    """Cut a backbone in two at a cut point; both sides share its layers.

    The prefix is frozen. Its output is pooled when nothing is left after the cut.

    Args:
        model: from `build_backbone`.
        cut_layer: a name out of `cut_points(model)`; None freezes nothing, so that the prefix
            only scales pixels.

    Returns:
        `(prefix, suffix)`. Prefix: `(n, h, w, 3) float32 in [0, 255]` -> the cut tensor. Suffix:
        the cut tensor -> pooled features `(n, c) float32`. When all is frozen the suffix is
        None and the prefix ends in the pooled features.

    Raises:
        SettingsError: `cut_layer` is no cut point of the model.
    """
    cuts = cut_points(model)
    if cut_layer is not None and cut_layer not in cuts:
        raise SettingsError(
            _("{model} cannot be cut at `{layer}`. Choose one of: {names}.").format(
                model=model.name, layer=cut_layer, names=", ".join(cuts)
            )
        )
    end = cut_layer or _last_pixel_operation(model)
    if end == cuts[-1]:
        prefix = keras.Model(model.input, _pool(model.output), name=f"{model.name}_prefix")
        _freeze(prefix)
        return prefix, None
    photo = keras.Input(model.input_shape[1:], dtype="float32", name=INPUT)
    at_cut = _replay(model, photo, end=end)
    prefix = keras.Model(photo, at_cut, name=f"{model.name}_prefix")
    _freeze(prefix)
    cut = keras.Input(at_cut.shape[1:], dtype=at_cut.dtype, name="cut")
    suffix = keras.Model(cut, _pool(_replay(model, cut, start=end)), name=f"{model.name}_suffix")
    return prefix, suffix


def _last_pixel_operation(model: keras.Model) -> str:
    walk = _walk(model)
    position = 0
    while _is_pixels(walk.operation(position + 1)):
        position += 1
    return str(walk.operation(position).name)


def _pool(feature_maps: Any) -> Any:
    """`(n, h, w, c)` -> `(n, c) float32`, also under mixed precision."""
    return keras.layers.GlobalAveragePooling2D(name=POOLING, dtype="float32")(feature_maps)


def _freeze(model: keras.Model) -> None:
    for layer in model.layers:
        layer.trainable = False


def set_trainable(suffix: keras.Model, *, batch_norm: bool = False) -> None:
    """Make every layer learn, but keep BatchNormalization in inference mode.

    Args:
        suffix: the unfrozen part.
        batch_norm: let BatchNormalization learn too, with quick statistics: for a network that
            starts from random weights, whose stored statistics mean nothing.

    Keras runs a BatchNormalization whose `trainable` is False with its stored statistics, and
    saves that flag, so that a loaded model behaves the same
    (https://keras.io/guides/transfer_learning/).
    """
    layers = [layer for layer in suffix._flatten_layers() if layer is not suffix]
    for layer in layers:
        layer.trainable = True
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = batch_norm
            if batch_norm:
                layer.momentum = 0.9


def build_head(features: int, classes: int, settings: Settings) -> keras.Model:
    """The new part that learns a person's classes.

    Args:
        features: width of the pooled features.
        classes: how many classes, at least 2.
        settings: `head`, `hidden_units`, `dropout` and `seed` are read.

    Returns:
        `(n, features) float32` -> `(n, classes) float32` probabilities that add up to 1.
        `linear` is dropout and a softmax layer; `hidden` has dropout and a dense ReLU layer
        before. The last layer is float32 under mixed precision as well.
    """
    keras.utils.set_random_seed(settings.seed)
    inputs = keras.Input((features,), dtype="float32", name="features")
    x = keras.layers.Dropout(settings.dropout, name="head_dropout")(inputs)  # (n, features)
    if settings.head == "hidden":
        x = keras.layers.Dense(settings.hidden_units, activation="relu", name="head_hidden")(x)
        x = keras.layers.Dropout(settings.dropout, name="head_hidden_dropout")(x)
    dense = keras.layers.Dense(classes, activation="softmax", name=OUTPUT, dtype="float32")
    return keras.Model(inputs, dense(x), name="head")  # (n, classes)


def assemble(prefix: keras.Model, suffix: keras.Model | None, head: keras.Model) -> keras.Model:
    """Put prefix, suffix and head together as one flat functional model that shares their layers.

    Returns:
        `photo`, `(n, h, w, 3) float32 in [0, 255]` -> `probabilities`, `(n, classes) float32`.
    """
    photo = keras.Input(prefix.input_shape[1:], dtype="float32", name=INPUT)
    x = _replay(prefix, photo)
    if suffix is not None:
        x = _replay(suffix, x)
    return keras.Model(photo, _replay(head, x), name="translearn")


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file; a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.stem}.keras")
    try:
        model.save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_model(path: Path) -> keras.Model:
    """Read a `.keras` file in Keras' safe mode: no code of the file's own is run.

    Raises:
        RunError: there is no such file, or it is no model that can be read.
    """
    if not path.is_file():
        raise RunError(_("There is no model at {file}. Train one first.").format(file=path))
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            _("The model {file} cannot be read: {cause}. Train it again.").format(
                file=path, cause=str(error).splitlines()[0]
            )
        ) from error


# ---------------------------------------------------------------------------- blocks.json


def describe_backbone(backbone: Backbone) -> dict[str, Any]:
    """Everything that the web process must know about a graph without building it.

    Returns:
        One entry of `data/blocks.json`: the fields of `backbones.BackboneGraph`.
    """
    model = build_backbone(backbone, weights="random")
    walk = _walk(model)
    cut_names = set(cut_points(model))
    operations = [op for op in map(walk.operation, range(len(walk.nodes))) if not _is_pixels(op)]
    names = [operation.name for operation in operations]
    cuts = [index for index, name in enumerate(names) if name in cut_names]
    layers = [isinstance(operation, keras.layers.Layer) for operation in operations]
    parameters = [_count_parameters(operation) for operation in operations]
    trainable = [_count_parameters(operation, trainable=True) for operation in operations]
    macs = [_count_macs(operation) for operation in operations]
    blocks = []
    begin = 0
    for block in find_blocks(model):
        end = names.index(block.end) + 1
        blocks.append(
            {
                "title": block.title,
                "end_layer": block.end,
                "layers": sum(layers[begin:end]),
                "parameters": sum(parameters[begin:end]),
                "macs": sum(macs[begin:end]),
                "output": list(operations[end - 1].output.shape[1:]),
            }
        )
        begin = end
    return {
        "layers": sum(layers),
        "parameters": sum(parameters),
        "trainable": sum(trainable),
        "macs": sum(macs),
        "blocks": blocks,
        "cuts": cuts,
        "layers_up_to": [sum(layers[: cut + 1]) for cut in cuts],
        "trainable_after": [sum(trainable[cut + 1 :]) for cut in cuts],
        "macs_up_to": [sum(macs[: cut + 1]) for cut in cuts],
        "names": " ".join(names),
    }


def describe_weights(backbone: Backbone) -> list[str]:
    """One entry of `data/weights.json`: for each layer with weights their shapes, as text.

    The order is that of Keras' pretrained files: trainable weights before the others.
    """
    application = _call_builder(backbone, backbone.min_size, "random", 0)
    layers = []
    for layer in application.layers:
        weights = layer.trainable_weights + layer.non_trainable_weights
        if weights:
            layers.append(" ".join("x".join(map(str, weight.shape)) for weight in weights))
    return layers


def _is_pixels(operation: Any) -> bool:
    return str(operation.name).startswith(PIXELS)


def _leaves(operation: Any) -> list[Any]:
    """The layers inside `operation`, or itself."""
    inner = getattr(operation, "layers", None)
    return [leaf for layer in inner for leaf in _leaves(layer)] if inner else [operation]


def _count_parameters(operation: Any, *, trainable: bool = False) -> int:
    """Weights of an operation; with `trainable` those that `set_trainable` lets learn."""
    count = 0
    for leaf in _leaves(operation):
        if trainable and isinstance(leaf, keras.layers.BatchNormalization):
            continue
        weights = getattr(leaf, "trainable_weights" if trainable else "weights", [])
        count += sum(math.prod(weight.shape) for weight in weights)
    return count


def _count_macs(operation: Any) -> int:
    """Multiply-accumulate operations of convolutions and dense layers for one photo.

    Each value of a kernel is used once per place of the output.
    """
    count = 0
    for leaf in _leaves(operation):
        kernels = [weight for weight in getattr(leaf, "weights", []) if len(weight.shape) >= 2]
        if kernels:
            places = math.prod(leaf.output.shape[1:-1])
            count += places * sum(math.prod(kernel.shape) for kernel in kernels)
    return count
