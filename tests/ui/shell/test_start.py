"""What the server sees to beside the pages."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from translearn_ui.shell import start


@pytest.fixture
def nothing_aside() -> Iterator[None]:
    """No object is set aside before the test, nor after it."""
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_aside")
def test_what_modules_brought_is_set_aside_once_and_what_came_later_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "brought_in", ModuleType("brought_in"))
    monkeypatch.setattr(start, "_modules", 0)
    start.set_modules_aside()
    assert gc.get_freeze_count() > 10_000
    gc.unfreeze()
    start.set_modules_aside()
    assert gc.get_freeze_count() == 0, "no module came"
    monkeypatch.setitem(sys.modules, "brought_in_later", ModuleType("brought_in_later"))
    start.set_modules_aside()
    assert gc.get_freeze_count() > 10_000
