"""Bringing a model back: what is taken answers as before, what is not is refused with a sentence."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.small_backbone import SMALL
from tests.support.trained import trained, trained_photos
from translearn_core.errors import InputError, StopRequestedError
from translearn_core.model_import import sandbox
from translearn_core.model_import.adopt import Limits, adopt_model
from translearn_core.model_import.inspect import inspect_model
from translearn_core.model_import.provenance import origin_of
from translearn_core.prediction.predict import predict
from translearn_core.runs import list_runs

REQUEST = {"classes": 3, "image_size": 0, "pixels": "0..255", "most_bytes": 2**31, "most_side": 512}

pytestmark = pytest.mark.usefixtures("small_backbone")


def repacked(target: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The trained model with another configuration."""
    with (
        zipfile.ZipFile(trained("small").model_path) as source,
        zipfile.ZipFile(target, "w") as archive,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                data = json.dumps(change(config) or config).encode()
            archive.writestr(name, data)
    return target


def with_layer(**entry: Any) -> Callable[[dict[str, Any]], None]:
    """Puts one more layer into a configuration."""
    return lambda config: config["config"]["layers"].append({"config": {"name": "x"}, **entry})


def zipped(target: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return target


def exported(target: Path) -> Path:
    """What our own export holds, in a folder of its own."""
    run = trained("small")
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(run.model_path, "colours/model.keras")
        archive.write(run.folder / "labels.json", "colours/labels.json")
    return target


@pytest.mark.slow
def test_a_zip_of_ours_comes_back_and_answers_as_before(workspace: Path, tmp_path: Path) -> None:
    told: list[str] = []
    run = adopt_model(exported(tmp_path / "colours.zip"), name="Colours", tell=told.append)

    assert [found.id for found in list_runs()] == [run.id]
    assert (run.state.state, run.has_model, run.has_result) == ("finished", True, False)
    assert run.labels == ["blue", "green", "red"]
    assert run.config.settings.backbone == SMALL, "another run can go on from it"
    assert run.openvino_path.is_file()
    assert run.config.name == "Colours"
    origin = origin_of(run)
    assert origin is not None
    assert origin.file == "colours.zip"
    assert origin_of(trained("small")) is None
    photos = sorted(trained_photos().rglob("*.jpg"))[::9]
    before, after = (list(predict(one, photos)) for one in (trained("small"), run))
    for first, second in zip(before, after, strict=True):
        assert first.label == second.label
        assert first.confidence == pytest.approx(second.confidence, abs=1e-4)
    assert len(told) == 2
    assert not list((workspace / "uploads").iterdir()), "nothing is left behind"


def test_a_file_tells_of_itself_before_it_is_opened(workspace: Path, tmp_path: Path) -> None:
    bare = inspect_model(trained("small").model_path)
    assert (bare.member, bare.classes, bare.image_size, bare.outputs, bare.ours) == (
        "", None, 32, 3, True,
    )  # fmt: skip
    zipped_one = inspect_model(exported(tmp_path / "colours.zip"))
    assert zipped_one.member == "colours/model.keras"
    assert zipped_one.classes == ("blue", "green", "red")


def bomb(path: Path) -> Path:
    return zipped(path, config__json=b"{}", model__weights__h5=bytes(30 * 2**20))


LAMBDA = with_layer(module="keras.layers", class_name="Lambda")
REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("hello"), "no model that can be brought in"),
    "hdf5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), r"\.save\('model\.keras'\)"),
    "litert": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(99)), "LiteRT"),
    "a torn zip": (
        lambda path: path.write_bytes(trained("small").model_path.read_bytes()[:5000]),
        "damaged or cut off",
    ),
    "a zip without a model": (lambda path: zipped(path, a__txt=b"a"), "no .keras file"),
    "hdf5 in a zip": (lambda path: zipped(path, keras_model__h5=b"\x89HDF"), "HDF5"),
    "hdf5 by another name": (lambda path: zipped(path, m__keras=b"\x89HDF\r\n\x1a\n"), "HDF5"),
    "for use only": (lambda path: zipped(path, model__onnx=b"x"), "for use only"),
    "two models": (lambda path: zipped(path, a__keras=b"x", b__keras=b"y"), "several models"),
    "a bomb": (bomb, "without measure"),
    "no weights": (lambda path: zipped(path, config__json=b"{}"), "no whole Keras model"),
    "no json": (
        lambda path: zipped(path, config__json=b"[[[", model__weights__h5=b"x"),
        "cannot be read",
    ),
    "code in a layer": (lambda path: repacked(path, LAMBDA), "`Lambda`"),
    "code by name": (
        lambda path: repacked(path, with_layer(module="os", class_name="system")),
        "`system`",
    ),
    "code as a function": (
        lambda path: repacked(
            path, with_layer(module="builtins", class_name="function", registered_name="own>f")
        ),
        "not opened",
    ),
    "a registered class": (
        lambda path: repacked(
            path, with_layer(module=None, class_name="Mine", registered_name="own>Mine")
        ),
        "`Mine`",
    ),
    "a file reader": (
        lambda path: repacked(path, with_layer(module="keras.layers", class_name="StringLookup")),
        "StringLookup",
    ),
    "a function of keras": (
        lambda path: repacked(path, with_layer(module="keras.utils", class_name="get_file")),
        "`get_file`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_is_no_safe_model_is_refused_before_it_is_opened(
    case: str, workspace: Path, tmp_path: Path
) -> None:
    make, sentence = REFUSED[case]
    path = tmp_path / "thing.keras"
    make(path)
    with pytest.raises(InputError, match=sentence):
        adopt_model(path, classes=["a", "b", "c"])
    assert list_runs() == []
    assert not any((workspace / "uploads").glob("*"))


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (None, "Name the 3 classes"),
        (["a", "b"], "gives 3 answers, but 2"),
        (["a", "b", "a"], "name of its own"),
        (["a"], "between 2 and"),
    ],
)
def test_class_names_have_to_fit(classes: list[str] | None, sentence: str, workspace: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        adopt_model(trained("small").model_path, classes=classes)


def test_a_model_that_takes_too_long_or_is_not_wanted_any_more_is_given_up(
    workspace: Path, tmp_path: Path
) -> None:
    path = exported(tmp_path / "colours.zip")
    with pytest.raises(StopRequestedError):
        adopt_model(path, stop=lambda: True)
    with pytest.raises(InputError, match="takes too long"):
        adopt_model(path, limits=Limits(time_s=0.05))
    with pytest.raises(InputError, match="too much memory"):
        adopt_model(path, limits=Limits(memory_bytes=2**20))
    assert list_runs() == []


# --- the process that opens it, called here in this one ----------------------------------------


def examined(folder: Path, **changes: Any) -> dict[str, Any]:
    return sandbox.examine(folder, REQUEST | changes)


def saved(folder: Path, output: str = "softmax", shape: Any = (32, 32, 3), units: int = 3) -> Path:
    """A tiny model as it is received."""
    import keras

    x = photo = keras.Input(shape)
    if len(shape) == 3:
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(0.01)(x))
    model = keras.Model(photo, keras.layers.Dense(units, activation=output)(x))
    model.save(folder / "received.keras")
    return folder


@pytest.mark.parametrize(
    ("model", "request_", "sentence"),
    [
        ({"output": "linear"}, {}, "no probabilities"),
        ({"shape": (32, 32, 1)}, {}, "colour photos"),
        ({"shape": (32, 48, 3)}, {}, "only square"),
        ({"shape": (12,)}, {}, "colour photos"),
        ({"units": 4}, {}, "one probability for each class"),
        ({"shape": (None, None, 3)}, {}, "any size"),
        ({"shape": (None, None, 3)}, {"image_size": 900}, "at most 512"),
    ],
)
def test_inputs_and_answers_have_to_fit(
    model: dict[str, Any], request_: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        examined(saved(tmp_path, **model), **request_)


@pytest.mark.parametrize(
    ("pixels", "scale", "offset"), [("0..1", 1 / 255, 0), ("-1..1", 1 / 127.5, -1)]
)
def test_scaling_is_put_before_a_model_that_expects_it(
    pixels: str, scale: float, offset: float, tmp_path: Path
) -> None:
    import keras

    answer = examined(saved(tmp_path, shape=(None, None, 3)), pixels=pixels, image_size=24)
    assert answer["image_size"] == 24
    before, after = (
        keras.saving.load_model(tmp_path / f"{n}.keras") for n in ("received", "model")
    )
    photos = np.random.default_rng(0).uniform(0, 255, (3, 24, 24, 3)).astype(np.float32)
    expected = np.asarray(before(photos * scale + offset))
    assert np.allclose(np.asarray(after(photos)), expected, atol=1e-5)


def test_weights_that_point_to_other_files_are_refused(tmp_path: Path) -> None:
    import h5py

    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    for kind in ("link", "external", "damaged"):
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            if kind == "link":
                file["w"] = h5py.ExternalLink(str(secret), "/")
            elif kind == "external":
                file.create_dataset("w", (16,), "f4", external=[(str(secret), 0, 64)])
        data = content.getvalue() if kind != "damaged" else b"not hdf5"
        path = zipped(tmp_path / "received.keras", model__weights__h5=data)
        with pytest.raises(InputError, match="damaged" if kind == "damaged" else "other files"):
            sandbox.check_weights(path, 2**30)


def test_weights_without_measure_are_refused(tmp_path: Path) -> None:
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("w", (2**20, 2**12), "f4", chunks=(256, 256))
    path = zipped(tmp_path / "received.keras", model__weights__h5=content.getvalue())
    with pytest.raises(InputError, match="too large"):
        sandbox.check_weights(path, 2**30)


def test_a_model_that_keras_cannot_open_is_refused(tmp_path: Path) -> None:
    shutil.copy(trained("small").model_path, tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        weights = archive.read("model.weights.h5")
        config = archive.read("config.json").replace(b'"filters": 48', b'"filters": 49')
    zipped(tmp_path / "received.keras", config__json=config, metadata__json=b"{}",
           model__weights__h5=weights)  # fmt: skip
    with pytest.raises(InputError, match="cannot be opened"):
        examined(tmp_path)
