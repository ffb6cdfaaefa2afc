"""Long steps that cannot be asked to stop are left to themselves."""

from __future__ import annotations

import threading

import pytest

from translearn_core.concurrency import meanwhile, run_stoppable
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


def test_what_is_done_meanwhile_has_ended_with_the_block() -> None:
    began, go_on, done = threading.Event(), threading.Event(), []

    def work() -> str:
        began.set()
        assert go_on.wait(30)
        done.append("work")
        return "result"

    with meanwhile(work, is_apart=True) as result:
        assert began.wait(30)  # beside the block
        done.append("block")
        go_on.set()
    assert done == ["block", "work"]
    assert result() == "result"


def test_what_must_not_be_done_beside_the_block_is_done_when_it_is_asked_for() -> None:
    done: list[str] = []
    with meanwhile(lambda: done.append("work"), is_apart=False) as result:
        done.append("block")
    assert done == ["block"]
    result()
    assert done == ["block", "work"]


def test_what_failed_meanwhile_is_said_where_its_result_is_asked_for() -> None:
    with meanwhile(lambda: 1 // 0, is_apart=True) as result:
        pass
    with pytest.raises(ZeroDivisionError):
        result()
