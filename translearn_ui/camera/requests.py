"""What the camera element asks for: storing frames, removing and renaming, answers, the model.

Owns: the requests of a message and their answers, as JSON. Leaves to others: the message
(`element.py`), everything that is done (`translearn_core`). What comes from a browser is checked here.
"""

from __future__ import annotations

import base64
import binascii
import io
import itertools
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import InputError, TransLearnError
from translearn_core.export import live
from translearn_core.i18n import _
from translearn_core.prediction import predict
from translearn_core.runs import Run

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MOST_LETTERS = 12_000_000
"""Of the Base64 of one photo."""
_THUMBNAILS, _THUMBNAIL_SIDE = 12, 160
_FILE_NAME = re.compile(r"[\w-]{1,120}(~\d{5,9})?\.jpg")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where requests are done.

    Args:
        dataset: the data set that photos go to, made where there is none; or None where photos are
            not kept.
        run: whose model answers; None where there is none.
        explain: shows why the model answers as it does for a photo (JPEG).
        changed: called when photos have come or gone, and no more are on their way.
    """

    dataset: Callable[[], Dataset | None]
    run: Run | None
    explain: Callable[[bytes], None]
    changed: Callable[[], None]

    def answer(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """An answer to each request, in their order; `problem` says why one was not done."""
        answers: list[dict[str, Any]] = []
        for (kind, _name), some in itertools.groupby(requests, key=_what):
            rows = list(some)
            try:
                is_photo = kind in ("frame", "pile")
                answers += self._store(rows) if is_photo else [self._do(kind, one) for one in rows]
            except TransLearnError as error:
                answers += [{"problem": error.message}] * len(rows)
            except Exception:
                log.exception("A request of the camera met an unexpected error")
                problem = _("Something went wrong here that we did not foresee. Reload the page.")
                answers += [{"problem": problem}] * len(rows)
        return answers

    def _do(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        if kind == "hello":
            return {"classes": _thumbnails(self._kept(), request.get("classes"))}
        if kind == "remove":
            return _remove(self._kept(), str(request.get("id", "")))
        if kind == "rename":
            datasets.rename_class(
                self._kept(), str(request.get("from", "")), str(request.get("to", ""))
            )
            return {}
        if kind == "settled":
            self.changed()
            return {}
        run = self.run
        if run is None or run.id != request.get("run"):
            return {}
        if kind == "answer":
            return _predict(run, _photo_of(request))
        if kind == "model":
            return _model(run)
        if kind == "why":
            self.explain(_photo_of(request))
            return {}
        raise InputError(_("This page is older than the app. Reload it."))

    def _kept(self) -> Dataset:
        dataset = self.dataset()
        if dataset is None:
            raise InputError(_("There are no photos to add to: the data set was deleted."))
        return dataset

    def _store(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add frames of one class, or of none, to the data set. What arrives a second time, after
        a page was left while it was on its way, is stored once."""
        photos = [(_file_name(row), io.BytesIO(_photo_of(row))) for row in rows]
        dataset = self._kept()
        there = {str(file).rpartition("/")[2] for file in _with_unsorted(dataset)["file"]}
        new = [(name, content) for name, content in photos if name not in there]
        if not new:
            return [{}] * len(photos)
        if rows[0].get("kind") == "pile":
            report = datasets.add_unsorted(dataset, new)
        else:
            report = datasets.add_photos(dataset, str(rows[0].get("name", "")), new)
        refused = {file.rpartition("/")[2]: reason for file, reason in report.left_out}
        return [{"problem": refused[name]} if name in refused else {} for name, _content in photos]


def _what(request: dict[str, Any]) -> tuple[str, str]:
    kind = str(request.get("kind", ""))
    return kind, str(request.get("name", "")) if kind in ("frame", "pile") else ""


def _photo_of(request: dict[str, Any]) -> bytes:
    text = request.get("jpeg")
    try:
        if not isinstance(text, str) or not 0 < len(text) <= MOST_LETTERS:
            raise ValueError
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InputError(_("A photo did not arrive whole. Take it again.")) from error


def _file_name(request: dict[str, Any]) -> str:
    name = str(request.get("file", ""))
    if not _FILE_NAME.fullmatch(name):
        raise InputError(_("A photo did not arrive whole. Take it again."))
    return name


def _thumbnails(dataset: Dataset, classes: Any) -> list[dict[str, Any]]:
    """The last photos of these classes, small, the latest last."""
    photos = _with_unsorted(dataset)
    photos = photos[photos["class_name"].isin(classes if isinstance(classes, list) else [])]
    found = []
    for name, rows in photos.groupby("class_name", sort=True):
        shown = []
        for path in list(rows["path"])[-_THUMBNAILS:]:
            try:
                content = dataset.thumbnail(path, side=_THUMBNAIL_SIDE).read_bytes()
            except (TransLearnError, OSError):
                continue
            shown.append({"id": path, "src": f"data:image/jpeg;base64,{_text(content)}"})
        found.append({"name": str(name), "thumbnails": shown})
    return found


def _with_unsorted(dataset: Dataset) -> pd.DataFrame:
    """The rows of all photos; those of no class are of the class that the recorder calls so."""
    rows = datasets.WithUnsorted(dataset.folder).photos
    rows = rows.sort_values(["class_name", "file", "path"], ignore_index=True)
    return rows.assign(class_name=rows["class_name"].replace("", _("Unsorted photos")))


def _remove(dataset: Dataset, mark: str) -> dict[str, Any]:
    """Remove the photo with a path, or the frame that arrived under a file name; a frame goes back to
    the page, which can add it again."""
    photos = _with_unsorted(dataset)
    chosen = photos["path"] == mark
    if _FILE_NAME.fullmatch(mark):
        chosen |= photos["file"].str.endswith(f"/{mark}") | (photos["file"] == mark)
    answer: dict[str, Any] = {}
    for path, file in photos.loc[chosen, ["path", "file"]].itertuples(index=False, name=None):
        name = str(file).rpartition("/")[2]
        if _FILE_NAME.fullmatch(name) and dataset.kind != "folder":
            answer = {"file": name, "jpeg": _text(dataset.photo_path(path).read_bytes())}
    datasets.remove_photos(dataset, list(photos.loc[chosen, "path"]))
    return answer


def _predict(run: Run, photo: bytes) -> dict[str, Any]:
    prediction = next(predict.predict(run, [("camera.jpg", photo)]))
    if prediction.error or prediction.probabilities is None:
        return {"problem": prediction.error or ""}
    shares = [round(prediction.probabilities[name], 4) for name in run.labels]
    return {"shares": shares, "unlike": bool(prediction.unlike)}


def _model(run: Run) -> dict[str, Any]:
    """The model for the browser, or how far it is."""
    state = live.prepare(run)
    found = live.read(run) if state == "ready" else None
    if found is None:
        return {"state": "none" if state == "ready" else state}
    reference = found.reference and live.reference_for_browser(found.reference)
    return {
        "state": "ready",
        "model": _text(found.onnx),
        "check": found.check,
        "labels": found.labels,
        "reference": reference and reference | {"units": _text(reference["units"])},
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
