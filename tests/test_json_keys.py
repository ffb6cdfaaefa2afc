"""docs/json.md names every key of every JSON that is printed or written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from tests.support.commands import call
from tests.support.photos import draw_photos
from tests.support.trained import copy_with_dataset, trained
from translearn_core import datasets
from translearn_core.datasets import editing
from translearn_core.datasets.dataset import Record
from translearn_core.export.formats import Parity
from translearn_core.export.job import ExportConfig
from translearn_core.feasibility.job import CheckConfig
from translearn_core.feasibility.report import Report
from translearn_core.jobs.look_ahead import LookAheadConfig
from translearn_core.jobs.measurement import MeasureConfig
from translearn_core.model_import.provenance import Origin
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, RunConfig
from translearn_core.runs.annotations import Notes, write_notes
from translearn_core.runs.run_metrics import RunMetrics
from translearn_core.runs.state import JobState, Worker
from translearn_core.runs.study import StudyPlan, StudyResult
from translearn_core.runs.threshold import ConfidenceThreshold, write_threshold

DOCS = Path(__file__).resolve().parents[1] / "docs"
FREE = {"classes", "splits", "counts", "probabilities", "tasks_sure", "best", "kinds", "versions"}
FREE |= {"class_places", "findings_counts", "trivial", "files", "labels", "was"}
"""Keys whose objects are keyed by names: of classes, files, settings, ..."""


@cache
def documented(page: str, section: str = "") -> frozenset[str]:
    """Words in backticks of a page, or of one section of it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if section:
        parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
        text = parts[section]
    return frozenset(re.findall(r"`([^`]+)`", text))


def keys(content: Any, within: str = "") -> Iterator[str]:
    """Every key of a JSON, at any depth."""
    if isinstance(content, list):
        for item in content:
            yield from keys(item, within)
    elif isinstance(content, dict):
        for key, value in content.items():
            if within not in FREE:
                yield key
            yield from keys(value, key)


def model_keys(model: Any) -> Iterator[str]:
    """Every key of a model and of the models within."""
    for part in (model, *get_args(model)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            for name, field in part.model_fields.items():
                yield field.alias or name
                yield from model_keys(field.annotation)
        elif part is not model:
            yield from model_keys(part)


def undocumented(found: Any, *pages: tuple[str, str]) -> set[str]:
    known = frozenset[str]().union(*(documented(*page) for page in pages))
    assert found, "an empty output proves nothing"
    is_list_of_names = isinstance(found, list) and isinstance(found[0], str)
    names = set(found if is_list_of_names else keys(found))
    return names - known


MODELS: dict[str, tuple[type[BaseModel], tuple[tuple[str, str], ...]]] = {
    "report": (Report, (("json.md", "feasible"), ("feasible.md", "The report"))),
    "metrics": (RunMetrics, (("metrics.md", ""), ("settings.md", ""))),
    "study": (StudyResult, (("json.md", "tune"),)),
    "plan": (StudyPlan, (("json.md", "Other files of a run"),)),
    "parity": (Parity, (("json.md", "export"),)),
    "run": (RunConfig, (("json.md", "config.json"), ("settings.md", ""))),
    "check": (CheckConfig, (("json.md", "config.json"),)),
    "export": (ExportConfig, (("json.md", "config.json"),)),
    "look": (LookAheadConfig, (("json.md", "config.json"),)),
    "measure": (MeasureConfig, (("json.md", "config.json"),)),
    "state": (JobState, (("json.md", "state.json"),)),
    "worker": (Worker, (("json.md", "Other files of a run"),)),
    "notes": (Notes, (("json.md", "Other files of a run"),)),
    "adopted": (Origin, (("json.md", "Other files of a run"),)),
    "dataset": (Record, (("json.md", "dataset.json"),)),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_field_of_a_file_is_documented(name: str) -> None:
    model, pages = MODELS[name]
    assert undocumented(list(model_keys(model)), *pages) == set()


def test_every_setting_is_documented() -> None:
    assert undocumented(list(Settings.model_fields), ("settings.md", "")) == set()


def printed(*arguments: str | Path) -> Any:
    done = call(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_keys_that_the_commands_print(workspace: Path, tmp_path: Path) -> None:
    run = copy_with_dataset(trained("frozen"), tmp_path)
    twin = copy_with_dataset(trained("frozen"), tmp_path / "twin")
    photos = draw_photos(tmp_path / "given", per_class=3)
    photo = photos / "red" / "000.jpg"
    (photos / "red" / "torn.jpg").write_bytes(b"\xff\xd8 no photo")
    assert undocumented(printed("check", photos), ("json.md", "check")) == set()
    assert undocumented(printed("backbones"), ("json.md", "backbones")) == set()
    predicted = printed("predict", run.folder, photo, photos / "red" / "torn.jpg")
    assert undocumented(predicted, ("json.md", "predict")) == set()
    compared = printed("compare", run.folder, twin.folder)
    assert undocumented(compared, ("json.md", "compare")) == set()
    exported = printed("export", run.folder, "onnx", tmp_path / "out")
    assert undocumented(exported, ("json.md", "export")) == set()


def test_keys_of_the_files_of_a_run(tmp_path: Path) -> None:
    run: Run = copy_with_dataset(trained("frozen"), tmp_path)
    write_threshold(run.folder, ConfidenceThreshold(sure_from=0.7))
    write_notes(run, name="x")
    other = ("json.md", "Other files of a run")
    pages = {
        "config.json": (("json.md", "config.json"), ("settings.md", "")),
        "state.json": (("json.md", "state.json"),),
        "labels.json": (("json.md", "labels.json"),),
        "files.json": (("json.md", "files.json"),),
        "metrics.json": (("metrics.md", ""), ("settings.md", "")),
        "decision.json": (other,),
        "notes.json": (other,),
    }
    written = {path.name for path in run.folder.glob("*.json")}
    assert written == set(pages)
    for name in sorted(written):
        content = json.loads((run.folder / name).read_text(encoding="utf-8"))
        assert undocumented(content, *pages[name]) == set(), name
    lines = (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert undocumented(events, ("json.md", "events.jsonl")) == set()


def test_keys_of_the_files_of_a_data_set(workspace: Path, tmp_path: Path) -> None:
    dataset = datasets.import_source(draw_photos(tmp_path / "photos", per_class=3))
    editing.rename_class(dataset, "red", "crimson")
    found = {path.name for path in dataset.folder.glob("*.json")}
    assert found == {"dataset.json", "undo.json"}
    for name in sorted(found):
        content = json.loads((dataset.folder / name).read_text(encoding="utf-8"))
        section = name if name == "dataset.json" else "Other files of a data set"
        assert undocumented(content, ("json.md", section)) == set(), name


def test_a_key_that_no_page_names_is_noticed() -> None:
    assert undocumented({"n_photos": 1, "rows": [{"nobody": 1}]}, ("json.md", "check")) == {
        "rows",
        "nobody",
    }
