"""Allowed layers of an imported model.

Owns: the Keras modules whose objects are allowed, the exceptions (layers that hold code, read files
or process text), and the error that names the layer.
Leaves to others: reading the configuration out of the file (`inspect.py`).
"""

from __future__ import annotations

from typing import Any

from translearn_core.errors import InputError
from translearn_core.i18n import _

_MODULES = (
    *(
        f"{root}.{part}"
        for root in ("keras", "keras.src")
        for part in (
            "layers",
            "models",
            "activations",
            "initializers",
            "regularizers",
            "constraints",
            "dtype_policies",
        )
    ),
    "keras.src.engine",
    "keras.src.ops.numpy",
    "keras.src.ops.nn",
)
"""Keras modules whose objects are allowed, with their submodules."""

_TOP_LEVEL = frozenset({"DTypePolicy", "FloatDTypePolicy", "Functional", "Sequential", "Model"})
"""Allowed names of the module `keras` itself."""

_SINGLE = frozenset({("keras.src.applications.convnext", "LayerScale")})
"""Allowed objects of other modules: the layer of ConvNeXt and DINOv2 that scales channels."""

_FORBIDDEN = frozenset(
    {
        "Lambda",
        "TFSMLayer",
        "TorchModuleWrapper",
        "JaxLayer",
        "FlaxLayer",
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
        "Hashing",
        "Pipeline",
    }
)
"""Keras layers that hold code, open other files or process text."""

_VALUES = frozenset({"__keras_tensor__", "__tuple__", "__numpy__", "__tensor__", "__slice__"})
"""Values that Keras serialises like objects."""

_SKIPPED = frozenset({"compile_config", "quantization_config"})
"""Parts of a configuration that Keras does not open here."""


def check_config(config: Any, name: str) -> None:
    """Refuse a model's configuration that names anything but built-in layers.

    Raises:
        InputError: the message names the layer.
    """
    pending: list[Any] = [config]
    while pending:
        entry = pending.pop()
        if isinstance(entry, list):
            pending.extend(entry)
        elif isinstance(entry, dict):
            _check_object(entry, name)
            pending.extend(value for key, value in entry.items() if key not in _SKIPPED)


def _check_object(entry: dict[str, Any], file: str) -> None:
    if "class_name" not in entry:
        return
    kind = entry["class_name"]
    if kind in _VALUES:
        return
    if not isinstance(kind, str) or kind in _FORBIDDEN:
        raise _refuse_layer(file, str(kind))
    module, registered = entry.get("module"), entry.get("registered_name")
    is_function = kind == "function"
    if module == "builtins" and is_function and registered in (None, entry.get("config")):
        return  # the name of an activation
    known = isinstance(module, str) and (
        any(module == allowed or module.startswith(f"{allowed}.") for allowed in _MODULES)
        or (module == "keras" and kind in _TOP_LEVEL)
        or (module, kind) in _SINGLE
    )
    custom = registered is not None and registered != kind and ">" in str(registered)
    if not known or custom:
        raise _refuse_layer(file, kind if not is_function else str(entry.get("config")))


def _refuse_layer(file: str, kind: str) -> InputError:
    return InputError(
        _(
            "{file} is not opened: its part `{kind}` is not one of Keras' own layers for pictures, "
            "or may hold code. Build the model of such layers and save it again."
        ).format(file=file, kind=kind[:80])
    )
