"""Stores a file of weights that a person provides, once it is known to fit.

Leaves to others: where it belongs (`weights.py`), what it must hold (`weights_check.py`).
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from translearn_core.atomic import replace_file
from translearn_core.backbones.catalog import Backbone
from translearn_core.backbones.weights import weights_path
from translearn_core.backbones.weights_check import CHUNK_BYTES, find_wrong_file
from translearn_core.backbones.weights_folder import check_space, folder_errors
from translearn_core.errors import WeightsError
from translearn_core.i18n import _


def store_weights(backbone: Backbone, source: Path | BinaryIO) -> Path:
    """Store a file of weights that a user provides, after checking that it fits.

    Args:
        source: the file, or a stream of its bytes.

    Returns:
        Its path, under the name that Keras looks for.

    Raises:
        WeightsError: it is no weights file, or one of another network; a file that was there
            before stays as it was.
        StorageError: the disk is full or cannot be written.
    """
    path = weights_path(backbone)
    name = str(getattr(source, "name", "")) or path.name
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}.part")
    with folder_errors(path):
        try:
            if isinstance(source, Path):
                check_space(path, source.stat().st_size)
                shutil.copyfile(source, temporary)
            else:
                with temporary.open("wb") as file:
                    shutil.copyfileobj(source, file, CHUNK_BYTES)
            problem = find_wrong_file(backbone, temporary, check_hash=False)
            if problem:
                raise WeightsError(
                    _("{file} cannot be used for {title}: {problem} Bring {expected}.").format(
                        file=Path(name).name,
                        title=backbone.title,
                        problem=problem,
                        expected=backbone.weight_file,
                    )
                )
            replace_file(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path
