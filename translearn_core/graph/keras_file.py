"""The `.keras` file of a model whose backbone is a recorded graph, without TensorFlow or Keras.

Owns: writing the file that Keras would write, and reading it back as a graph that can be converted.
Leaves to others: recorded graphs (`recorded.py`), recording how Keras describes them (`description.py`),
the same through Keras (`saving.py`), converting (`convert.py`).

A file is a zip of `config.json` (the layers, their settings and what each reads), `metadata.json` and
`model.weights.h5` (`layers/<group>_<number>/vars/<number>`). What Keras says of a layer beside what the
record has is in the record's part `saved`: `kinds` for the layers of the backbone and `tail` for those after
it, each `{module, registered_name, group, config, built, nested, kwargs}`; `order`, the positions of operations as
the file lists them; `differs`, by name, settings that differ from the kind's; `bare`, names of operations
that are no layers, whose kinds begin with "bare "; and `keras`, the version whose files they are. A test holds this against what Keras writes for each recorded backbone.
"""

from __future__ import annotations

import io
import json
import secrets
import time
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.atomic import replace_file
from translearn_core.backbones import Backbone
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.graph.recorded import (
    Node,
    Operation,
    RecordedModel,
    Tensor,
    has_record,
    lay_out,
    read_record,
    read_recorded_weights,
)

POOLING, HIDDEN, OUTPUT = "pooled", "head_hidden", "probabilities"
"""Names of layers after the backbone."""
NAME = "translearn"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


@lru_cache(maxsize=64)
def can_be_written(backbone: Backbone) -> bool:
    """Whether models with this backbone can be written, all of it frozen, as the installed Keras would."""
    if not has_record(backbone):
        return False
    saved = read_record(backbone).get("saved")
    return bool(saved and saved["keras"] == version("keras"))


# --------------------------------------------------------------------------------------- writing


def write_model(
    path: Path, backbone: Backbone, *, size: int, head: DenseHead, dropout: float
) -> None:
    """Write a model: a backbone with the weights of its file, global average pooling, a head.

    A reader sees the old file or the new one, never a part.

    Args:
        path: of the `.keras` file.
        backbone: see `can_be_written`.
        size: side of the photos in pixels.
        head: one or two layers.
        dropout: what the head learned with; it has no effect on answers.

    Raises:
        ValueError, OSError, KeyError, WeightsError: the weights cannot be read, or do not fit.
    """
    record = read_record(backbone)
    weights = read_recorded_weights(backbone, record)
    arrays = {name: list(own.values()) for name, own in weights.items()}
    write_file(path, record, arrays, size=size, head=head, dropout=dropout)


def write_file(
    path: Path,
    record: Mapping[str, Any],
    weights: Mapping[str, Sequence[Array]],
    *,
    size: int,
    head: DenseHead,
    dropout: float,
) -> None:
    """The same with given weights of the backbone, by layer in the order of its variables."""
    widths = [len(layer.bias) for layer in head.layers]
    arrays = dict(weights)
    for name, layer in zip([HIDDEN, OUTPUT][-len(widths) :], head.layers, strict=True):
        arrays[name] = [layer.kernel, layer.bias]
    description = describe_model(record, size, widths, dropout)
    places = _places(description["config"]["layers"], record["saved"])
    metadata = {
        "keras_version": record["saved"]["keras"],
        "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S"),
    }
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.stem}.keras")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(METADATA, json.dumps(metadata))
            archive.writestr(CONFIG, json.dumps(description))
            archive.writestr(WEIGHTS, _as_hdf5(places, arrays))
        replace_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def describe_model(
    record: Mapping[str, Any], size: int, widths: Sequence[int], dropout: float
) -> dict[str, Any]:
    """What `config.json` says, without the marks that say which settings were one object in memory.

    Args:
        record: of the backbone, with its part `saved`.
        size: side of the photos in pixels.
        widths: of the layers of the head.
        dropout: of the head.
    """
    saved = record["saved"]
    nodes = lay_out(record["operations"], size)
    in_order = [nodes[at] for at in saved["order"]]
    names = {id(node.output): node.operation.name for node in nodes}
    layers = [_layer(node, saved, "kinds", names) for node in in_order]
    for node in _tail(nodes[-1].output, widths, dropout):
        names[id(node.output)] = node.operation.name
        layers.append(_layer(node, saved, "tail", names))
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": NAME,
            "trainable": True,
            "layers": layers,
            "input_layers": [layers[0]["name"], 0, 0],
            "output_layers": [OUTPUT, 0, 0],
        },
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
    }


def _tail(maps: Tensor, widths: Sequence[int], dropout: float) -> list[Node]:
    """The operations after the backbone."""
    channels = maps.shape[-1]
    nodes = [
        Node(Operation("GlobalAveragePooling2D", POOLING, {}), [maps], Tensor((None, channels)))
    ]

    def add(kind: str, name: str, width: int, **attributes: Any) -> None:
        before = nodes[-1].output
        nodes.append(Node(Operation(kind, name, attributes), [before], Tensor((None, width))))

    add("Dropout", "head_dropout", channels, rate=dropout)
    for width in widths[:-1]:
        add("Dense", HIDDEN, width, units=width, activation="relu")
        add("Dropout", f"{HIDDEN}_dropout", width, rate=dropout)
    add("Dense", OUTPUT, widths[-1], units=widths[-1], activation="softmax")
    return nodes


def _layer(
    node: Node, saved: Mapping[str, Any], part: str, names: Mapping[int, str]
) -> dict[str, Any]:
    """The entry of one layer."""
    operation = node.operation
    kind = saved[part][_kind_of(operation.kind, operation.name, saved)]
    config = {"name": operation.name, **kind["config"]}
    for name, value in operation.attributes.items():
        if name in config:
            config[name] = getattr(value, "__name__", value)
    config |= saved["differs"].get(operation.name, {}) if "differs" in saved else {}
    config["name"] = operation.name
    read = [
        {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": list(tensor.shape),
                "dtype": "float32",
                "keras_history": [names[id(tensor)], 0, 0],
            },
        }
        for tensor in node.inputs
    ]
    tensors = iter(read)
    given = [next(tensors) if isinstance(one, Tensor) else one for one in node.numbers] or read
    layer: dict[str, Any] = {
        "module": kind["module"],
        "class_name": operation.kind,
        "config": config,
        "registered_name": kind["registered_name"],
    }
    if kind["built"]:
        shapes = [list(tensor.shape) for tensor in node.inputs]
        layer["build_config"] = {"input_shape": shapes if kind["nested"] else shapes[0]}
    layer["name"] = operation.name
    arguments = [given] if kind["nested"] else given
    layer["inbound_nodes"] = [{"args": arguments, "kwargs": kind["kwargs"]}] if read else []
    if not read:
        layer["config"]["batch_shape"] = list(node.output.shape)
    return layer


def _kind_of(kind: str, name: str, saved: Mapping[str, Any]) -> str:
    """What a kind is called in `kinds` and `tail`."""
    return f"bare {kind}" if name in saved["bare"] else kind


def described(text: str | bytes) -> Any:
    """A description without the marks that say which settings were one object in memory, and without
    how the model was compiled."""
    found = json.loads(text, object_hook=_without_mark)
    found.pop("compile_config", None)
    return found


def _without_mark(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("shared_object_id", None)
    return entry


def _as_hdf5(places: Sequence[tuple[str, str]], arrays: Mapping[str, Sequence[Array]]) -> bytes:
    """The weights of the layers, as Keras stores them."""
    import h5py  # type: ignore[import-untyped]

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars").attrs["name"] = NAME
        for place, name in places:
            group = file.create_group(f"{place}/vars")
            group.attrs["name"] = name
            for number, array in enumerate(arrays.get(name, ())):
                group[str(number)] = array
    return content.getvalue()


def _places(layers: Sequence[Mapping[str, Any]], saved: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where the weights of each layer are, and its name: `layers/conv2d`, `layers/conv2d_1`, …;
    operations that are no layers have no place."""
    kinds = saved["tail"] | saved["kinds"]
    seen: Counter[str] = Counter()
    places = []
    for layer in layers:
        group = kinds[_kind_of(layer["class_name"], layer["name"], saved)]["group"]
        if group:
            number = f"_{seen[group]}" if seen[group] else ""
            seen[group] += 1
            places.append((f"layers/{group}{number}", layer["name"]))
    return places


# --------------------------------------------------------------------------------------- reading


def read_model(path: Path, backbone: Backbone) -> tuple[RecordedModel, DenseHead]:
    """A file that `write_model` wrote, as what it says: a graph to convert, and its head.

    Layers, settings and what each reads are taken from the file; of the record only how the weights of a
    layer are called.

    Args:
        backbone: that of the model.

    Returns:
        The graph, `(n, size, size, 3)` -> probabilities `(n, classes)`, pooled features `(n, d)` and
        feature maps `(n, h, w, d)`; and its dense layers.

    Raises:
        ValueError, OSError, KeyError: it is no such file.
    """
    import h5py

    record = read_record(backbone)
    with zipfile.ZipFile(path) as archive:
        description = described(archive.read(CONFIG))
        stored = io.BytesIO(archive.read(WEIGHTS))
    layers = description["config"]["layers"]
    names = {record["operations"][at][1]: [*shapes] for at, shapes in record["weights"]}
    names |= {HIDDEN: ["kernel", "bias"], OUTPUT: ["kernel", "bias"]}
    places = {name: place for place, name in _places(layers, record["saved"])}
    shapes = _shapes(layers)
    tensors: dict[str, Tensor] = {}
    nodes = []
    with h5py.File(stored) as file:
        for layer in layers:
            name, attributes = layer["name"], dict(layer["config"])
            if isinstance(attributes.get("activation"), str):
                attributes["activation"] = SimpleNamespace(__name__=attributes["activation"])
            for number, variable in enumerate(names.get(name, ())):
                attributes[variable] = np.asarray(file[places[name]]["vars"][str(number)])
            given = [_given(one, tensors) for one in _arguments(layer)]
            inputs = [one for one in given if isinstance(one, Tensor)]
            tensors[name] = Tensor(shapes[name])
            operation = Operation(layer["class_name"], name, attributes)
            nodes.append(Node(operation, inputs, tensors[name], given))
    ends = (tensors[OUTPUT], tensors[POOLING], _before(nodes, POOLING))
    dense = [node.operation for node in nodes if node.operation.name in (HIDDEN, OUTPUT)]
    head = DenseHead.of_weights((layer.kernel, layer.bias) for layer in dense)
    return RecordedModel(nodes, ends), head


def _arguments(layer: Mapping[str, Any]) -> list[Any]:
    """What a layer is called with, one after the other."""
    if not layer["inbound_nodes"]:
        return []
    flat: list[Any] = []
    for one in layer["inbound_nodes"][0]["args"]:
        flat += one if isinstance(one, list) else [one]
    return flat


def _given(argument: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The tensor or the number that an argument stands for."""
    if isinstance(argument, dict):
        return tensors[argument["config"]["keras_history"][0]]
    return argument


def _shapes(layers: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """What each layer gives, by what is said where another one reads it; and the end."""
    shapes: dict[str, tuple[Any, ...]] = {OUTPUT: (None, layers[-1]["config"]["units"])}
    for layer in layers:
        for argument in _arguments(layer):
            if isinstance(argument, dict):
                name = argument["config"]["keras_history"][0]
                shapes[name] = tuple(argument["config"]["shape"])
    return shapes


def _before(nodes: Sequence[Node], name: str) -> Tensor:
    """What the operation of that name reads."""
    return next(node.inputs[0] for node in nodes if node.operation.name == name)
