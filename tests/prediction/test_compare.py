"""Runs side by side: on photos that none learned from, and whether a difference is chance."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.commands import call
from tests.support.drawing import POSITION
from tests.support.photos import draw_photos
from tests.support.trained import copy_of, train, trained, trained_photos
from translearn_core import datasets, runs
from translearn_core.datasets import Dataset
from translearn_core.errors import InputError, RunError
from translearn_core.evaluation.significance import holm, mcnemar
from translearn_core.prediction.compare import as_json, compare
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run
from translearn_core.runs.annotations import display_name, read_notes, write_notes
from translearn_core.runs.provenance import write_photos
from translearn_core.runs.splits import recover_split

CLASSES = ["blue", "green", "red"]


@pytest.fixture
def dataset(workspace: Path, tmp_path: Path) -> Dataset:
    """Three classes with given parts: 4 photos each to learn from, 10 for the test."""
    draw_photos(tmp_path / "given" / "train", per_class=4, seed=1)
    draw_photos(tmp_path / "given" / "test", per_class=10, seed=2)
    return datasets.import_source(tmp_path / "given", check=True)


def made_run(
    dataset: Dataset, wrong: set[int], *, classes: list[str] = CLASSES, **settings: object
) -> Run:
    """A finished run with known answers: wrong on the test photos at the places in `wrong`."""
    run = runs.create_run(
        dataset.folder,
        make_settings(settings),
        dataset_name=dataset.name,
        name=f"wrong {len(wrong)}",
    )
    split = datasets.assign_splits(dataset, validation_share=0.1, test_share=0.2, seed=0)
    photos = dataset.photos
    test = photos[split.loc[photos["path"]].to_numpy() == "test"]
    test = test[test["class_name"].isin(classes)].reset_index(drop=True)
    after = dict(zip(classes, [*classes[1:], classes[0]], strict=True))
    labels = [after[t] if n in wrong else t for n, t in enumerate(test["class_name"])]
    pd.DataFrame(
        {
            "path": test["path"],
            "file": test["file"],
            "truth": test["class_name"],
            "label": labels,
            "confidence": 0.8,
            "correct": [
                label == truth for label, truth in zip(labels, test["class_name"], strict=True)
            ],
        }
    ).to_parquet(run.folder / "predictions.parquet")
    counts = split.value_counts()
    metrics = {
        "classes": classes,
        "n_train": int(counts.get("train", 0)),
        "n_val": int(counts.get("val", 0)),
        "n_test": len(test),
        "seconds": {"total": 3.0},
    }
    (run.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (run.folder / "labels.json").write_text(
        json.dumps({"classes": classes, "image_size": 32}), encoding="utf-8"
    )
    (run.folder / "model.keras").write_bytes(b"not asked")
    run.update_state(state="finished")
    return run


def add_task(run: Run, task: str, wrong: set[int]) -> Run:
    """Give a run a further task: two of three test photos carry a label of it, so 20."""
    tested = pd.read_parquet(run.folder / "predictions.parquet")[["path", "file"]]
    truth = [("", "small", "large")[n % 3] for n in range(len(tested))]
    tested[task] = truth
    tested[f"{task}: answer"] = ["none" if n in wrong else t for n, t in enumerate(truth)]
    tested[f"{task}: confidence"] = 0.9
    tested.to_parquet(run.folder / "tasks.parquet")
    metrics = run.metrics.as_dict() | {"tasks": [{"name": "class"}, {"name": task}]}
    (run.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return Run(run.folder)


def test_photos_with_and_without_their_position_are_the_same(
    workspace: Path, tmp_path: Path
) -> None:
    draw_photos(tmp_path / "given" / "train", per_class=4, seed=1, exif=POSITION)
    draw_photos(tmp_path / "given" / "test", per_class=10, seed=2, exif=POSITION)
    copied, in_place = (
        datasets.import_source(tmp_path / "given", in_place=way) for way in (False, True)
    )
    found = compare([made_run(in_place, {0, 1}), made_run(copied, {2})])
    assert [(one.correct, one.n, one.asked) for one in found.runs] == [(28, 30, 0), (29, 30, 0)]


def test_a_task_that_all_answer_is_compared_on_the_photos_with_its_label(dataset: Dataset) -> None:
    plain = made_run(dataset, {4})
    first = add_task(made_run(dataset, {0}), "size", wrong={1, 3})  # 3 carries no label
    second = add_task(made_run(dataset, {1}), "size", wrong={0, 2, 4, 5, 7, 8, 10, 11, 13})
    found = compare([second, first])
    (task,) = found.tasks
    assert [(one.letter, one.correct, one.n) for one in task.runs] == [("A", 12, 20), ("B", 19, 20)]
    assert task.sentence == (
        "Of the same 20 photos, right: A 12, B 19. B is better than A on 8 photos, worse on 1: "
        "chance would hardly do that."
    )
    assert as_json(found)["tasks"][0]["duels"][0]["p_value"] == pytest.approx(mcnemar(8, 1))
    assert found.with_reference("A").tasks[0].reference == "A"
    mixed = compare([first, plain])
    assert mixed.tasks == ()
    assert any("not compared: size" in text for text in mixed.remarks)


@pytest.mark.parametrize(
    ("better", "worse"), [(14, 9), (0, 0), (6, 0), (5, 0), (3, 40), (700, 611)]
)
def test_mcnemar_is_the_exact_binomial_test(better: int, worse: int) -> None:
    from scipy import stats  # here, since every test process reads this file

    n = better + worse
    expected = stats.binomtest(better, n, 0.5).pvalue if n else 1.0
    assert mcnemar(better, worse) == pytest.approx(expected, rel=1e-9)


def test_holm_corrects_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_two_runs_with_one_test_are_told_apart_or_not(dataset: Dataset) -> None:
    good, close = made_run(dataset, {0, 1}), made_run(dataset, {1, 2, 3, 4}, epochs=7)
    bad = made_run(dataset, set(range(2, 20)), seed=3)

    found = compare([good, close])
    assert len(found.photos) == 30
    assert [(one.letter, one.correct) for one in found.runs] == [("A", 28), ("B", 26)]
    assert found.sentence == (
        "Of the same 30 photos, right: A 28, B 26. A is better than B on 3 photos, worse on 1: so "
        "few that nothing can be concluded."
    )
    assert found.settings == {"epochs": {"A": make_settings({}).epochs, "B": 7}}
    assert sorted(found.disagreements().index) == [0, 2, 3, 4]

    shown = compare([bad, good])
    assert "B is better than A on 18 photos, worse on 2: chance would hardly do that." in (
        shown.sentence
    )
    assert shown.significance[0].p_value == pytest.approx(mcnemar(18, 2))
    json.dumps(as_json(shown))


def test_the_best_is_corrected_for_all_pairs_and_a_chosen_one_for_its_own(
    dataset: Dataset,
) -> None:
    runs_ = [made_run(dataset, wrong) for wrong in ({0}, set(range(8)), set(range(5, 20)))]
    best = compare(runs_)
    assert best.reference == "A"
    assert [duel.letter for duel in best.significance] == ["B", "C"]
    raw = [mcnemar(7, 0), mcnemar(15, 1), mcnemar(12, 5)]  # A-B, A-C, B-C
    assert [duel.p_corrected for duel in best.significance] == pytest.approx(holm(raw)[:2])
    chosen = compare(runs_, reference=runs_[1].id)
    assert [duel.letter for duel in chosen.significance] == ["A", "C"]
    assert [d.p_corrected for d in chosen.significance] == pytest.approx(holm([raw[0], raw[2]]))
    assert best.with_reference("B").significance == chosen.significance


@pytest.mark.slow
@pytest.mark.usefixtures("small_backbone")
def test_photos_that_one_has_never_seen_are_asked_about_and_learned_ones_left_out(
    workspace: Path, tmp_path: Path
) -> None:
    first, new = trained("frozen"), tmp_path / "new"
    shutil.copytree(trained_photos(), new)
    draw_photos(tmp_path / "more", per_class=12, seed=2)
    for photo in (tmp_path / "more").rglob("*.jpg"):
        shutil.copy(photo, new / photo.parent.name / f"more-{photo.name}")
    second = train(datasets.import_source(new, in_place=True, check=False), epochs=2)

    found = compare([first, second])

    learned = set()
    for run in (first, second):
        table = recover_split(run).table
        learned |= set(table.loc[table["part"] != "test", "sha256"])
    hashes = [
        datasets.decode_photo(Path(path), size=8).stats.sha256 for path in found.photos["path"]
    ]
    assert not learned & set(hashes)
    assert found.runs[0].asked > 0
    assert found.runs[1].asked == 0
    strangers = found.photos["file"].str.contains("more-")
    assert strangers.sum() == found.runs[0].asked
    assert found.photos["label_0"].isin(CLASSES).all()
    assert any("test photos differ" in text for text in found.remarks)


def test_a_data_set_that_was_changed_since_vouches_for_its_test_photos_only(
    dataset: Dataset, tmp_path: Path
) -> None:
    before = made_run(dataset, {0})
    draw_photos(tmp_path / "late", per_class=5, seed=9)
    for photo in sorted((tmp_path / "late" / "red").iterdir()):
        datasets.add_photos(dataset, "red", [(photo.name, photo)])
    after = made_run(dataset, {1})
    assert not recover_split(before).certain
    assert recover_split(after).certain
    assert len(compare([before, after]).photos) == 30


@pytest.mark.parametrize("recorded", [True, False])
def test_photos_that_a_source_learned_from_do_not_count(
    dataset: Dataset, tmp_path: Path, recorded: bool
) -> None:
    """A source learned from some of the 30 test photos, in a data set of its own: some as they are,
    some saved again."""
    tested = dataset.photos[dataset.photos["split"] == "test"]
    for number, path in enumerate(tested["path"].iloc[::5]):
        name = tested["class_name"].iloc[5 * number]
        (tmp_path / "old" / name).mkdir(parents=True, exist_ok=True)
        file = tmp_path / "old" / name / f"{number}.jpg"
        if number % 2:
            with Image.open(dataset.photo_path(path)) as photo:
                photo.save(file, quality=60)
        else:
            shutil.copy(dataset.photo_path(path), file)
    for photo in draw_photos(tmp_path / "older", per_class=4, seed=5).rglob("*.jpg"):
        shutil.copy(photo, tmp_path / "old" / photo.parent.name / f"new-{photo.name}")
    source = made_run(datasets.import_source(tmp_path / "old", check=True), set())
    old = recover_split(source).table
    learned = old[(old["part"] != "test") & ~old["file"].str.contains("new-")]
    assert len(set(learned["sha256"]) & set(tested["sha256"])) not in (0, len(learned))
    if recorded:
        write_photos(source, old, old["part"].to_numpy(dtype=str), None)
    started = made_run(dataset, {0, 1}, start_from=source.id)
    again = made_run(dataset, set(), start_from=started.id)
    plain = made_run(dataset, {2})

    found = compare([plain, again])

    assert found.learned_before == len(learned)
    assert len(found.photos) == 30 - len(learned)
    (said,) = [text for text in found.remarks if "not count" in text]
    assert display_name(source) in said
    assert as_json(found)["n_learned_before"] == len(learned)
    assert compare([plain, made_run(dataset, {3})]).learned_before == 0


def test_a_source_that_is_gone_is_said(dataset: Dataset) -> None:
    started = made_run(dataset, {0}, start_from="gone")
    found = compare([made_run(dataset, {1}), started])
    assert len(found.photos) == 30
    assert any("comes from gone" in text and "not known" in text for text in found.remarks)


def test_photos_that_a_run_was_adapted_to_count_and_it_is_said(
    dataset: Dataset, tmp_path: Path
) -> None:
    place = datasets.import_source(tmp_path / "given" / "test", check=True).id
    plain = made_run(dataset, {0})
    for used in ({"adaptation": {}}, {"selftraining": {"helps": True}}):
        setting = "adapt_to" if "adaptation" in used else "unlabelled"
        adapted = add_figures(made_run(dataset, set(), **{setting: place}), used)
        found = compare([plain, adapted])
        assert len(found.photos) == 30
        assert any("30 of these photos are among those that" in text for text in found.remarks)
        left = {name: figures | {"helps": False} for name, figures in used.items()}
        remarks = compare([plain, add_figures(adapted, left)]).remarks
        assert not any("among those that" in text for text in remarks), "they were not used"
    kept = add_figures(adapted, {"adaptation": {"tested_photos_left_out": 30}})
    assert not any("among those that" in text for text in compare([plain, kept]).remarks)


def add_figures(run: Run, figures: dict[str, object]) -> Run:
    """The run with others among its figures."""
    path = run.folder / "metrics.json"
    content = json.loads(path.read_text(encoding="utf-8")) | figures
    path.write_text(json.dumps(content), encoding="utf-8")
    return run


def test_runs_whose_photos_are_gone_are_compared_by_what_they_answered(dataset: Dataset) -> None:
    first, second = made_run(dataset, {0}), made_run(dataset, {1, 2})
    datasets.delete_dataset(dataset)
    assert [one.correct for one in compare([first, second]).runs] == [29, 28]


def test_only_classes_that_all_know_count(dataset: Dataset) -> None:
    every, two = made_run(dataset, {0}), made_run(dataset, {0}, classes=["blue", "green"])
    found = compare([every, two])
    assert set(found.photos["truth"]) == {"blue", "green"}
    assert any("harder task" in text for text in found.remarks)


def test_what_cannot_be_compared_is_refused_with_a_sentence(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = made_run(dataset, {0})
    with pytest.raises(RunError, match="at least two"):
        compare([run, Run(run.folder)])
    with pytest.raises(RunError, match="is not a run"):
        compare([run, Run(tmp_path)])
    other = made_run(dataset, set(), classes=["red"])
    (other.folder / "labels.json").write_text('{"classes": ["x", "y"]}', encoding="utf-8")
    with pytest.raises(RunError, match="share no class"):
        compare([run, other])
    adopted = copy_of(run, tmp_path / "adopted")
    (adopted.folder / "metrics.json").unlink()
    with pytest.raises(RunError, match="from elsewhere"):
        compare([run, adopted])


def test_notes_are_kept_beside_the_run_and_bounded(dataset: Dataset) -> None:
    run = made_run(dataset, {0})
    assert display_name(run) == "wrong 1"
    write_notes(run, tags=[" lesson  3", "frozen", "frozen", ""], note=" a thought ")
    write_notes(run, name="First try")
    notes = read_notes(run)
    assert (notes.name, notes.tags, notes.note) == (
        "First try",
        ("lesson 3", "frozen"),
        "a thought",
    )
    assert display_name(run) == "First try"
    with pytest.raises(InputError, match="at most 12 tags"):
        write_notes(run, tags=[str(n) for n in range(13)])
    with pytest.raises(InputError, match="too long"):
        write_notes(run, tags=["x" * 41])
    (run.folder / "notes.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"notes\.json"):
        read_notes(run)


def test_the_command_prints_json_or_words(tmp_path: Path) -> None:
    run = trained("frozen")
    twin = copy_of(run, tmp_path / "twin")
    done = call("compare", run.folder, twin.folder, "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["n_photos"] == run.metrics.n_test
    assert np.isclose(printed["runs"][0]["accuracy"], run.metrics.test_accuracy)
    assert printed["duels"][0]["p_value"] == 1.0
