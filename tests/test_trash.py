"""The bin: what is thrown away comes back as it was, and goes after a week."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from translearn_core import datasets, runs, spaces, trash
from translearn_core.datasets import Dataset
from translearn_core.errors import AccessError, InputError, RunError
from translearn_core.run_settings import Settings
from translearn_core.runs.in_use import throw_away_dataset, throw_away_run


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Dataset:
    """Photos in the workspace."""
    return datasets.import_source(colour_photos, check=False, name="colours")


def test_photos_and_models_come_back_as_they_were(dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, Settings(), name="autumn")
    with pytest.raises(RunError, match="in use"):
        throw_away_dataset(dataset)
    with pytest.raises(RunError, match="still going on"):
        throw_away_run(run)
    run.update_state(state="finished")
    before = dataset.fingerprint, sorted(path.name for path in run.folder.iterdir())

    thrown = [throw_away_dataset(dataset), throw_away_run(run)]
    assert (datasets.list_datasets(), runs.list_runs()) == ([], [])
    assert {(entry.kind, entry.name) for entry in trash.entries()} == {
        ("dataset", "colours"),
        ("run", "autumn"),
    }
    for entry in thrown:
        trash.put_back(entry)
    after = dataset.fingerprint, sorted(path.name for path in run.folder.iterdir())
    assert after == before
    assert trash.entries() == []
    with pytest.raises(InputError, match="no longer in the bin"):
        trash.put_back(thrown[0])


def test_nothing_is_put_over_another_one(dataset: Dataset) -> None:
    entry = throw_away_dataset(dataset)
    dataset.folder.mkdir()
    with pytest.raises(InputError, match="another one at its place"):
        trash.put_back(entry)
    assert trash.entries() == [entry]


def test_what_is_older_than_a_week_goes_and_foreign_entries_do_no_harm(dataset: Dataset) -> None:
    entry = throw_away_dataset(dataset)
    file = entry.folder / "entry.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    for name, text in (("odd", "[]"), ("torn", '{"kind": "da')):
        other = entry.folder.with_name(name)
        (other / "content").mkdir(parents=True)
        (other / "entry.json").write_text(text, encoding="utf-8")
    assert trash.entries() == [entry]
    content["thrown_at"] -= trash.KEEP_S + 1
    file.write_text(json.dumps(content), encoding="utf-8")
    assert trash.entries() == []
    assert not entry.folder.exists()


def test_what_lies_in_the_bin_of_another_space_goes_back_there(dataset: Dataset) -> None:
    mine, other = (spaces.root() / "people" / (letter * 16) for letter in "ab")
    with spaces.acting_in(mine):
        entry = trash.throw_away(_folder(mine / "datasets" / "cats"), kind="dataset", name="cats")
    with spaces.acting_in(other), pytest.raises(AccessError):
        trash.put_back(entry)
    assert trash.put_back(entry) == mine / "datasets" / "cats", "the teacher looks into all"


def _folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
