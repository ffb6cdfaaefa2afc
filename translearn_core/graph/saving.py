"""A Keras model and its `.keras` file.

Owns: writing it atomically, and reading it in safe mode, which runs no code of the file; the model
that is read may be laid out ahead, while its weights are still being learned.
Leaves to others: which file of a run it is (`runs/`), models from elsewhere (`model_import/`).
"""

from __future__ import annotations

import json
import secrets
import zipfile
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from translearn_core.atomic import replace_file
from translearn_core.errors import RunError
from translearn_core.i18n import _

MIXED = '"mixed_float16"'
"""The name of Keras' policy of mixed precision, as it stands in a model's configuration."""


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file in float32; a reader sees the old one or the new one, never a part.

    A model that learned in mixed precision keeps its float32 weights and computes in float32 from
    then on, so that it answers alike on every machine.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.stem}.keras")
    try:
        in_float32(model).save(temporary)
        replace_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def in_float32(model: keras.Model) -> keras.Model:
    """The same model without mixed precision; itself where it has none. Weights are copied."""
    if all(layer.dtype_policy.name == "float32" for layer in model._flatten_layers()):
        return model  # to ask the layers is quicker than to describe the model
    content = keras.saving.serialize_keras_object(model)
    content.pop("compile_config", None)
    text = json.dumps(content)
    if MIXED not in text:
        return model
    plain = json.loads(text.replace(MIXED, '"float32"'))
    float32_model = keras.saving.deserialize_keras_object(plain, safe_mode=True)
    float32_model.set_weights(model.get_weights())
    return float32_model


@dataclass(frozen=True)
class Layout:
    """A model made of a description alone, as reading a file makes it, before its weights are read.

    Attributes:
        description: what `config.json` in the file says.
        model: its weights are random.
    """

    description: Any
    model: keras.Model


def lay_out(like: keras.Model) -> Layout:
    """Make the model that a file of `like` describes; takes most of the time of `load_model`."""
    description = _described(
        json.dumps(keras.saving.serialize_keras_object(like)).replace(MIXED, '"float32"')
    )
    model = keras.saving.deserialize_keras_object(deepcopy(description), safe_mode=True)
    return Layout(description, model)


def load_model(path: Path, layout: Layout | None = None) -> keras.Model:
    """Read a `.keras` file in Keras' safe mode: no code of the file's own is run.

    Args:
        layout: used up where it is what the file describes; else the file is read as a whole.

    Raises:
        RunError: there is no such file, or it is no model that can be read.
    """
    if not path.is_file():
        raise RunError(_("There is no model at {file}. Train one first.").format(file=path))
    try:
        if layout is not None and _description(path) == layout.description:
            layout.model.load_weights(path)
            return layout.model
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            _("The model {file} cannot be read: {cause}. Train it again.").format(
                file=path, cause=str(error).splitlines()[0]
            )
        ) from error


def _description(path: Path) -> Any:
    """What a file says of its model."""
    with zipfile.ZipFile(path) as archive:
        return _described(archive.read("config.json"))


def _described(text: str | bytes) -> Any:
    """A description without the marks that say which settings were one object in memory."""
    return json.loads(text, object_hook=_without_mark)


def _without_mark(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("shared_object_id", None)
    return entry
