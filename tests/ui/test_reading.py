"""The page asks how photos are read: folders on Photos, tables on Photos and Train."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app import assert_well, open_app, words
from tests.support.drawing import draw_photo, make_zip
from translearn_core import datasets, trash
from translearn_core.datasets.kept_upload import waiting_uploads
from translearn_core.datasets.tasks import tasks_of


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own for each test, with no need for free disk space."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"free_bytes": 0}')
    return tmp_path / "home"


def archive(path: Path, *folders: str) -> bytes:
    files = {f"{folder}/{n}.jpg": None for folder in folders for n in range(3)}
    photos = {name: draw_photo(seed) for seed, name in enumerate(files)}
    return make_zip(path, photos).read_bytes()


def drop(app: AppTest, *files: tuple[str, bytes]) -> None:
    """Drop files into the first box, and wait until they were brought in."""
    for name, data in files:
        box(app, "zip").upload(name, data)
    settle(app)


def box(app: AppTest, name: str) -> Any:
    """The upload box of a name."""
    return next(one for one in app.file_uploader if str(one.key).startswith(f"upload_{name}_"))


def settle(app: AppTest) -> None:
    app.run()
    for _ in range(200):
        if "task" not in app.query_params:
            return
        time.sleep(0.05)
        app.run()
    raise AssertionError("the import does not end")


def there_and_back(app: AppTest) -> None:
    """By the links of the bar, whose addresses name no upload."""
    app.query_params.clear()
    app.switch_page("pages/train.py").run()
    assert "First you need photos" in words(app)
    app.switch_page("pages/photos.py").run()


def test_a_folder_that_was_left_out_is_asked_about_and_read_again(tmp_path: Path) -> None:
    app = open_app()
    drop(app, ("p.zip", archive(tmp_path / "p.zip", "ash", "oak", "unsorted")))
    assert_well(app)
    assert "`" not in "".join(one.value for one in app.warning)
    (asked,) = [one for one in app.selectbox if "unsorted" in one.label]
    assert asked.value == "out"
    asked.set_value("class").run()
    assert "That gives 3 classes" in words(app)
    app.button(key="reading_again").click()
    settle(app)
    assert_well(app)
    (dataset,) = datasets.list_datasets()
    assert dataset.classes == ["ash", "oak", "unsorted"]
    app.button(key="reading_right").click().run()
    assert not (dataset.folder / "source").exists()


def test_photos_in_no_class_folder_can_be_sorted_here(tmp_path: Path) -> None:
    photos = {f"{n}.jpg": draw_photo(n) for n in range(4)}
    app = open_app()
    drop(app, ("p.zip", make_zip(tmp_path / "p.zip", photos).read_bytes()))
    assert datasets.list_datasets() == []
    app.button(key="go_sort_upload").click()
    settle(app)
    (dataset,) = datasets.list_datasets()
    assert len(datasets.read_unsorted(dataset)) == 4


def test_what_was_chosen_about_an_upload_is_kept(tmp_path: Path) -> None:
    """From the form of the import, over reruns, another page and back, and in another session."""
    photos = {f"{n}.jpg": draw_photo(n) for n in range(4)}

    def chosen() -> tuple[AppTest, str]:
        app = open_app()
        form = {str(one.key): one for one in (*app.text_input, *app.checkbox)}
        (role,) = [key for key in form if key.startswith("role_out_")]
        (keep,) = [key for key in form if key.startswith("keep_")]
        form[role].set_value("blurred")
        form[keep].set_value(True).run()
        return app, role

    app, role = chosen()
    there_and_back(app)
    assert app.text_input(key=role).value == "blurred"
    app, role = chosen()
    drop(app, ("p.zip", make_zip(tmp_path / "p.zip", photos).read_bytes()))

    def level(app: AppTest) -> Any:
        return next(one for one in app.selectbox if one.key and one.key.endswith("_level"))

    level(app).set_value("inner").run()
    there_and_back(app)
    assert level(app).value == "inner"
    other = open_app()
    assert all(one.value == "" for one in other.text_input), "the next import begins without any"
    (go_on,) = [one for one in other.button if str(one.key).startswith("go_on_")]
    go_on.click().run()
    assert level(other).value == "inner"
    (upload,) = waiting_uploads(tmp_path / "home" / "uploads")
    assert upload.choices == datasets.ImportChoices(
        roles=(("blurred", "out"),), classes="inner", keep_positions=True
    )
    other.button(key="go_sort_upload").click()
    settle(other)
    (dataset,) = datasets.list_datasets()
    assert datasets.ImportChoices.from_text(dataset.record.choices).keep_positions
    assert not [one for one in open_app().button if str(one.key).startswith("go_on_")]


def test_what_was_added_since_goes_to_the_bin_with_the_set_that_is_read_anew(
    tmp_path: Path,
) -> None:
    app = open_app()
    drop(app, ("p.zip", archive(tmp_path / "p.zip", "DCIM")))
    (dataset,) = datasets.list_datasets()
    new_photos = [(f"new{n}.jpg", io.BytesIO(draw_photo(90 + n))) for n in range(2)]
    added = datasets.add_photos(dataset, "DCIM", new_photos)
    datasets.exclude_photos(dataset, added.paths[:1])
    app.run()
    (level,) = [one for one in app.selectbox if one.key and one.key.endswith("_level")]
    level.set_value("outer").run()
    assert "goes to the bin" in words(app)
    app.button(key="reading_again").click()
    settle(app)
    (entry,) = trash.entries()
    (new,) = datasets.list_datasets()
    assert len(new.photos) == 3
    old = datasets.Dataset(trash.put_back(entry))
    assert len(old.photos) == 4
    assert len(datasets.read_excluded(old)) == 1


def test_why_an_upload_cannot_be_sorted_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = {f"{n}.jpg": draw_photo(n) for n in range(4)}
    app = open_app()
    drop(app, ("p.zip", make_zip(tmp_path / "p.zip", photos).read_bytes()))
    assert [one.value for one in app.info] == []  # the preview says why
    (kept,) = (tmp_path / "home" / "uploads").glob("*/archive/*")
    make_zip(kept, {f"{n}.jpg": b"no photo" for n in range(4)})
    app.button(key="go_sort_upload").click()
    settle(app)
    assert any("No photo could be taken" in one.value for one in app.info)
    (level,) = [one for one in app.selectbox if one.key and one.key.endswith("_level")]
    level.set_value("inner").run()
    assert [one.value for one in app.info] == []


def test_a_damaged_list_of_unsorted_photos_leaves_the_page(tmp_path: Path) -> None:
    photos = {f"ash/{n}.jpg": draw_photo(n) for n in range(3)}
    dataset = datasets.import_source(make_zip(tmp_path / "p.zip", photos))
    (dataset.folder / "unsorted.parquet").write_bytes(b"PAR1")
    app = open_app(data=dataset.id)
    assert not app.exception
    assert len([one for one in app.error if "unsorted.parquet" in one.value.replace("\\", "")]) == 1
    assert "add_from" in [one.key for one in app.get("button_group")]


def test_a_table_beside_an_archive_is_asked_about_and_then_read(tmp_path: Path) -> None:
    rows = "".join(f"{n};{'ab'[n % 2]};{'xyz'[n // 2]}\n" for n in range(6))
    table = ("ID;kind one;kind two\n" + rows + "9;a;x\n").encode("utf-16")
    photos = {f"dcim/{n}.jpg": draw_photo(n) for n in range(6)}
    app = open_app()
    drop(
        app,
        ("p.zip", make_zip(tmp_path / "p.zip", photos).read_bytes()),
        ("t.csv", table),
    )
    assert datasets.list_datasets() == []
    assert app.button(key="reading_go").disabled
    (asked,) = [one for one in app.selectbox if "classes" in one.label]
    asked.set_value("kind one").run()
    assert "a 3, b 3" in words(app)
    app.button(key="reading_go").click()
    settle(app)
    assert_well(app)
    (dataset,) = datasets.list_datasets()
    assert dataset.counts.to_dict() == {"a": 3, "b": 3}
    assert "photos from column ID, classes from kind one" in words(app)
    assert [list(frame.value["row"]) for frame in app.dataframe if "row" in frame.value] == [[8]]


def train_box(name: str) -> None:
    """The box of the page Train, alone."""
    from translearn_core import datasets
    from translearn_ui.training import task_heads_form

    task_heads_form.show(datasets.open_dataset(name))


def test_train_takes_the_columns_that_are_chosen(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    for name in ("ash", "oak"):
        (source / name).mkdir(parents=True)
        for n in range(3):
            (source / name / f"{name}{n}.jpg").write_bytes(
                draw_photo(n + len(name) * 7 + ord(name[0]))
            )
    dataset = datasets.import_source(source)
    rows = [f"{name}{n},{name},{n % 2},dry{n}" for name in ("ash", "oak") for n in range(3)]
    table = ("image id,species,wet,note\n" + "\n".join(rows)).encode()
    app = AppTest.from_function(train_box, args=(dataset.id,), default_timeout=60).run()
    box(app, "tasks").upload("t.csv", table, "text/csv").run()
    assert_well(app)
    (columns,) = [one for one in app.multiselect if "Columns" in one.label]
    assert columns.options == ["species", "wet", "note"]
    assert columns.value == ["wet", "note"]  # species says what the class says
    columns.set_value(["wet"]).run()
    app.button(key="tasks_take").click().run()
    assert_well(app)
    kept = tasks_of(dataset)
    assert kept is not None
    assert kept.tasks == ("wet",)
    assert len(kept.labels) == 6


def test_an_upload_that_can_be_read_is_not_said_to_be_unsorted(tmp_path: Path) -> None:
    photos = {f"{n}.jpg": draw_photo(n) for n in range(4)}
    photos |= {f"{'ab'[n % 2]}/x/{n}.jpg": draw_photo(n) for n in range(4)}
    app = open_app()
    rows = "".join(f"{n}.jpg,{'ab'[n // 2]},{'xy'[n % 2]}\n" for n in range(4))
    drop(
        app,
        (
            "p.zip",
            make_zip(
                tmp_path / "p.zip", {k: v for k, v in photos.items() if "/" not in k}
            ).read_bytes(),
        ),
    )
    assert "4 photos are not sorted" in words(app)
    box(app, "table").upload("t.csv", ("file,kind,sort\n" + rows).encode(), "text/csv").run()
    (asked,) = [one for one in app.selectbox if "classes" in one.label]
    assert "not sorted" not in words(app)
    asked.set_value("kind").run()
    assert "That gives 2 classes" in words(app)
    assert "not sorted" not in words(app)
    app.button(key="go_sort_upload").click()
    settle(app)
    (dataset,) = datasets.list_datasets()
    assert len(datasets.read_unsorted(dataset)) == 4


def test_the_level_of_the_class_folders_is_asked_for_once(tmp_path: Path) -> None:
    app = open_app()
    drop(app, ("p.zip", archive(tmp_path / "p.zip", "DCIM")))
    (level,) = [one for one in app.selectbox if one.label == "The classes are"]
    level.set_value("inner").run()
    app.button(key="reading_again").click()
    settle(app)
    assert_well(app)
    assert [one.value for one in app.selectbox if one.label == "The classes are"] == ["inner"]
