"""The models that are served, each under a name, and their versions.

Owns: opening a run for the service, looking after changes of its folder, and changing versions while
requests are answered.
Leaves to others: the answers (`prediction/predict.py`), batches (`batching.py`).

A run is named by its folder, or by a link to it (`current -> 2026-11-29`). The folder is looked at
every `LOOK_EVERY_S`: where the link leads elsewhere, or the files of the model have changed and then
stayed the same between two looks, the new version is opened and asked once beside the old one, and
takes its place. A request is answered to its end by the version that it began with. A version that
cannot be opened changes nothing: the old one answers on, and `problem` says why.

The confidence threshold is no part of a version: it is read with each batch, as by the app.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from translearn_core.arrays import Array
from translearn_core.concurrency import periodically
from translearn_core.config import load_configuration
from translearn_core.errors import PhotoError, RunError, SettingsError, TransLearnError
from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.imaging.stats import PhotoStats
from translearn_core.prediction.predict import Prediction, Predictor, predict_images
from translearn_core.runs import Run
from translearn_core.runs.model_files import COPY, FILE, REFERENCE, TASKS, content_hash
from translearn_core.runs.threshold import ConfidenceThreshold, read_threshold
from translearn_core.service.batching import Batcher
from translearn_core.service.figures import Figures
from translearn_core.service.refusals import RequestError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_FILES = (*COPY, TASKS, REFERENCE, "labels.json", FILE)
_Stamp = tuple[str, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A photo as a model takes it: `(size, size, 3) uint8`, and what was measured of it."""

    image: Array
    stats: PhotoStats | None = None


class Version:
    """An open model.

    Raises:
        RunError: the run has no model that can be served.
    """

    def __init__(self, name: str, folder: Path, stamp: _Stamp, figures: Figures) -> None:
        self.name = name
        self.stamp = stamp
        self.run = Run(Path(stamp[0]))
        self.predictor = Predictor(self.run, copy_only=True)
        if self.predictor.size < 1:
            raise RunError(
                _("labels.json of {folder} does not say the side of a photo. Train again.").format(
                    folder=folder
                )
            )
        self.id = content_hash(self.run)
        self._limits = load_configuration().limits
        self._figures = figures
        self._decision = read_threshold(self.run.folder)
        self._users = 0
        self._is_retired = False
        self._lock = threading.Lock()
        blank = np.zeros((1, self.predictor.size, self.predictor.size, 3), np.uint8)
        self.predictor.run(blank)  # the first answer takes longer
        self._batcher: Batcher[Asked, Prediction] = Batcher(self._answer, name=name)

    @property
    def decision(self) -> ConfidenceThreshold:
        """The confidence threshold as it is now; of a folder that is gone, as it was."""
        if self.run.folder.is_dir():
            self._decision = read_threshold(self.run.folder)
        return self._decision

    def decode(self, data: bytes) -> Asked | PhotoError:
        """A photo from the bytes of its file, or why it cannot be read."""
        try:
            photo = self.predictor.decode(data, limits=self._limits)
        except PhotoError as error:
            return error
        return Asked(image=photo.image, stats=photo.stats)

    def ask(self, photo: Asked) -> Future[Prediction]:
        """The prediction for a photo, with an empty `file`, later."""
        return self._batcher.ask(photo)

    def _answer(self, photos: list[Asked]) -> Sequence[Prediction]:
        self._figures.batch(self.name, len(photos))
        images = np.stack([photo.image for photo in photos])
        stats = [photo.stats for photo in photos]
        return list(predict_images(self.predictor, images, self.decision, stats=stats))

    @contextmanager
    def used(self) -> Iterator[Version]:
        """Keep it open for a block."""
        with self._lock:
            self._users += 1
        try:
            yield self
        finally:
            with self._lock:
                self._users -= 1
                is_over = self._is_retired and not self._users
            if is_over:
                self._batcher.close()

    def retire(self) -> None:
        """Close it as soon as nobody uses it."""
        with self._lock:
            self._is_retired = True
            is_over = not self._users
        if is_over:
            self._batcher.close()


class _Served:
    """A name, the folder behind it, its present version, and why a newer one is not taken over."""

    def __init__(self, name: str, folder: Path, figures: Figures) -> None:
        self.name = name
        self.folder = folder
        self.version = Version(name, folder, _stamp(folder), figures)
        self.problem = ""
        self.seen = self.refused = self.version.stamp


class Models:
    """All models of a service. Safe to use from several threads.

    Args:
        folders: name -> folder of a run, or a link to one.

    Raises:
        RunError: one of them cannot be served.
    """

    def __init__(self, folders: dict[str, Path], figures: Figures) -> None:
        self._figures = figures
        self._lock = threading.Lock()
        self._served = {name: _Served(name, path, figures) for name, path in folders.items()}
        for one in self._served.values():
            figures.version(one.name, one.version.id)

    @property
    def names(self) -> list[str]:
        """The names, in the order of the command."""
        return list(self._served)

    @contextmanager
    def use(self, name: str) -> Iterator[Version]:
        """The present version of a model, kept open for a block.

        Raises:
            RequestError: there is none of this name.
        """
        one = self._served.get(name)
        if one is None:
            raise RequestError(
                _("There is no model “{name}” here. The models are: {names}.").format(
                    name=shortened(name), names=", ".join(self._served)
                ),
                status=404,
            )
        with self._lock:  # not between the choice and its use
            used = one.version.used()
            version = used.__enter__()
        try:
            yield version
        finally:
            used.__exit__(None, None, None)

    def problem(self, name: str) -> str:
        """Why a newer version of a model is not taken over, as a sentence; empty where there is none."""
        return self._served[name].problem

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take over new versions while the block runs."""
        with periodically(self.look, every_s=LOOK_EVERY_S, name="versions"):
            yield

    def look(self) -> None:
        """Take over the new versions that have come, and have stayed the same since the last look."""
        for one in self._served.values():
            stamp = _stamp(one.folder)
            is_settled, one.seen = stamp == one.seen, stamp
            if stamp == one.version.stamp:
                one.problem, one.refused = "", stamp
            elif is_settled and stamp != one.refused:
                self._take_over(one, stamp)

    def _take_over(self, one: _Served, stamp: _Stamp) -> None:
        one.refused = stamp  # not tried again until the files change
        try:
            version = Version(one.name, one.folder, stamp, self._figures)
        except TransLearnError as error:
            self._refuse(one, error.message)
            return
        except Exception:  # whatever the files hold, what is served goes on
            logger.exception("%s cannot be opened", one.folder)
            self._refuse(one, _("{folder} cannot be opened.").format(folder=one.folder))
            return
        with self._lock:
            old, one.version = one.version, version
        one.problem = ""
        old.retire()
        self._figures.version(one.name, version.id)
        self._figures.takeover(one.name, is_done=True)
        logger.info("%s: version %s takes the place of %s", one.name, version.id, old.id)

    def _refuse(self, one: _Served, reason: str) -> None:
        one.problem = _("The version {version} goes on answering: {reason}").format(
            version=one.version.id, reason=reason
        )
        self._figures.takeover(one.name, is_done=False)
        logger.warning("%s: %s", one.name, one.problem)

    def close(self) -> None:
        """Close all."""
        for one in self._served.values():
            one.version.retire()


def _stamp(folder: Path) -> _Stamp:
    """Where a folder leads, and what the files of its model look like from outside."""
    place = Path(os.path.realpath(folder))  # a link that leads nowhere is no failure
    marks: list[tuple[int, ...]] = []
    for name in _FILES:
        mark: tuple[int, ...] = ()
        with suppress(OSError):
            status = (place / name).stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        marks.append(mark)
    return str(place), tuple(marks)


def name_folders(named: Sequence[str], *, runs: Path) -> dict[str, Path]:
    """Name -> folder, of `FOLDER` or `NAME=FOLDER`.

    Args:
        named: as on the command line; the id of a run in the workspace may stand for its folder.
        runs: folder of the runs of the workspace.

    Raises:
        SettingsError: two have the same name, or a name cannot stand in an address.
    """
    folders: dict[str, Path] = {}
    for text in named:
        before, sign, after = text.partition("=")
        is_named = bool(sign) and not Path(text).exists()
        given, place = (before, after) if is_named else ("", text)
        inside = runs / place
        is_id = Path(place).name == place and not Path(place).exists() and inside.is_dir()
        folder = inside if is_id else Path(place)
        name = given if is_named else re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name)
        if not NAME.fullmatch(name) or not name.strip("."):
            raise SettingsError(
                _(
                    "The name of a model stands in an address: letters (a to z), digits, dots, hyphens "
                    "and underscores. Received: {name}. Name it with NAME=RUN_DIR."
                ).format(name=name or text)
            )
        if name in folders:
            raise SettingsError(
                _(
                    "Two runs would be served as {name}. Name them apart with NAME=RUN_DIR, like "
                    "{name}-2={folder}."
                ).format(name=name, folder=folder)
            )
        folders[name] = folder
    return folders
