"""Progress of a command: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from translearn_core.cli.bar import Bar

with Bar() as bar:
    bar.show("Looking at photo 1 of 2 [of class A]", 0.5, always=True)
    bar.note("one.jpg is [no photo]")
    bar.show("Looking at photo 2 of 2 " + 200 * "x", 1.0, always=True)
    bar.show("too soon after the last", 1.0)
print("done")
"""


def run_with(stderr: int, stdin: int = subprocess.DEVNULL, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=60,
        check=True,
    )


def test_elsewhere_than_on_a_terminal_there_are_plain_lines(tmp_path: Path) -> None:
    path = tmp_path / "stderr.txt"
    with path.open("wb") as file:
        run_with(file.fileno(), FORCE_COLOR="1")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["Looking at photo 1 of 2 [of class A]", "Note: one.jpg is [no photo]"]
    assert lines[2].startswith("Looking at photo 2 of 2 xxx")
    assert len(lines) == 3


def test_on_a_terminal_the_bar_fits_its_width_and_goes_while_notes_stay() -> None:
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    reader, writer = pty.openpty()
    run_with(writer, stdin=writer, COLUMNS="60", TERM="xterm-256color", NO_COLOR="1")
    os.close(writer)
    shown = b""
    try:
        while chunk := os.read(reader, 65536):
            shown += chunk
    except OSError:  # the end, on Linux
        pass
    os.close(reader)
    text = shown.decode("utf-8")
    assert "Looking at photo 2 of 2 xxx" in text
    assert "Note: one.jpg is [no photo]\r\n" in text
    assert 60 * "x" not in text
    assert text.endswith("\x1b[2K"), "the bar is removed at the end"
