"""What the server sees to beside the pages."""

from __future__ import annotations

import gc
import sys
from types import ModuleType

import pytest

from translearn_ui.shell import start

MANY = 20_000


@pytest.fixture
def few_objects() -> None:
    """What there is already is set aside: looking through it for garbage takes seconds."""
    gc.freeze()


@pytest.mark.usefixtures("few_objects")
def test_what_modules_brought_is_set_aside_once_and_what_came_later_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "brought_in", ModuleType("brought_in"))
    monkeypatch.setattr(start, "_modules", 0)
    aside = gc.get_freeze_count()
    brought: list[list[int]] = [[] for _ in range(MANY)]
    start.set_modules_aside()
    assert gc.get_freeze_count() > aside + MANY // 2
    aside = gc.get_freeze_count()
    brought += [[] for _ in range(MANY)]
    start.set_modules_aside()
    assert gc.get_freeze_count() < aside + MANY // 2, "no module came"
    monkeypatch.setitem(sys.modules, "brought_in_later", ModuleType("brought_in_later"))
    start.set_modules_aside()
    assert gc.get_freeze_count() > aside + MANY // 2
