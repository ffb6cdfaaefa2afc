"""The command line as a process: what it prints where, and its exit codes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Annotated

import pytest
import typer

from tests.support.commands import call
from tests.support.photos import draw_photos
from tests.support.small_backbone import SMALL
from translearn_core.cli.settings import make_settings_of, with_setting_options
from translearn_core.run_settings import Settings, setting_fields

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--backbone", SMALL, "--set", "image_size=32"]
pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture(autouse=True)
def _no_weights_from_elsewhere(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(workspace / "keras"))
    monkeypatch.setenv("TRANSLEARN_WEIGHTS_URL", "http://127.0.0.1:9")


def in_a_process(*arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
    """Run one command as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "translearn_core", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        timeout=280,
        check=False,
    )


def test_train_then_predict_from_a_zip(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "colours.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for photo in sorted(colour_photos.rglob("*.jpg")):
            file.write(photo, Path("outer") / photo.relative_to(colour_photos))
    run_dir = tmp_path / "run"
    trained = call(
        "train", archive, *TINY, "--epochs", 3, "--seed", 1, "--run-dir", run_dir, "--json")  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout.splitlines()[-1])
    promised = (
        "run_dir state classes blocks n_train n_val n_test left_out backbone cut_layer "
        "frozen_layers total_layers trainable_weights val_accuracy test_accuracy test_interval "
        "majority_accuracy epochs_run parity_max_diff seconds photos_per_s device"
    )
    assert set(promised.split()) <= set(result)
    assert result["state"] == "finished"
    assert Path(result["run_dir"]) == run_dir.resolve()
    assert result["classes"] == ["blue", "green", "red"]
    assert "Traceback" not in trained.stderr

    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "notes.jpg").write_text("not a photo", encoding="utf-8")
    table = tmp_path / "answers.csv"
    asked = in_a_process(
        "predict", run_dir, colour_photos / "red", tmp_path / "new", "--json", "--csv", table)  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    answers = json.loads(asked.stdout)
    assert len(answers) == 17
    assert {"file", "label", "confidence", "probabilities", "error"} <= set(answers[0])
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)
    assert answers[-1]["error"]
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [answer["label"] or "" for answer in answers]


def test_check_reports_and_leaves_no_trace(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    done = call("check", colour_photos, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["classes"] == {"blue": 16, "green": 16, "red": 16}
    assert not (workspace / "datasets").exists()


def test_backbones_tell_what_is_ready(workspace: Path) -> None:
    done = call("backbones", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert len(rows) >= 16
    assert rows["vgg16"]["weights"] == "download"
    assert rows["vgg16"]["weights_file"].endswith("_notop.h5")


BAD = {
    "no such folder": (["train", "{tmp}/nowhere"], "nowhere"),
    "no class folder": (["train", "{photos}/red", *TINY], "class folder"),
    "unknown backbone": (["train", "{photos}", "--backbone", "vgg61"], "vgg16"),
    "too many blocks": (["train", "{photos}", *TINY, "--freeze", "42"], "Received: 42"),
    "freeze in words": (["train", "{photos}", *TINY, "--freeze", "half"], "`freeze` must be"),
    "unknown setting": (["train", "{photos}", *TINY, "--set", "colour=1"], "no setting `colour`"),
    "setting without value": (["train", "{photos}", *TINY, "--set", "dropout"], "NAME=VALUE"),
    "setting out of range": (["train", "{photos}", *TINY, "--set", "dropout=2"], "`dropout` must"),
    "photos too small": (
        ["train", "{photos}", "--backbone", "xception", "--set", "image_size=32"],
        "at least 71",
    ),
    "unknown option": (["train", "{photos}", "--fast"], "--fast"),
    "unreachable weights": (
        ["train", "{photos}", "--backbone", "vgg16"],
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    "full run folder": (["train", "{photos}", *TINY, "--run-dir", "{photos}"], "not empty"),
    "test of other classes": (
        ["train", "{photos}", *TINY, "--test-source", "{other}"],
        "strange",
    ),
    "no run": (["predict", "{photos}", "{photos}/red/000.jpg"], "is not a run"),
    "a torn zip": (["check", "{tmp}/torn.zip"], "torn.zip"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_one_clear_line_and_exit_code_2(
    case: str, workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    other = draw_photos(tmp_path / "other", per_class=1)
    (other / "red").rename(other / "strange")
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 and then nothing")
    arguments, expected = BAD[case]
    filled = [text.format(tmp=tmp_path, photos=colour_photos, other=other) for text in arguments]
    done = call(*filled)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(workspace.glob("runs/*")), "no run is left behind"


def test_a_class_with_a_single_photo_is_named_and_left_out(workspace: Path, tmp_path: Path) -> None:
    source = draw_photos(tmp_path / "photos", per_class=3)
    for photo in sorted((source / "green").glob("*.jpg"))[1:]:
        photo.unlink()
    done = call("check", source, "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert "green" not in report["classes"]
    assert any("The class green has no photo left" in text for text in report["warnings"])
    refused = call("check", source, "--folder-as", "green=maybe")
    assert refused.returncode == 2
    assert "NAME=ROLE" in refused.stderr


OTHER_VALUES: dict[str, str | int | float | bool] = {
    "fit": "pad",
    "freeze": "none",
    "weights": "random",
    "head": "linear",
    "schedule": "constant",
    "augmentation": "light",
    "adaptation": "coral",
    "adversarial": "pgd",
}
"""Values other than the default of settings that take one of several words."""


def _other_value(name: str) -> str | int | float | bool:
    """A value of a setting that is allowed and is not its default."""
    default = setting_fields()[name].default
    if isinstance(default, bool):
        return not default
    if isinstance(default, int | float):
        return default + 1 if isinstance(default, int) else default + 0.01
    return OTHER_VALUES.get(name, "something-else")


@pytest.mark.parametrize("name", list(setting_fields()))
def test_every_setting_is_reachable_from_the_command_line(name: str) -> None:
    received: list[Settings] = []
    app = typer.Typer()

    @app.command()
    @with_setting_options
    def settle(
        set_: Annotated[list[str] | None, typer.Option("--set")] = None, **named: object
    ) -> None:
        received.append(make_settings_of(named, pairs=set_))

    value = _other_value(name)
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        arguments = [option if value else option.replace("--", "--no-", 1)]
    else:
        arguments = [option, str(value)]
    app(args=arguments, standalone_mode=False)
    app(args=["--set", f"{name}={value}"], standalone_mode=False)
    by_option, by_name = received
    assert getattr(by_option, name) == value
    assert getattr(by_name, name) == value


@pytest.mark.parametrize("command", ["train", "tune"])
def test_train_and_tune_have_an_option_for_every_setting(command: str) -> None:
    words = call(command, "--help").stdout.split()
    missing = [name for name in setting_fields() if f"--{name.replace('_', '-')}" not in words]
    assert missing == []


def test_an_option_overrides_set_and_set_overrides_the_preset() -> None:
    pairs = ["epochs=7", "dropout=0.4"]
    settings = make_settings_of({"dropout": 0.2}, pairs=pairs, preset="article")
    assert (settings.dropout, settings.epochs, settings.backbone) == (0.2, 7, "vgg16")


def test_a_folder_that_exists_is_named_absolutely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = make_settings_of({"unlabelled": "photos", "start_from": "20260101-abc"})
    assert settings.unlabelled == str(tmp_path / "photos")
    assert settings.start_from == "20260101-abc"


def test_adversarial_training_unfreezes_the_backbone_unless_told_otherwise() -> None:
    assert make_settings_of({"adversarial": "fgsm"}).freeze == "none"
    assert make_settings_of({"adversarial": "fgsm", "freeze": "all"}).freeze == "all"
    assert make_settings_of({"adversarial": "none"}).freeze == Settings().freeze
