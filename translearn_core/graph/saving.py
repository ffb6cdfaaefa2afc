"""A Keras model and its `.keras` file.

Owns: writing it atomically, and reading it in safe mode, which runs no code of the file.
Leaves to others: the file of a recorded graph without building it (`keras_file.py`), which file of a run it is (`runs/`), models from elsewhere (`model_import/`).
"""

from __future__ import annotations

import json
import secrets
import zipfile
from pathlib import Path

import keras
from keras.src.backend.common import global_state
from keras.src.saving import saving_lib

from translearn_core.atomic import replace_file
from translearn_core.errors import RunError
from translearn_core.graph.variables import made_quickly
from translearn_core.i18n import _

MIXED = '"mixed_float16"'
"""The name of Keras' policy of mixed precision, as it stands in a model's configuration."""


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file in float32; a reader sees the old one or the new one, never a part.

    A model that learned in mixed precision keeps its float32 weights and computes in float32 from
    then on, so that it answers alike on every machine.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.stem}.keras")
    remember_names()
    try:
        in_float32(model).save(temporary)
        replace_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remember_names() -> None:
    """Keep for Keras, in this thread, the names of what it passes over when it saves or loads layers.

    Keras 3.15 keeps them by itself under one name and looks for them under another, so that it makes
    a layer to find them for each one of the model: up to half of the time that loading takes.
    """
    find = getattr(saving_lib, "get_attr_skipset", None)
    for kind in ("Layer", "Functional"):
        name = f"saving_attr_skiplist_{kind}"
        if find is not None and global_state.get_global_attribute(name) is None:
            global_state.set_global_attribute(name, find(kind))


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
    with made_quickly():
        float32_model = keras.saving.deserialize_keras_object(plain, safe_mode=True)
    float32_model.set_weights(model.get_weights())
    return float32_model


def load_model(path: Path) -> keras.Model:
    """Read a `.keras` file in Keras' safe mode: no code of the file's own is run.

    Raises:
        RunError: there is no such file, or it is no model that can be read.
    """
    if not path.is_file():
        raise RunError(_("There is no model at {file}. Train one first.").format(file=path))
    try:
        return read_model(path)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            _("The model {file} cannot be read: {cause}. Train it again.").format(
                file=path, cause=str(error).splitlines()[0]
            )
        ) from error


def read_model(path: Path) -> keras.Model:
    """As `load_model`, with the errors of Keras."""
    remember_names()
    with made_quickly():
        return keras.saving.load_model(path, compile=False, safe_mode=True)
