"""Temporary folders that a killed process left behind, and those that somebody is at work in."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from translearn_core import datasets, leftovers


@pytest.fixture
def ended_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def aged(folder: Path, *, days: float) -> Path:
    """The folder, made and last changed so long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    then = time.time() - days * 24 * 3600
    os.utime(folder, (then, then))
    return folder


@pytest.mark.parametrize("name", [".importing-x", ".deleted-x", ".importing-", ".importing-1-2-3"])
@pytest.mark.parametrize("days", [0, 30])
def test_an_empty_temporary_folder_keeps_no_import_away(
    name: str, days: float, workspace: Path, colour_photos: Path
) -> None:
    odd = aged(workspace / "datasets" / name, days=days)
    made = datasets.import_source(colour_photos, in_place=True, check=False)
    assert datasets.list_datasets() == [made]
    assert odd.exists() == (name.startswith(".importing") and not days)


def test_what_an_ended_process_left_goes_at_once_and_what_is_at_work_stays(
    workspace: Path, ended_pid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    places = {
        workspace / "datasets": leftovers.IMPORTING,
        workspace / "uploads": "",
        workspace / "cache" / leftovers.ENGINES: leftovers.CONVERTING,
        tmp_path / "temporary": leftovers.DECODING,
    }
    left, at_work = [], []
    for place, prefix in places.items():
        ours = leftovers.own_name(prefix)
        left.append(place / ours.replace(f"{prefix}{os.getpid()}-", f"{prefix}{ended_pid}-"))
        left.append(aged(place / f"{prefix}old", days=2))
        at_work.append(place / leftovers.own_name(prefix))
        at_work.append(place / f"{prefix}young")
        at_work.append(place / f"{prefix}{ended_pid}-{'0' * 20}")  # of another machine
    left.append(workspace / "datasets" / ".deleted-birds-0a1b2c")
    left.append(workspace / "runs" / ".deleted-x")
    kept = [workspace / "datasets" / "birds-0a1b2c", tmp_path / "temporary" / "somebody-else"]
    for folder in (*left, *at_work, *kept):
        is_old = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if not is_old:
            (folder / "photo.jpg").write_bytes(b"x")
    leftovers.sweep()
    assert [folder for folder in left if folder.exists()] == []
    assert [folder for folder in (*at_work, *kept) if not folder.exists()] == []


def test_the_number_of_a_later_process_does_not_keep_a_folder(workspace: Path) -> None:
    folder = aged(workspace / "datasets" / leftovers.own_name(leftovers.IMPORTING), days=30)
    leftovers.sweep()
    assert not folder.exists()


def test_an_upload_that_waits_for_an_answer_stays_a_week(workspace: Path) -> None:
    left = []
    for days in (2, 8):
        folder = workspace / "uploads" / f"asked-{days}"
        folder.mkdir(parents=True)
        (folder / "upload.json").write_text("{}", encoding="utf-8")
        then = time.time() - days * 24 * 3600
        os.utime(folder / "upload.json", (then, then))
        aged(folder, days=days)
        left.append(folder)
    leftovers.sweep()
    assert [folder.exists() for folder in left] == [True, False]
