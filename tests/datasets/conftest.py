"""A workspace of its own for each test of data sets."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`TRANSLEARN_HOME` of this test, with no need for free disk space."""
    home = tmp_path / "home"
    monkeypatch.setenv("TRANSLEARN_HOME", str(home))
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"free_bytes": 0}')
    return home
