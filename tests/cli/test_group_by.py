"""`--group-by`: columns of a table, folder levels, beginnings of names, and what is said of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.commands import call
from translearn_core import datasets


def write_sites(root: Path, *, sites: int = 6, n: int = 5) -> Path:
    """Balls and boxes at places of their own: `ball/site0/ball_0.png`. The colours of a place are
    seen at once, the thing hardly, so only who knows the place does well."""
    rng = np.random.default_rng(1)
    for label, name in enumerate(("ball", "box")):
        for site in range(sites):
            folder = root / name / f"site{site + sites * label}"
            folder.mkdir(parents=True)
            place = rng.integers(0, 255, (6, 8, 3))
            for number in range(n):
                pixels = np.clip(place + rng.integers(-40, 40, place.shape), 0, 255)
                photo = Image.fromarray(pixels.astype(np.uint8)).resize((64, 48))
                photo.save(folder / f"p{site}_{number}.png")
    return root


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sites(tmp_path_factory.mktemp("sites"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))


def check(*arguments: str | Path) -> dict[str, Any]:
    done = call("check", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize(
    ("by", "groups", "grouped_by"),
    [
        ("1", 12, "level:1"),
        ("level:1", 12, "level:1"),
        ("site", 12, "level:site"),
        ("folder", 12, "folder"),
        ("name:_", 6, "name:_"),
    ],
)
def test_a_level_makes_groups_and_the_folders_around_it_the_classes(
    sites: Path, by: str, groups: int, grouped_by: str
) -> None:
    rule = ["--classes", "outer"] if by.startswith("name") else []
    report = check(sites, "--group-by", by, *rule)
    assert report["classes"] == {"ball": 30, "box": 30}
    assert (report["groups"], report["grouped_by"]) == (groups, grouped_by)


def test_a_column_makes_groups_and_is_no_label(sites: Path, tmp_path: Path) -> None:
    """With the column of the sites taken, only one column is left that may hold the classes."""
    rows = ["file,thing,place"]
    for photo in sorted(sites.rglob("*.png")):
        relative = photo.relative_to(sites).as_posix()
        name, site, _file = relative.split("/")
        rows.append(f"{relative},{name},{'' if site == 'site0' else site.title()}")
    table = tmp_path / "t.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    report = check(sites, "--labels", table, "--group-by", "Place")
    assert report["classes"] == {"ball": 30, "box": 30}
    assert (report["groups"], report["grouped_by"]) == (11, "place")
    by_folder = check(sites, "--labels", table, "--main", "thing", "--group-by", "site")
    assert by_folder["groups"] == 12


def test_what_is_not_there_is_refused_with_what_is(sites: Path) -> None:
    done = call("check", sites, "--group-by", "camera")
    assert done.returncode == 2
    assert "level:-1" in done.stderr
    assert "A column is read from a table of labels" in done.stderr


def test_the_estimate_is_for_new_sites_and_stands_beside_the_random_split(sites: Path) -> None:
    plain = call("feasible", sites, "--classes", "outer", "--backbone", "starter", "--json")
    done = call("feasible", sites, "--group-by", "1", "--backbone", "starter", "--json")
    before, report = json.loads(plain.stdout), json.loads(done.stdout)
    assert before["grouped_by"] == ""
    assert report["grouped_by"] == "level:1"
    assert report["n_groups"] <= 12
    assert report["accuracy"] < report["random_split_accuracy"] - 0.1
    assert report["random_split_flatters"]
    assert "new group (level:1)" in report["random_split_note"]
    assert report["findings_counts"]["random_split"] == 1
    shown = call("feasible", sites, "--group-by", "1", "--backbone", "starter")
    assert report["random_split_note"] in shown.stdout
    (dataset,) = datasets.list_datasets()
    assert datasets.named_groups(dataset) is not None
    again = call("feasible", sites, "--classes", "outer", "--backbone", "starter")
    assert "level:1: 12 groups" in again.stderr  # kept from before, and said
    gone = call("check", sites, "--classes", "outer", "--group-by", "none", "--json")
    assert json.loads(gone.stdout)["groups"] == 0


def test_one_class_with_several_sites_is_too_few_to_measure(sites: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    shutil.copytree(sites / "ball" / "site0", few / "ball" / "site0")
    shutil.copytree(sites / "box", few / "box")
    done = call("feasible", few, "--group-by", "site", "--backbone", "starter")
    assert done.returncode == 2
    assert "Fewer than two classes have photos of two groups (level:site)" in done.stderr
