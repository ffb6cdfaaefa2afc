"""Exports: each answers as the app does, proves it in a fresh process, and says where it cannot."""

from __future__ import annotations

import ast
import base64
import csv
import dataclasses
import io
import json
import runpy
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import draw_image
from tests.support.trained import copy_of, trained
from translearn_core import cli
from translearn_core.datasets import decode_photo
from translearn_core.errors import InputError, RunError, TransLearnError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.export import formats, one_file, program, reading, verify, writers
from translearn_core.export import job as export_job
from translearn_core.export.formats import FORMATS, Format
from translearn_core.export.make import make_export
from translearn_core.export.multi_head import separate
from translearn_core.export.preprocess import prepare
from translearn_core.imaging.square import Fit
from translearn_core.model_import.inspect import inspect_model
from translearn_core.monitor import Monitor
from translearn_core.prediction import predict
from translearn_core.prediction.predict import open_predictor
from translearn_core.runs import JobState, Run
from translearn_core.runs.task_heads import save_heads
from translearn_core.runs.threshold import ConfidenceThreshold, write_threshold

SLOW = {
    *("keras", "savedmodel", "litert", "litert-float16", "litert-int8"),
    *("web", "html", "teachable-machine"),
}
"""Formats that take TensorFlow to write or to run."""
TWO_TASKS = {"keras", "onnx", "web", "litert-int8"}
"""Formats that are checked with a run that answers two questions; the others with one."""
FITS: dict[str, Fit] = {
    **{"onnx": "pad", "openvino": "crop", "web": "pad", "litert-int8": "crop", "html": "crop"}
}
"""Formats that are checked with a run that does not stretch its photos."""
FEW = 20
"""Photos of the check, in tests."""
pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A trained run of the test's own; exports are checked on a few photos."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "workspace"))
    return copy_of(trained("small"), tmp_path / "run")


def add_task(run: Run) -> None:
    """Give a run a second question, whose answers hang on the photo."""
    own = open_predictor(run).head
    assert own is not None
    width = own.layers[0].kernel.shape[0]
    kernel = np.random.default_rng(5).normal(0, 1, (width, 2)).astype(np.float32)
    weights = [(kernel, np.zeros(2, np.float32))]
    head = DenseHead.of_weights(weights, name="light", classes=("bright", "dark"))
    save_heads(run.folder, [head])


def set_fit(run: Run, fit: Fit) -> None:
    """Have a run take photos that are not square in another way."""
    path = run.folder / "labels.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(labels | {"fit": fit, "aspect_ratios": [0.5, 1.5]}))


def decide_by_task(run: Run) -> None:
    """Choose a threshold that about half of the answers to the second question reach."""
    answers = predict.predict(run, writers.test_photos(run, most=8))
    shares = sorted(max((answer.tasks or {})["light"].values()) for answer in answers)
    write_threshold(run.folder, ConfidenceThreshold(sure_from=float(shares[3] + shares[4]) / 2))


def check_words_of_program(
    run: Run, row: Format, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answer and "not sure" of every task are the app's, as the program of a zip prints them."""
    with zipfile.ZipFile(formats.zip_path(run, row)) as archive:
        archive.extractall(folder)
    program_path = next(folder.rglob("classify.py"))
    photos = folder / "photos"
    photos.mkdir()
    for number, path in enumerate(writers.test_photos(run, most=8)):
        (photos / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(program_path.parent)
        patch.setattr(sys, "argv", [program_path.name, str(photos)])
        capsys.readouterr()
        runpy.run_path(str(program_path), run_name="__main__")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    said = {True: "yes", False: "no"}
    for told, answer in zip(rows, predict.predict(run, sorted(photos.iterdir())), strict=True):
        assert (told["answer"], told["sure"]) == (answer.label, said[bool(answer.sure)])
        assert told["light"] == next(iter((answer.tasks or {})["light"]))
        assert told["light: sure"] == said[(answer.tasks_sure or {})["light"]]
    assert {told["light: sure"] for told in rows} == {"yes", "no"}


def check_one_file(run: Run, row: Format) -> None:
    """The page holds its data and asks for no other file."""
    page = formats.zip_path(run, row).read_bytes()
    parts = one_file.read_parts(page)
    assert set(parts) == set(one_file.PARTS)
    labels = json.loads(parts["labels.json"])
    assert (labels["classes"], labels["fit"]) == (run.labels, "crop")
    rest = page.decode()
    for part in parts.values():
        rest = rest.replace(base64.b64encode(part).decode(), "")
    assert "src=" not in rest.replace("image.src =", "")
    assert "connect-src 'none'" in rest
    assert str(run.folder) not in rest


def _rows() -> list[Any]:
    return [
        pytest.param(row, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, row in FORMATS.items()
    ]


# ------------------------------------------------------------------------ the photo, prepared


@pytest.mark.parametrize(("size", "fit"), [(32, "pad"), (224, "stretch"), (224, "crop")])
@pytest.mark.parametrize("kind", list(verify.GENERATED))
def test_the_program_prepares_every_kind_of_photo_as_the_app_does(
    kind: str, size: int, fit: Fit, tmp_path: Path
) -> None:
    file = verify.GENERATED[kind](draw_image(3, size=(320, 240)), tmp_path / "photo")
    expected = decode_photo(file, size=size, fit=fit).image
    assert np.array_equal(prepare(file, size, fit), expected.astype(np.float32))


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_turn_is_undone_as_the_app_does(turn: int, tmp_path: Path) -> None:
    exif, file = Image.Exif(), tmp_path / "photo.jpg"
    exif[0x0112] = turn
    draw_image(1, size=(320, 240)).save(file, exif=exif)
    assert np.array_equal(prepare(file, 64), decode_photo(file, size=64).image)


@pytest.mark.parametrize("values", [[0, 200], [0, 60000], [0, 100000]])
def test_wide_grey_is_scaled_as_the_app_does(values: list[int], tmp_path: Path) -> None:
    pixels = np.resize(np.array(values, np.int32), (40, 50))
    file = tmp_path / "wide.tif"
    Image.fromarray(pixels).save(file)
    assert np.array_equal(prepare(file, 32), decode_photo(file, size=32).image)


# ------------------------------------------------------------------------------- each format


@pytest.mark.parametrize("row", _rows())
def test_an_export_answers_as_the_app_and_says_so(
    row: Format, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, fit = row.name in TWO_TASKS, FITS.get(row.name, "stretch")
    set_fit(run, fit)
    if tasks:
        add_task(run)
        decide_by_task(run)
    parity = make_export(run, row, photos=FEW)
    if row.name == "litert-int8":  # a grey photo is neither red, green nor blue: it may tip over
        assert all("grey" in change["photo"] for change in parity.changed), parity.changed
    else:
        assert parity.within, formats.sentence_of(parity)
    assert parity.photos == FEW
    assert set(verify.GENERATED) <= set(parity.kinds)
    if row.suffix == ".html":
        check_one_file(run, row)
        return
    with zipfile.ZipFile(formats.zip_path(run, row)) as archive:
        assert all(("/" in name) == row.folder_in_zip for name in archive.namelist())
        names = {name.split("/", 1)[-1] for name in archive.namelist()}
        readme = next(archive.read(n).decode() for n in archive.namelist() if "README" in n)
        told = next(archive.read(n) for n in archive.namelist() if "parity.json" in n)
    assert {"labels.json", "README.txt", "parity.json"} <= names
    assert any(name.startswith(row.model) for name in names)
    assert row.program == ({"classify.py", "prepare.py"} <= names)
    assert json.loads(told)["max_difference"] == parity.max_difference
    assert formats.sentence_of(parity) in readme
    assert str(run.folder) not in readme
    assert ("light: bright, dark" in readme) == tasks
    assert ("stretched to 32 x 32" in readme) == (fit == "stretch" and not row.takes)
    assert (parity.cropped_changes is not None) == row.crops
    assert "0.50 to 1.50 times as wide as high" in readme
    if row.name == "onnx":
        check_words_of_program(run, row, tmp_path / "unpacked", capsys)
    if row.name == "keras":
        brought_back = inspect_model(formats.zip_path(run, row))
        assert brought_back.classes == ("blue", "green", "red")
        assert brought_back.ours
        assert brought_back.labels.aspect_ratios == (0.5, 1.5)
        assert brought_back.tasks == (("light", ("bright", "dark")),)
    assert not [left for left in formats.folder_of(run).rglob("*") if left.name.startswith(".")]


@pytest.mark.parametrize("row", FORMATS.values(), ids=lambda row: row.name)
def test_every_program_is_short_and_whole(row: Format) -> None:
    text = program.program(row)
    bound = []  # names of functions and values, but for those within them
    for line in ast.parse(text).body:
        if isinstance(line, ast.FunctionDef):
            bound.append(line.name)
        elif isinstance(line, ast.Assign):
            ends = [node for target in line.targets for node in ast.walk(target)]
            bound += [end.id for end in ends if isinstance(end, ast.Name)]
    assert len(set(bound)) == len(bound), (
        "two things of one name: what opens the model, and the rest"
    )
    code = [line for line in text.split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 50
    assert "translearn" not in text.lower()


def test_photos_are_read_by_the_modules_of_the_app_alone() -> None:
    texts = {"prepare.py": reading.prepare_py(), **reading.reading_files()}
    assert {"reading/imaging/decode.py", "reading/errors.py", "reading/__init__.py"} <= set(texts)
    outside = set()
    for name, text in texts.items():
        assert "translearn_core" not in text, name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                outside |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                outside.add((node.module or "").split(".")[0])
    at_addresses = {"fsspec"}  # imported once the path of a photo is an address
    known = {"numpy", "PIL", "pi_heif", "reading"} | at_addresses
    assert outside - sys.stdlib_module_names <= known


def test_all_tasks_leave_in_one_model_and_come_apart_again(run: Run) -> None:
    add_task(run)
    source = writers.ExportSource(run)
    photos = np.random.default_rng(0).uniform(0, 255, (3, *source.model.input_shape[1:]))
    answers = source.model.predict_on_batch(photos)
    assert source.widths == [3, 2]
    assert answers.shape == (3, 5)
    assert np.allclose(answers[:, 3:].sum(axis=1), 1, atol=1e-5)
    alone, heads = separate(source.model, [("light", ["bright", "dark"])])
    assert np.allclose(alone.predict_on_batch(photos), answers[:, :3], atol=1e-6)
    assert np.array_equal(heads[0].layers[0][0], source.heads[0].layers[0][0])
    with pytest.raises(InputError, match="does not answer it"):
        separate(source.model, [("light", ["bright", "dark", "dim"])])
    with pytest.raises(InputError, match="does not answer it"):
        separate(alone, [("light", ["bright", "dark"])])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_words_in_the_docs(name: str) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs" / "exports.md"
    assert f"| `{name}` |" in docs.read_text(encoding="utf-8")


class Told(Monitor):
    """Keeps the stages that it was told."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)


def test_an_export_is_made_once_and_anew_when_the_model_says_otherwise(run: Run) -> None:
    row = FORMATS["openvino"]
    first = make_export(run, row, photos=FEW)
    told = Told()
    assert make_export(run, row, told, photos=FEW) == first
    assert told.stages == []
    write_threshold(run.folder, ConfidenceThreshold(sure_from=0.9))
    assert formats.read(run, row) is None
    make_export(run, row, photos=FEW)
    with zipfile.ZipFile(formats.zip_path(run, row)) as archive:
        name = next(n for n in archive.namelist() if n.endswith("labels.json"))
        assert json.loads(archive.read(name))["sure_from"] == 0.9


def test_a_model_from_a_gpu_leaves_in_float32(run: Run, tmp_path: Path) -> None:
    import keras

    photo = keras.Input((32, 32, 3), name="photo")
    x = keras.layers.Conv2D(4, 3, strides=4, dtype="mixed_float16")(photo)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    answer = keras.layers.Dense(3, activation="softmax", dtype="float32")(x)
    mixed = keras.Model(photo, answer)
    mixed.save(run.model_path)
    source = writers.ExportSource(run)
    assert {layer.compute_dtype for layer in source.model.layers} == {"float32"}
    pixels = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    expected = mixed.predict_on_batch(pixels)
    assert np.abs(source.model.predict_on_batch(pixels) - expected).max() < 1e-2
    writers.write_keras(source, tmp_path / "out.keras")
    again = keras.models.load_model(tmp_path / "out.keras")
    assert {layer.compute_dtype for layer in again.layers} == {"float32"}
    assert np.array_equal(again.get_weights()[0], mixed.get_weights()[0])


# ------------------------------------------------------------------------ a proof that can fail


def _write_another(source: writers.ExportSource, path: Path) -> None:
    """A model that takes red for blue."""
    kernel, bias = source.model.layers[-1].get_weights()
    source.model.layers[-1].set_weights([kernel[:, ::-1], bias[::-1]])
    writers.write_onnx(source, path)


def test_an_export_that_answers_otherwise_is_found_out(run: Run) -> None:
    row = dataclasses.replace(FORMATS["onnx"], write=_write_another)
    parity = make_export(run, row, photos=FEW)
    assert not parity.within
    assert parity.label_changes > 0
    assert {change["app"] for change in parity.changed} <= {"blue", "red", "green"}
    assert "other answers" in formats.sentence_of(parity)


def _write_no_model(source: writers.ExportSource, path: Path) -> None:
    path.write_text("This is no model.", encoding="utf-8")


def test_a_program_that_breaks_is_a_sentence_and_nothing_is_handed_out(run: Run) -> None:
    row = dataclasses.replace(FORMATS["openvino"], write=_write_no_model)
    with pytest.raises(TransLearnError, match="program ended with an error"):
        make_export(run, row, photos=FEW)
    assert not formats.zip_path(run, row).exists()
    assert "RuntimeError" in formats.job_of(run, row).log_tail()


# -------------------------------------------------------------------------- known beforehand


def test_a_layer_that_a_format_cannot_hold_is_known_before_the_click(run: Run) -> None:
    row = FORMATS["onnx"]
    assert formats.obstacle(run, row) == ""
    narrow = dataclasses.replace(row, kinds=row.kinds and row.kinds - {"Conv2D"})
    assert "Conv2D" in formats.obstacle(run, narrow)
    with pytest.raises(InputError, match="cannot hold"):
        make_export(run, narrow)
    lacking = dataclasses.replace(row, here=("no_such_package",))
    assert "pip install no_such_package" in formats.obstacle(run, lacking)


def test_a_format_fitted_to_photos_needs_them(run: Run) -> None:
    row = dataclasses.replace(FORMATS["onnx"], needs_photos=True)
    assert formats.obstacle(run, row) == ""
    changed = run.config.model_copy(update={"dataset": "/nowhere"})
    (run.folder / "config.json").write_text(changed.model_dump_json(), encoding="utf-8")
    assert "no longer here" in formats.obstacle(Run(run.folder), row)


def test_a_model_without_photos_and_figures_is_checked_on_drawn_photos(run: Run) -> None:
    for name in ("metrics.json", "predictions.parquet"):
        (run.folder / name).unlink()
    row = FORMATS["openvino"]
    parity = make_export(run, row, photos=FEW)
    assert parity.within
    assert parity.kinds["drawn"] == FEW - len(verify.GENERATED)
    with zipfile.ZipFile(formats.zip_path(run, row)) as archive:
        name = next(n for n in archive.namelist() if n.endswith("README.txt"))
        assert "Not measured" in archive.read(name).decode()


def test_a_run_without_a_model_is_refused(run: Run) -> None:
    run.model_path.unlink()
    with pytest.raises(RunError, match="has no model"):
        make_export(run, FORMATS["onnx"])
    with pytest.raises(RunError, match="has no model"):
        export_job.start(run, FORMATS["onnx"])


# ------------------------------------------------------------------------------ the process


def _wait(run: Run, row: Format, *states: str) -> JobState:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        now = export_job.state(run, row)
        if now is not None and now.state in states:
            return now
        time.sleep(0.1)
    pytest.fail(f"still {export_job.state(run, row)}")


@pytest.mark.slow
def test_a_process_makes_an_export_and_can_be_stopped(run: Run) -> None:
    row = FORMATS["openvino"]
    export_job.start(run, FORMATS["keras"])
    export_job.request_stop(run, FORMATS["keras"])
    assert _wait(run, FORMATS["keras"], "stopped", "finished").state == "stopped"
    assert formats.read(run, FORMATS["keras"]) is None
    export_job.start(run, row)
    assert _wait(run, row, "finished", "failed").state == "finished"
    assert formats.read(run, row) is not None
    export_job.start(run, row)  # there already: nothing is begun
    now = export_job.state(run, row)
    assert now is not None
    assert now.state == "finished"


# ------------------------------------------------------------------------- the command line


def test_the_command_writes_a_zip(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(run.folder), "openvino", str(tmp_path / "x.zip"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["label_changes"] == 0
    assert zipfile.is_zipfile(told["file"])
    assert cli.main(["export", str(run.folder), "openvino", str(tmp_path)]) == 0
    assert list(tmp_path.glob("*-openvino.zip"))


def test_the_command_names_the_formats(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(run.folder), "word", "x.zip"]) == 2
    assert "The formats are: keras" in capsys.readouterr().err
