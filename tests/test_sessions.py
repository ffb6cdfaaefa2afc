"""Tests keep out of a person's workspace, whatever fixtures they ask for."""

from __future__ import annotations

from pathlib import Path

from tests.support import session
from translearn_core.config import home

seen: list[Path] = []


def test_a_test_without_fixtures_has_a_workspace_of_its_own() -> None:
    assert session.is_fresh_home(str(home()))
    seen.append(home())


def test_the_next_one_has_another() -> None:
    assert session.is_fresh_home(str(home()))
    assert home() not in seen


def test_a_workspace_that_a_fixture_chose_stays(workspace: Path) -> None:
    assert home() == workspace
    assert not session.is_fresh_home(str(workspace))
