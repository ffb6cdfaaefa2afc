"""The table of export formats, and the exports that a run already has.

Owns: `FORMATS` (a format is a row here), why a run cannot be exported to one, the files of finished
exports, the test predictions as a table.
Leaves to others: making an export (`make.py`), importing a `.keras` (`model_import/`).

Files, in `<run>/exports/`, for each format:
    <format>.zip     the export: the model, labels.json, prepare.py, classify.py, README.txt,
                     parity.json; of the page in one file, <format>.html, that file alone
    <format>.json    `Parity`: the result of the verification; written last
    <format>/        the job that makes it (`runs/job.py`), with temporary folders (`HALF_MADE`)
An export is out of date when the model or its confidence threshold has changed since.
Imports nothing heavy: pages read this.
"""

from __future__ import annotations

import importlib.util
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core.csv_tables import csv_text, probability_column, task_column
from translearn_core.errors import InputError, RunError
from translearn_core.export import verify, writers
from translearn_core.export.teachable import KINDS as TEACHABLE_KINDS
from translearn_core.formatting import percent
from translearn_core.graph.onnx_writer import KINDS as ONNX_KINDS
from translearn_core.i18n import N_, _, ngettext
from translearn_core.runs import Job, Run
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.run_tables import read_table
from translearn_core.runs.task_heads import load_heads
from translearn_core.runs.threshold import read_threshold

SCHEMA = 1
HALF_MADE = ".work-"
"""Prefix of the temporary folders of an export in progress."""

Purpose = Literal["python", "phone", "browser", "server"]
PURPOSES: dict[Purpose, tuple[str, str]] = {
    "python": (
        N_("Go on with it in Python"),
        N_("Load it in a program of your own, look into it, or go on training."),
    ),
    "browser": (
        N_("On the web"),
        N_("For a web server of your own, and for programs that load a model from the web."),
    ),
    "phone": (
        N_("On a phone or a small board"),
        N_("Small files for apps on Android and iOS, and for boards like the Raspberry Pi."),
    ),
    "server": (
        N_("In other programs"),
        N_("For fast answers without TensorFlow, and for languages other than Python."),
    ),
}
"""Purposes of an export, in the order shown: title, sentence."""


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Tolerances of the verification: the largest difference of a probability, and the least share of
    photos with the same predicted class."""

    difference: float
    agreement: float


FLOAT = Bars(difference=1e-3, agreement=1.0)
HALF = Bars(difference=2e-2, agreement=0.98)
INT8 = Bars(difference=1.0, agreement=0.97)


@dataclass(frozen=True, kw_only=True)
class Format:
    """One row of the table."""

    name: str
    """On the command line, in the run folder and in URLs."""
    title: str
    """The field's term for it."""
    what: str
    """A plain sentence: what it is for."""
    purpose: Purpose
    model: str
    """File or folder of the model in the zip."""
    needs: str
    """pip requirement of its program, beside pillow and numpy."""
    template: str
    """Name of the template in `templates/classify` that opens the model and defines `ask(photo)`."""
    here: tuple[str, ...] = ()
    """Packages that writing and verifying it needs on this machine, beside TensorFlow."""
    bars: Bars = FLOAT
    write: Callable[[writers.ExportSource, Path], None]
    """Writes the model of a run to a file or folder."""
    kinds: frozenset[str] | None = None
    """Layer classes that it supports; None: all."""
    most_bytes: int | None = None
    """The largest model that it holds, by the size of its file; None: any."""
    needs_photos: bool = False
    """Whether it is calibrated on training photos of the run."""
    run: verify.Runner = verify.run_program
    """Runs an unpacked export over a folder of photos, in a fresh process."""
    program: bool = True
    """Whether a Python program goes with it."""
    suffix: Literal[".zip", ".html"] = ".zip"
    """Of the file that is handed out: a zip of all, or the model's file alone."""
    extra_files: tuple[tuple[str, str], ...] = ()
    """Further files in the zip: name, description."""
    folder_in_zip: bool = True
    """Whether the files of the zip lie in a folder; else programs expect them at its top."""
    one_task: bool = False
    """Whether it holds the classes of one task alone."""
    crops: bool = False
    """Whether the programs that it is for cut the middle square out of a photo, whatever the run does."""
    takes: tuple[str, ...] = ()
    """Lines on what goes in, where that is not pixels from 0 to 255."""
    steps: tuple[str, ...] = ()
    """Instructions, where it is not used through its Python program."""

    @property
    def pip(self) -> str:
        """The line that installs what its program needs."""
        return f"pip install {self.needs} pillow numpy"


_ROWS = (
    Format(
        name="keras",
        title="Keras",
        what=N_("The whole model, for Python, and to bring it back into TransLearn anywhere."),
        purpose="python",
        model="model.keras",
        needs="tensorflow",
        template="keras",
        write=writers.write_keras,
    ),
    Format(
        name="savedmodel",
        title="TensorFlow SavedModel",
        what=N_("For TensorFlow servers and tools, such as TensorFlow Serving."),
        purpose="python",
        model="saved_model",
        needs="tensorflow",
        template="savedmodel",
        write=writers.write_saved_model,
    ),
    Format(
        name="html",
        title=N_("Web page in one file"),
        what=N_(
            "One file that opens by double click in any browser. It answers photos and, where the "
            "browser allows it, live what the camera sees. No installation, no network; photos stay "
            "in the browser."
        ),
        purpose="browser",
        model="page.html",
        needs="onnxruntime",
        template="onnx",
        here=("onnx", "onnxruntime"),
        write=writers.write_html,
        kinds=ONNX_KINDS,
        most_bytes=150_000_000,
        run=verify.run_one_file,
        program=False,
        suffix=".html",
    ),
    Format(
        name="web",
        title=N_("Web page as a folder"),
        what=N_("The same page as files of its own, to put on a web server."),
        purpose="browser",
        model="model.onnx",
        needs="onnxruntime",
        template="onnx",
        here=("onnx", "onnxruntime"),
        write=writers.write_web,
        kinds=ONNX_KINDS,
        run=verify.run_page,
        program=False,
        extra_files=(
            ("index.html", "the page"),
            ("page.js", "what the page does"),
            ("files.js", "what a photo file says of itself"),
            ("prepare.js", "how a photo is prepared for the model"),
            ("network.js", "runs the model in the browser"),
            ("check.json", "with this the page checks its own answers when it opens"),
        ),
        steps=(
            "Open a terminal in this folder and type: python -m http.server",
            "Open http://localhost:8000 in a browser.",
            "To pass the page on, put the folder on any web server (https, for the webcam).",
        ),
    ),
    Format(
        name="teachable-machine",
        title="Teachable Machine",
        what=N_(
            "For Scratch extensions, App Inventor, ml5.js and other programs that take a model of "
            "Teachable Machine (TensorFlow.js)."
        ),
        purpose="browser",
        model="model.json",
        needs="tensorflow",
        template="keras",
        bars=INT8,
        write=writers.write_teachable,
        kinds=TEACHABLE_KINDS,
        run=verify.run_teachable,
        program=False,
        folder_in_zip=False,
        one_task=True,
        crops=True,
        extra_files=(
            ("weights.bin", "the weights of the model"),
            ("metadata.json", "class names, as Teachable Machine writes them"),
        ),
        takes=(
            "The middle square of a photo, made 224 x 224 pixels, each value divided by 127, minus 1:",
            "what @teachablemachine/image and ml5 do. The model itself brings it to the side that it",
            "learned with.",
        ),
        steps=(
            "Put model.json, metadata.json and weights.bin into one folder of a web server (https).",
            "Give a program that asks for a Teachable Machine model the address of that folder.",
            "ml5: ml5.imageClassifier(ADDRESS/model.json). A program that asks for files gets the three.",
        ),
    ),
    Format(
        name="litert",
        title="LiteRT",
        what=N_("The plain one for phones (once called TensorFlow Lite): exact, but the largest."),
        purpose="phone",
        model="model.tflite",
        needs="ai-edge-litert",
        template="litert",
        here=("ai_edge_litert",),
        write=writers.write_litert,
    ),
    Format(
        name="litert-float16",
        title="LiteRT float16",
        what=N_("Half the size, and hardly a difference: a good choice for a phone."),
        purpose="phone",
        model="model-float16.tflite",
        needs="ai-edge-litert",
        template="litert",
        here=("ai_edge_litert",),
        bars=HALF,
        write=writers.write_litert_float16,
    ),
    Format(
        name="litert-int8",
        title="LiteRT int8",
        what=N_(
            "A quarter of the size, for slow devices: quantised to int8 on your own photos. Now "
            "and then an answer changes."
        ),
        purpose="phone",
        model="model-int8.tflite",
        needs="ai-edge-litert",
        template="litert",
        here=("ai_edge_litert",),
        bars=INT8,
        write=writers.write_litert_int8,
        needs_photos=True,
    ),
    Format(
        name="onnx",
        title="ONNX",
        what=N_("Runs nearly everywhere: C#, Java, C++, JavaScript, Python."),
        purpose="server",
        model="model.onnx",
        needs="onnxruntime",
        template="onnx",
        here=("onnx", "onnxruntime"),
        write=writers.write_onnx,
        kinds=ONNX_KINDS,
    ),
    Format(
        name="openvino",
        title="OpenVINO",
        what=N_("The fastest on plain computers; this is what the app itself answers with."),
        purpose="server",
        model="model.xml",
        needs="openvino",
        template="openvino",
        write=writers.write_openvino,
    ),
)

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}
"""All formats by name, in the order in which they are offered."""


def get_format(name: str) -> Format:
    """The row called `name`.

    Raises:
        InputError: there is none; the message lists the names.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise InputError(
            _("There is no format `{name}`. The formats are: {names}.").format(
                name=name, names=", ".join(FORMATS)
            )
        ) from None


# ----------------------------------------------------------------------------- obstacles


def obstacle(run: Run, row: Format) -> str:
    """Why this run cannot be exported to a format, in a sentence; empty when it can.

    Reads files only: the model is not opened.
    """
    missing = [name for name in row.here if importlib.util.find_spec(name) is None]
    if missing:
        return _("This needs one more package here: `pip install {names}`.").format(
            names=" ".join(_PIP_NAMES.get(name, name) for name in missing)
        )
    if row.kinds is not None:
        unknown = sorted(kinds_of(run) - row.kinds)
        if unknown:
            return _(
                "The model has layers that {format} cannot hold ({kinds}). Take it as Keras."
            ).format(format=row.title, kinds=", ".join(unknown))
    if row.one_task and load_heads(run.folder):
        return _(
            "This format holds one question, and the model answers several. Take another format."
        )
    if row.most_bytes is not None and run.model_path.stat().st_size > row.most_bytes:
        return _(
            "The model is larger than {n} MB, too large for this format. Take the web page as a "
            "folder, or ONNX."
        ).format(n=row.most_bytes // 1_000_000)
    if row.needs_photos and not writers.training_photos(run, most=1):
        return _("This format is calibrated on the training photos, and they are no longer here.")
    return ""


_PIP_NAMES = {"ai_edge_litert": "ai-edge-litert"}


def kinds_of(run: Run) -> frozenset[str]:
    """The layer classes of a run's model, read from the file without opening the model.

    Raises:
        RunError: the run has no model.
    """
    check_model(run)
    return _kinds_of(run.model_path, run.model_path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _kinds_of(path: Path, _mtime_ns: int) -> frozenset[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(
            _("The model {file} cannot be read: {cause}. Train it again.").format(
                file=path, cause=error
            )
        ) from error
    kinds: set[str] = set()

    def walk(layers: Any) -> None:
        for layer in layers:
            kinds.add(str(layer["class_name"]))
            walk(layer.get("config", {}).get("layers", []))

    walk(config["config"]["layers"])
    return frozenset(kinds - {"InputLayer"})


def check_model(run: Run) -> None:
    """Refuse a run without a model.

    Raises:
        RunError: it has none.
    """
    if not run.has_model:
        raise RunError(
            _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                run=run.id, state=_(run.state.state)
            )
        )


# ----------------------------------------------------------------------------- finished exports


class Parity(BaseModel):
    """The result of the verification: `<format>.json`, and parity.json in the zip."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    format: str
    runtime: str
    """The runtime and its version."""
    photos: int
    """Number of photos compared."""
    kinds: dict[str, int]
    """Kind of photo -> number."""
    max_difference: float
    """Largest difference of a probability."""
    label_changes: int
    """Photos with another predicted class than the app's."""
    changed: list[dict[str, Any]] = []
    """These: `photo` (kind), `app`, `export`, and both probabilities."""
    difference_bar: float
    agreement_bar: float
    cropped_changes: int | None = None
    """Photos with another predicted class once the programs of the format have cut out their middle
    square; None where that makes no difference."""
    within: bool
    """Whether both tolerances are met."""
    model_bytes: int
    zip_bytes: int = 0
    created: float
    stamp: str = ""
    """Version of model and threshold, see `stamp_of`."""


def folder_of(run: Run) -> Path:
    """The folder of a run's exports."""
    return run.folder / "exports"


def zip_path(run: Run, row: Format) -> Path:
    """The file of a finished export: a zip, but of the web page in one file the page."""
    return folder_of(run) / f"{row.name}{row.suffix}"


def folder_name(run: Run, row: Format) -> str:
    """Name of the folder in the zip, like `flowers-onnx`."""
    return f"{_plain_name(run)}-{row.name}"


def file_name(run: Run, row: Format) -> str:
    """Name of the file that is handed out, like `flowers-onnx.zip` or `flowers.html`."""
    if row.suffix == ".html":
        return f"{_plain_name(run)}.html"
    return f"{folder_name(run, row)}{row.suffix}"


def _plain_name(run: Run) -> str:
    name = run.config.name or run.config.dataset_name or "model"
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return plain or "model"


def job_of(run: Run, row: Format) -> Job:
    """The job that makes an export: its latest one, if there was any."""
    return Job(folder_of(run) / row.name)


def stamp_of(run: Run) -> str:
    """Identifies the version of the model and of its confidence threshold."""
    stat = run.model_path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}-{read_threshold(run.folder).sure_from}"


def read(run: Run, row: Format) -> Parity | None:
    """The parity of a finished export; None where there is none, or it is out of date."""
    try:
        data = (folder_of(run) / f"{row.name}.json").read_bytes()
        parity = Parity.model_validate_json(data)
        whole = zip_path(run, row).stat().st_size == parity.zip_bytes
        return parity if whole and parity.stamp == stamp_of(run) else None
    except (OSError, ValidationError):
        return None


def sentence_of(parity: Parity) -> str:
    """The result of the verification in a sentence."""
    n = parity.photos
    if not parity.label_changes:
        same = ngettext(
            "Checked on {n} photo: the answer of the app.",
            "Checked on {n} photos: the same answer as the app on every one.",
            n,
        ).format(n=n)
    else:
        same = ngettext(
            "Checked on {n} photos: another answer than the app's on {changes} of them.",
            "Checked on {n} photos: other answers than the app's on {changes} of them.",
            parity.label_changes,
        ).format(n=n, changes=parity.label_changes)
    words = [same, _difference_in_words(parity.max_difference)]
    if parity.cropped_changes == 0:
        words.append(
            _(
                "Programs for this format look at the middle square of a photo alone: here that "
                "changes no answer."
            )
        )
    elif parity.cropped_changes is not None:
        words.append(
            ngettext(
                "Programs for this format look at the middle square of a photo alone: that changes "
                "the answer to {n} photo.",
                "Programs for this format look at the middle square of a photo alone: that changes "
                "the answers to {n} photos.",
                parity.cropped_changes,
            ).format(n=parity.cropped_changes)
        )
    return " ".join(words)


def _difference_in_words(difference: float) -> str:
    if difference < 5e-6:
        return _("Probabilities differ by less than a thousandth of a percent.")
    digits = 3 if difference < 1e-3 else 1
    return _("Probabilities differ by at most {share}.").format(share=percent(difference, digits))


# ------------------------------------------------------------------------------- predictions


def predictions_csv(run: Run) -> bytes:
    """The test predictions as CSV (UTF-8 with a byte order mark, for spreadsheets).

    Columns: file, truth, answer, probability, correct, and `p(<class>)` for each class; then, for
    each further task, truth, answer and confidence under its name.

    Raises:
        RunError: the run has no predictions.
    """
    check_model(run)
    predictions = read_predictions(run)
    names = {f"p_{index}": probability_column(name) for index, name in enumerate(run.labels)}
    names |= {"label": "answer", "confidence": "probability"}
    table = predictions.rename(columns=names)
    more = read_table(run, "tasks.parquet")
    if more is not None:
        more = more.drop(columns="file")
        # a task named like a column of the first one must not make two of it
        taken = set(table.columns) - {"path"}
        more.columns = [
            name if name == "path" else task_column(str(name), taken) for name in more.columns
        ]
        table = table.merge(more, on="path", how="left")
    table = table.drop(columns="path")
    rows = table.itertuples(index=False, name=None)
    return csv_text(list(table.columns), rows).encode("utf-8")
