"""The examples of the page Export work as they are shown."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.app import assert_well, open_app
from tests.support.commands import call
from tests.support.service import Service, served
from tests.support.trained import copy_of, trained, trained_photos
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run
from translearn_core.runs.annotations import write_notes
from translearn_core.service import examples

TITLES = ["curl", "Python", "JavaScript"]
PROGRAMS = {"Python": sys.executable, "JavaScript": "node", "curl": "curl"}


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    """A run with a name of its own, in a folder with a blank."""
    run = copy_of(trained("frozen"), home / "runs" / "my run")
    write_notes(run, name="Red, green & blue!")
    return run


@pytest.fixture(scope="module")
def service(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as the command starts it, but for its port."""
    python, *options = shlex.split(examples.command(run))
    assert (python, options[:3]) == ("python", ["-m", "translearn_core", "serve"])
    with served(tmp_path_factory.mktemp("process"), *options[3:]) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """The service as the commands with keys start it, but for its port and host; and a key."""
    folder = tmp_path_factory.mktemp("guarded")
    made = shlex.split(examples.key_command())
    with contextlib.chdir(folder):
        done = call(*made[3:])
    assert done.returncode == 0, done.stderr
    options = shlex.split(examples.command(run, with_keys=True))[4:]
    place = options.index("--host")
    assert options[place + 1] == "0.0.0.0"
    options[place + 1] = "127.0.0.1"
    with served(folder, *options) as running:
        yield running, done.stdout.strip()


@pytest.mark.parametrize("with_keys", [False, True])
@pytest.mark.parametrize("title", TITLES)
def test_an_example_prints_the_answer(
    title: str, with_keys: bool, run: Run, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if shutil.which(PROGRAMS[title]) is None:
        pytest.skip(f"{PROGRAMS[title]} is not on this machine")
    photo = sorted(trained_photos().rglob("*.jpg"))[0]
    shutil.copy(photo, tmp_path / examples.PHOTO)
    port, key = request.getfixturevalue("service").port, ""
    if with_keys:
        service, key = request.getfixturevalue("guarded")
        port = service.port
    lines = examples.examples(run, port=port, with_keys=with_keys)
    (example,) = [one for one in lines if one.title == title]
    command = ["sh", "-c", example.text]
    if example.file:
        (tmp_path / example.file).write_text(example.text, encoding="utf-8")
        command = [PROGRAMS[title], example.file]
    environment = {**os.environ, examples.VARIABLE: key}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (wanted,) = predict(run, [photo])
    assert wanted.label is not None
    assert wanted.label in done.stdout
    printed = [float(number) for number in re.findall(r"0\.\d+(?:e-\d+)?", done.stdout)]
    assert wanted.confidence == pytest.approx(max(printed), abs=1e-6)


def test_the_page_shows_command_and_examples(run: Run) -> None:
    app = open_app("share", run=run.id)
    assert_well(app)
    shown = [block.value for block in app.code]
    commands = [examples.command(run, with_keys=with_keys) for with_keys in (False, True)]
    assert {examples.key_command(), *commands} <= set(shown)
    for example in (*examples.examples(run), *examples.examples(run, with_keys=True)):
        assert example.text.strip() in [text.strip() for text in shown]


def test_the_page_says_why_a_run_cannot_be_served(run: Run) -> None:
    copy = run.openvino_path
    hidden = copy.rename(copy.with_suffix(".hidden"))
    try:
        app = open_app("share", run=run.id)
        assert_well(app)
        assert examples.obstacle(run) in " ".join(caption.value for caption in app.caption)
        assert not [block for block in app.code if "serve" in block.value]
    finally:
        hidden.rename(copy)
