"""Damaged input for everything that reads a file from outside, made by hypothesis.

Owns: `TARGETS`, the readers by name, each with whole inputs to start from and the one promise that
holds for all of them: an answer, or an error made for people; nothing else is raised. `cases` gives
the inputs: a whole one with bytes changed, cut, doubled or put in from another. Run as a program
(`python -m tests.support.fuzzing TARGET SECONDS SEED FOLDER`) it tries one reader for so long;
`scripts/fuzz` does this for each.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import py7zr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from PIL import Image

from tests.support.monsters import picture
from tests.support.service import form_of
from translearn_core import runs
from translearn_core.config import load_configuration
from translearn_core.datasets import Dataset
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.excluded import read_excluded
from translearn_core.datasets.kept_together import groups
from translearn_core.datasets.table_match import PhotoIndex
from translearn_core.datasets.table_reading import read_table
from translearn_core.datasets.tasks import tasks_of
from translearn_core.errors import InputError, PhotoError
from translearn_core.feasibility import report
from translearn_core.imaging.decode import decode_photo, make_thumbnail
from translearn_core.model_import.inspect import inspect_model
from translearn_core.prediction.predict import Prediction
from translearn_core.runs import Run, provenance
from translearn_core.runs.annotations import read_notes
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.threshold import read_threshold
from translearn_core.service.open_inference import Output, read_request, write_answer
from translearn_core.service.photo_requests import read_photos

MOST_BYTES = 2**20
FACTS = (".json", ".jsonl", ".csv", ".parquet")
TEXT = "file,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\nd.jpg,dog\n"


@dataclass(frozen=True)
class Target:
    """A reader: makes whole inputs (bytes), and reads one or raises an `InputError`."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], None]


def _photos() -> list[bytes]:
    flat = np.zeros((20, 30), np.uint16)
    flat[5:15] = 4000
    deep = [Image.fromarray(flat), Image.fromarray(flat.astype(np.float32))]
    grey, ink = Image.new("L", (40, 30), 90), Image.new("RGBA", (40, 30), (255, 255, 255, 120))
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("P", (24, 18), number) for number in (3, 9)]
    made = [
        picture(1),
        picture(2, progressive=True),
        picture(3, exif=exif.tobytes(), comment=b"made by a camera"),
        picture(4, "PNG"),
        picture(5, "WEBP"),
        picture(6, "WEBP", lossless=True, exif=exif.tobytes()),
        picture(7, "GIF"),
        picture(8, "BMP"),
        picture(9, "TIFF", compression="tiff_lzw"),
        picture(10, "AVIF"),
        picture(11, "MPO"),
    ]
    for image, kind, options in (
        (deep[0], "TIFF", {}),
        (deep[0], "PNG", {}),
        (deep[1], "TIFF", {"compression": "tiff_adobe_deflate"}),
        (grey, "TIFF", {"save_all": True, "append_images": [grey]}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (grey.convert("CMYK"), "JPEG", {}),
        (ink, "PNG", {}),
        (ink.convert("P"), "PNG", {"transparency": 0}),
        (frames[0], "GIF", {"save_all": True, "append_images": frames[1:]}),
        (ink, "PNG", {"save_all": True, "append_images": [grey.convert("RGBA")]}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        made.append(buffer.getvalue())
    return made


def _archives() -> list[bytes]:
    files = {f"{label}/{number}.jpg": picture(number) for label in "ab" for number in (1, 2)}
    files["räder/x.txt"] = b"text"
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        made.append(buffer.getvalue())
    for mode in ("w", "w:gz"):
        for layout in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode=mode, format=layout) as archive:
                for name, data in files.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
            made.append(buffer.getvalue())
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as packed:
        for name, data in files.items():
            packed.writestr(data, name)
    made.append(buffer.getvalue())
    return made


def _tables() -> list[bytes]:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for line in TEXT.split():
        book.active.append(line.split(","))
    book.save(buffer)
    coco = {
        "images": [{"id": number, "file_name": f"{number}.jpg"} for number in range(4)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": [0, 0, 5, 5]}
            for number in range(4)
        ],
    }
    return [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.replace("cat", "chat à part").encode("cp1252"),
        TEXT.replace("cat", "猫和狗的照片").encode("gbk"),
        ("sep=;\n" + TEXT.replace(",", ";")).encode(),
        TEXT.replace(",", "\t").encode(),
        b"file,cat,dog\na.jpg,1,0\nb.jpg,0,1\nc.jpg,1,0\nd.jpg,0,1\n",
        b'id,species,split\n"a","a ""cat""",train\nb,dog,test\nc,"two\nlines",val\nd,dog,train\n',
        buffer.getvalue(),
        json.dumps(coco).encode(),
    ]


def _models() -> list[bytes]:
    labels = {"classes": ["cat", "dog"], "image_size": 96, "tasks": []}
    made = []
    for model in (b"PK\x03\x04 not a model", b"\x08\x07\x12\x04onnx"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model.onnx", model)
            archive.writestr("labels.json", json.dumps(labels))
        made.append(buffer.getvalue())
    return made


@cache
def _workspace() -> dict[str, bytes]:
    """The files that hold facts of a small workspace: path within it -> content."""
    earlier = Path(__file__).resolve().parent.parent / "data" / "workspace_0_1.tar.xz"
    found: dict[str, bytes] = {}
    with tarfile.open(earlier) as archive:
        for entry in archive:
            parts = Path(entry.name).parts
            if entry.size < 2**17 and parts[:1] in (("runs",), ("datasets",)):
                content = archive.extractfile(entry)
                if content is not None and Path(entry.name).suffix in FACTS:
                    found["/".join(parts)] = content.read()
    return found


def _facts() -> list[bytes]:
    return [name.encode() + b"\0" + content for name, content in sorted(_workspace().items())]


def _read_photo(data: bytes, _folder: Path) -> None:
    photo = decode_photo(data, size=32)
    assert photo.image.shape == (32, 32, 3)
    assert photo.image.dtype == np.uint8
    make_thumbnail(data, side=32)


def _read_archive(data: bytes, folder: Path) -> None:
    path = folder / "photos.zip"
    path.write_bytes(data)
    limits = load_configuration().limits
    with open_archive(path, limits) as archive:
        for entry in archive.entries:
            try:
                assert len(archive.read(entry, limits)) <= limits.photo_bytes
            except PhotoError as error:  # one damaged entry stops no other
                check_words(error.message)


def _read_table(data: bytes, _folder: Path) -> None:
    file = io.BytesIO(data)
    file.name = "labels.xlsx" if data[:2] == b"PK" else "labels.csv"
    table = read_table(file)
    for note in table.notes:
        check_words(note)
    index = PhotoIndex([f"{name}.jpg" for name in "abcd"], ["photos"] * 4)
    for row in table.cells.column(table.roles.file):
        index.find(row)
    assert all(len(labels) == len(table.cells.rows) for labels in table.values.values())


def _read_model(data: bytes, folder: Path) -> None:
    path = folder / "model.zip"
    path.write_bytes(data)
    inspect_model(path)


def _read_facts(data: bytes, folder: Path) -> None:
    name, _, content = data.partition(b"\0")
    whole = _workspace()
    changed = name.decode("latin-1")
    if changed not in whole:
        return
    home = folder / "home"
    if not home.is_dir():
        for file, fact in whole.items():
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            (home / file).write_bytes(fact)
    (home / changed).write_bytes(content)
    try:
        _look_through(home, Path(changed))
    finally:
        (home / changed).write_bytes(whole[changed])


def _requests() -> list[bytes]:
    """Requests to the service: a header, a line break, the body."""
    photo = base64.b64encode(b"photo").decode()
    form, kind = form_of([("ä.jpg", b"abc" * 9), ("b", b"1")])
    tensor = {"name": "photo", "datatype": "BYTES", "shape": [1, 1], "data": [photo]}
    pixels = {"name": "photo", "datatype": "FP32", "shape": [1, 2, 2, 3], "data": [7] * 12}
    raw = struct.pack("<I", 5) + b"photo"
    text = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(raw)}}]})
    label = {"name": "label", "parameters": {"binary_data": True}}
    asked = {"id": "1", "inputs": [tensor], "outputs": [label]}
    return [
        kind.encode() + b"\n" + form,
        b"application/json\n" + json.dumps({"photos": [photo, {"data": photo}]}).encode(),
        b"image/jpeg\nphoto",
        b"v2\n" + json.dumps(asked).encode(),
        b"v2\n" + json.dumps({"inputs": [pixels]}).encode(),
        f"v2 {len(text)}\n{text}".encode() + raw,
    ]


def _read_request(data: bytes, _folder: Path) -> None:
    head, _, body = data.partition(b"\n")
    header = head.decode("latin-1")
    if not header.startswith("v2"):
        assert all(isinstance(photo, bytes) for _name, photo in read_photos(body, header, most=8))
        return
    outputs = [Output(name="label", datatype="BYTES", values=lambda one: one.label)]
    asked = read_request(body, header[3:] or None, side=2, outputs=outputs, most=8)
    n = len(asked.files) if asked.pixels is None else len(asked.pixels)
    assert 1 <= n <= 8
    predictions = [Prediction(file="", label="a")] * n
    write_answer(asked, name="m", version="1", predictions=predictions)


def _if_finished(look: Callable[[Run], object]) -> Callable[[Run], object]:
    return lambda run: look(run) if run.state.state == "finished" else None


_OF_RUN: tuple[Callable[[Run], object], ...] = (
    lambda run: run.state,
    lambda run: run.config,
    _if_finished(lambda run: run.metrics),
    _if_finished(read_predictions),
    _if_finished(lambda run: run.labels),
    provenance.read_photos,
    read_notes,
    lambda run: run.events(),
    lambda run: read_threshold(run.folder),
)
_OF_DATASET: tuple[Callable[[Dataset], object], ...] = (
    lambda dataset: dataset.record,
    lambda dataset: dataset.photos,
    lambda dataset: dataset.left_out,
    report.read,
    report.read_photos,
    tasks_of,
    groups,
    read_excluded,
)


def _look_through(home: Path, changed: Path) -> None:
    """Read what the pages read of a workspace in which a file was changed: the list of runs, and
    the run or data set that has the file; the others are read as before.

    The last refusal is raised, and stops no reading.
    """
    runs.list_unreadable_runs(home / "runs")
    listed = runs.list_runs(home / "runs")
    kind, name, *_file = changed.parts
    looks: list[Callable[[], object]]
    if kind == "runs":
        looks = [partial(look, run) for run in listed if run.id == name for look in _OF_RUN]
    else:
        looks = [partial(look, Dataset(home / kind / name)) for look in _OF_DATASET]
    refused = None
    for look in looks:
        try:
            look()
        except InputError as error:
            check_words(error.message)
            refused = error
    if refused is not None:
        raise refused


def answer(name: str, data: bytes, folder: Path) -> str:
    """What a reader says of an input: empty where it reads it, else the sentence that refuses it.

    Raises:
        BaseException: what is no error for people.
    """
    try:
        TARGETS[name].read(data, folder)
    except InputError as error:
        check_words(error.message)
        return error.message
    return ""


def check_words(text: str) -> None:
    """A sentence can be printed, and is no page of raw bytes."""
    text.encode("utf-8")
    assert len(text) < 4000, text[:300]
    assert "\0" not in text, text[:300]


TARGETS: dict[str, Target] = {
    "photos": Target(_photos, _read_photo),
    "archives": Target(_archives, _read_archive),
    "tables": Target(_tables, _read_table),
    "models": Target(_models, _read_model),
    "facts": Target(_facts, _read_facts),
    "requests": Target(_requests, _read_request),
}
"""What is read -> whole inputs and the reader."""


def cases(name: str) -> st.SearchStrategy[bytes]:
    """Inputs of a reader: a whole one, or one with up to six changes."""
    seeds = TARGETS[name].seeds()
    place = st.floats(0, 1, exclude_max=True)
    number = st.sampled_from([0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    # `st.text()` makes a table of all characters first, for longer than the inputs take
    letter = st.one_of(st.integers(0, 0x7F), st.integers(0, 0xD7FF), st.integers(0xE000, 0x10FFFF))
    text = st.lists(letter.map(chr), max_size=12).map("".join)
    change = st.one_of(
        st.tuples(st.just("put"), place, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("number"), place, st.tuples(number, st.sampled_from([1, 2, 4]))),
        st.tuples(st.just("cut"), place, st.integers(1, 200)),
        st.tuples(st.just("end"), place, st.none()),
        st.tuples(st.just("again"), place, st.integers(1, 400)),
        st.tuples(st.just("other"), place, st.tuples(st.sampled_from(seeds), place)),
        st.tuples(st.just("text"), place, text),
    )
    return st.builds(_changed, st.sampled_from(seeds), st.lists(change, max_size=6))


def _changed(data: bytes, changes: list[tuple[str, float, Any]]) -> bytes:
    start = data.index(b"\0") + 1 if data[:5] in (b"runs/", b"datas") else 0
    for kind, share, value in changes:
        at = start + int((len(data) - start) * share)
        if kind == "put":
            data = data[:at] + value + data[at + len(value) :]
        elif kind == "number":
            wide, length = value
            for order in ("little", "big"):
                raw = (wide % 256**length).to_bytes(length, order)
                data = data[:at] + raw + data[at + length :]
        elif kind == "cut":
            data = data[:at] + data[at + value :]
        elif kind == "end":
            data = data[:at]
        elif kind == "again":
            data = data[:at] + data[at : at + value] * 2 + data[at + value :]
        elif kind == "other":
            other, share_of_other = value
            data = data[:at] + other[int(len(other) * share_of_other) :]
        else:
            raw = value.encode("utf-8", "surrogatepass")
            data = data[:at] + raw + data[at:]
    return data[:MOST_BYTES]


def try_target(name: str, examples: int, folder: Path, *, chance: int | None = None) -> None:
    """Let a reader read so many inputs.

    Args:
        chance: what the inputs are drawn by; None: the same each time.

    Raises:
        BaseException: what a reader raised that is no error for people; hypothesis shows the
            smallest input that brings it about.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=chance is None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(cases(name))
    def read(data: bytes) -> None:
        (folder / "last").write_bytes(data)  # stays where a decoder kills the process
        answer(name, data, folder)

    (hypothesis_seed(chance)(read) if chance is not None else read)()


def main(name: str, seconds: float, chance: int, folder: Path) -> int:
    """Try one reader for so long; the number of inputs on the way."""
    end, tried = time.monotonic() + seconds, 0
    number = random.Random(chance)
    while time.monotonic() < end:
        try_target(name, 300, folder, chance=number.randrange(2**32))
        tried += 300
        (folder / "tried").write_text(str(tried), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
