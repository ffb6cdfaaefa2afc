"""Photos that mirroring would put into another class: left out of training by itself, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.arrows import draw_arrows
from tests.support.monitors import Warned
from tests.support.small_backbone import SMALL
from tests.support.trained import train
from translearn_core import backbones, datasets, runs
from translearn_core.datasets import Dataset
from translearn_core.feasibility import job as check_job
from translearn_core.fitting.data import TrainingData, gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import Monitor
from translearn_core.reports.model_card_text import limits
from translearn_core.run_settings import make_settings
from translearn_core.runs import run_caveats
from translearn_core.training.search_scoring import Search

TINY = {"backbone": "starter", "image_size": 0, "epochs": 2}


@pytest.fixture(scope="module")
def sideways(home: Path) -> Dataset:
    """Arrows to the left, to the right and up."""
    directions = {"left": 180, "right": 0, "up": 90}
    return datasets.import_source(draw_arrows(home / "sideways", directions, per_class=20))


def _gather(dataset: Dataset, **settings: object) -> tuple[TrainingData, list[str]]:
    """What a run learns from, and what it is warned of."""
    run = runs.create_run(dataset.folder, make_settings(TINY | settings))
    monitor = Warned()
    return gather_training_data(make_plan(run), monitor), monitor.said


@pytest.mark.awkward
def test_by_itself_left_and_right_are_not_mirrored_and_the_run_says_so(sideways: Dataset) -> None:
    run = train(sideways, **TINY, augmentation="auto")
    metrics = run.metrics
    assert metrics.augmentation == "none"
    assert metrics.settings["augmentation"] == "auto"
    assert "left look like right" in metrics.mirrors
    assert "not mirrored in training" in metrics.mirrors
    assert metrics.warnings == [metrics.mirrors]
    assert metrics.mirrors in run_caveats.caveats_of(metrics)
    assert limits(run).count(metrics.mirrors) == 1


@pytest.mark.parametrize("chosen", ["mirror", "strong"])
def test_a_chosen_augmentation_is_obeyed_with_a_warning(chosen: str, sideways: Dataset) -> None:
    data, said = _gather(sideways, augmentation=chosen)
    assert len(data.views_pooled) == {"mirror": 1, "strong": 6}[chosen]
    assert data.mirroring.augmentation == chosen
    assert said == [data.mirroring.said]
    assert "left look like right" in said[0]
    assert f"`augmentation={chosen}`, as chosen" in said[0]


def test_up_and_down_stay_themselves_and_are_mirrored(home: Path) -> None:
    photos = draw_arrows(home / "upright", {"up": 90, "down": 270}, per_class=16)
    dataset = datasets.import_source(photos)
    data, said = _gather(dataset)
    assert (len(data.views_pooled), data.mirroring.augmentation, said) == (1, "mirror", [])
    report = check_job.assess(dataset, backbone=backbones.get_backbone("starter"))
    assert (report.mirrors, "mirrors" in report.findings_counts) == ("", False)


@pytest.mark.usefixtures("small_backbone")
def test_a_trial_of_the_search_does_not_mirror_either(sideways: Dataset) -> None:
    tiny = TINY | {"backbone": SMALL}
    run = runs.create_run(sideways.folder, make_settings(tiny))
    plan = make_plan(run)
    found = Search(run=run, plan=plan, monitor=Monitor(), minutes=1.0, began=0.0)
    by_itself, without = (
        found.score(make_settings(tiny | {"augmentation": chosen}), Monitor())
        for chosen in ("auto", "none")
    )
    assert by_itself is not None
    assert without is not None
    assert by_itself.log_loss == without.log_loss


def test_the_check_says_it_beside_its_figures(sideways: Dataset) -> None:
    report = check_job.assess(sideways, backbone=backbones.get_backbone("starter"))
    assert "left look like right" in report.mirrors
    assert report.mirrors in report.remarks
    assert report.findings_counts["mirrors"] == 1
