"""Long steps that cannot be asked to stop are left to themselves."""

from __future__ import annotations

import threading

import pytest

from translearn_core.concurrency import run_stoppable
from translearn_core.errors import InputError, StopRequestedError
from translearn_core.i18n import language


def test_a_step_is_left_when_a_stop_is_asked_for() -> None:
    end = threading.Event()
    ended: list[bool] = []
    with pytest.raises(StopRequestedError):
        run_stoppable(lambda: ended.append(end.wait(30)), lambda: True)
    assert ended == []
    end.set()


def test_results_errors_and_the_language_come_through() -> None:
    before = language.set("de")
    assert run_stoppable(language.get, lambda: False) == "de"
    language.reset(before)

    def fail() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        run_stoppable(fail, lambda: False)
