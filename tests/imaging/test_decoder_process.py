"""Processes that decode photos, started before it is known which photos."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets
from translearn_core.cli.screen import output_to
from translearn_core.imaging import decoder_process
from translearn_core.imaging.processors import processor_count

pytestmark = pytest.mark.skipif(processor_count() < 2, reason="one processor starts none ahead")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with enough files, in folders of their own."""
    for number in range(decoder_process.MIN_PHOTOS):
        file = tmp_path / "files" / str(number % 3) / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    yield tmp_path / "files"
    decoder_process.end_waiting()


def test_a_pass_takes_the_processes_that_wait(folder: Path, tmp_path: Path) -> None:
    paths = sorted(draw_photos(tmp_path / "photos", per_class=7).rglob("*.jpg")) * 15
    decoder_process.start_ahead(folder)
    started = list(decoder_process._waiting)
    assert len(started) == processor_count()
    photos = datasets.decode_ahead(paths, size=16)
    next(photos)
    assert not decoder_process._waiting
    assert all(process.poll() is None for process in started)
    assert len(list(photos)) == len(paths) - 1
    assert all(process.poll() is not None for process in started)


def test_one_that_ended_while_it_waited_is_replaced(folder: Path) -> None:
    decoder_process.start_ahead(folder)
    decoder_process.start_ahead(folder)  # they are there
    first, *rest = decoder_process._waiting
    assert len(rest) == processor_count() - 1
    for process in decoder_process._waiting:
        process.kill()
        process.wait()
    with decoder_process.start() as process:  # type: ignore[union-attr]
        assert process not in [first, *rest]
        process.kill()


STARTS_AND_LEAVES = """
import sys
from pathlib import Path
from translearn_core.imaging import decoder_process

decoder_process.start_ahead(Path(sys.argv[1]))
assert decoder_process._waiting
"""


def test_those_of_a_command_that_leaves_before_say_nothing(folder: Path) -> None:
    left = subprocess.run(
        [sys.executable, "-c", STARTS_AND_LEAVES, str(folder)],
        capture_output=True,  # until they have ended, too
        check=False,
        timeout=120,
    )
    assert (left.returncode, left.stdout, left.stderr) == (0, b"", b"")


def test_their_errors_go_where_those_of_the_run_go(folder: Path, tmp_path: Path) -> None:
    paths = sorted(draw_photos(tmp_path / "photos", per_class=7).rglob("*.jpg")) * 15
    decoder_process.start_ahead(folder)
    log = tmp_path / "log.txt"
    with output_to(log), closing(datasets.decode_ahead(paths, size=16)) as photos:
        next(photos)
        if sys.platform == "linux":
            end = time.monotonic() + 60
            while _errors_of_decoders() != {str(log)}:  # each does so when it has begun
                assert time.monotonic() < end, _errors_of_decoders()
                time.sleep(0.05)
        assert len(list(photos)) == len(paths) - 1


def _errors_of_decoders() -> set[str]:
    """The files that the decoders of this process write errors to."""
    return {
        str(Path(f"/proc/{child.pid}/fd/2").readlink())
        for child in psutil.Process().children()
        if "translearn_core.imaging.decode_pool" in child.cmdline()
    }


def test_for_few_photos_none_are_started_and_those_not_needed_end(folder: Path) -> None:
    decoder_process.start_ahead(folder / "0")
    decoder_process.start_ahead(folder / "gone")
    assert not decoder_process._waiting
    decoder_process.start_ahead(folder)
    started = list(decoder_process._waiting)
    decoder_process.end_waiting()
    assert not decoder_process._waiting
    assert all(process.poll() is not None for process in started)
