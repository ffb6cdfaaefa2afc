"""The demo photos in a class: drawn into the space of the pupil who asked for them."""

from __future__ import annotations

import time
from pathlib import Path

from translearn_core import datasets, spaces
from translearn_ui.components import background_tasks


def test_the_demo_of_a_pupil_lies_in_their_space(workspace: Path) -> None:
    space, other = spaces.space_named("0" * 16), spaces.space_named("1" * 16)
    with spaces.acting_in(space):
        task = background_tasks.start("Demo", lambda _task: datasets.make_demo(per_class=1))
    while not task.finished:
        time.sleep(0.01)
    assert task.error is None
    assert task.result.folder.is_relative_to(space)
    with spaces.acting_in(space):
        assert [one.id for one in datasets.list_datasets()] == [task.result.id]
        assert background_tasks.find(task.id) is task
    with spaces.acting_in(other):
        assert datasets.list_datasets() == []
        assert background_tasks.find(task.id) is None
