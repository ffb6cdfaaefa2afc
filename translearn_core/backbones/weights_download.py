"""Downloads files of weights: resumed where they broke off, verified before they get their names.

Owns: `download_weights`, `reachable`, and `<weight_file>.part` and its lock while one is under way.
Leaves to others: the address (`weights_addresses.py`), the folder (`weights.py`), what a file must hold
(`weights_check.py`). Units: `_bytes` bytes, `_s` seconds.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from translearn_core.atomic import replace_file
from translearn_core.backbones.catalog import Backbone
from translearn_core.backbones.weights import manual_step, weights_path, weights_status
from translearn_core.backbones.weights_addresses import download_address
from translearn_core.backbones.weights_check import CHUNK_BYTES, find_wrong_file
from translearn_core.backbones.weights_folder import check_space, folder_errors
from translearn_core.config import load_configuration
from translearn_core.errors import WeightsError
from translearn_core.i18n import _

log = logging.getLogger(__name__)
TIMEOUT_S = 20.0


def reachable(backbone: Backbone, *, timeout_s: float = 3.0) -> bool:
    """Whether the server of the weights answers for this file. Asks the network; may take time."""
    url = download_address(backbone.weight_url, backbone.weight_file)
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
    with folder_errors(status.path), _download_lock(backbone, part):
        if weights_path(backbone).is_file():  # another process has just finished it
            return status.path
        resumed = part.is_file() and part.stat().st_size > 0
        _fetch(backbone, status.url, part, progress, stop)
        problem = find_wrong_file(backbone, part, check_hash=True)
        if problem and resumed:
            log.warning("%s: %s Starting over.", part, problem)
            part.unlink()
            _fetch(backbone, status.url, part, progress, stop)
            problem = find_wrong_file(backbone, part, check_hash=True)
        if problem:
            part.unlink()
            raise WeightsError(
                _("What came from {url} is not usable: {problem} {by_hand}").format(
                    url=status.url, problem=problem, by_hand=manual_step(backbone)
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
            check_space(part, total - done)
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
            title=backbone.title, url=url, cause=cause, by_hand=manual_step(backbone)
        )
    )


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
