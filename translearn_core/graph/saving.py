"""A Keras model and its `.keras` file.

Owns: writing it atomically, and reading it in safe mode, which runs no code of the file.
Leaves to others: which file of a run it is (`runs/`), models from elsewhere (`model_import/`).
"""

from __future__ import annotations

import secrets
from pathlib import Path

import keras

from translearn_core.atomic import replace_file
from translearn_core.errors import RunError
from translearn_core.i18n import _


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file; a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.stem}.keras")
    try:
        model.save(temporary)
        replace_file(temporary, path)
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
