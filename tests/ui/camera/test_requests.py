"""What the camera of a page asks for: frames kept, removed and renamed, answers, the model."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.trained import copy_of, trained, trained_photos
from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.evaluation.ood import Reference
from translearn_core.export import formats, live, verify
from translearn_core.export.make import make_export
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run
from translearn_ui.camera import element
from translearn_ui.camera.requests import MOST_LETTERS, Desk


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    return datasets.create_dataset("From the camera")


def _jpeg(shade: int = 0) -> str:
    content = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 90, 255 - shade)).save(content, "JPEG")
    return base64.b64encode(content.getvalue()).decode()


def _frame(name: str, number: int, **changed: Any) -> dict[str, Any]:
    file = datasets.frame_name(f"camera-1-{name}", number)
    return {"kind": "frame", "name": name, "file": file, "jpeg": _jpeg(number)} | changed


def _desk(dataset: Dataset | None, run: Run | None = None) -> Desk:
    return Desk(dataset=lambda: dataset, run=run, explain=lambda _photo: None, changed=lambda: None)


def test_frames_are_kept_in_their_classes_as_one_group(dataset: Dataset) -> None:
    frames = [_frame("cup", 0), _frame("cup", 13), _frame("pen", 0), _frame("cup", 26)]
    assert _desk(dataset).answer(frames) == [{}] * 4
    assert dataset.counts.to_dict() == {"cup": 3, "pen": 1}
    groups = dataset.photos.groupby("class_name")["group_name"].unique()
    assert [len(names) for names in groups] == [1, 1]
    sizes = dataset.photos[["width", "height"]].itertuples(index=False, name=None)
    assert set(sizes) == {(64, 48)}


def test_a_bad_one_goes_and_a_class_gets_another_name(dataset: Dataset) -> None:
    desk = _desk(dataset)
    frames = [_frame("cup", 0), _frame("cup", 13), _frame("pen", 0)]
    asked = [
        {"kind": "remove", "id": frames[0]["file"]},
        {"kind": "rename", "from": "cup", "to": "mug"},
    ]
    assert desk.answer(frames) == [{}] * 3
    removed, renamed = desk.answer(asked)
    again = {key: frames[0][key] for key in ("file", "jpeg")}
    assert removed == again, "it can be put back"
    assert renamed == {}
    assert dataset.counts.to_dict() == {"mug": 1, "pen": 1}

    (kept,) = desk.answer([{"kind": "hello", "classes": ["mug", "pen", "Class 3"]}])
    assert [one["name"] for one in kept["classes"]] == ["mug", "pen"]
    (thumbnail,) = kept["classes"][0]["thumbnails"]
    assert thumbnail["src"].startswith("data:image/jpeg;base64,")
    (kept,) = desk.answer([{"kind": "hello", "classes": ["pen"]}])
    assert [one["name"] for one in kept["classes"]] == ["pen"], "only those that are shown"
    (removed,) = desk.answer([{"kind": "remove", "id": thumbnail["id"]}])
    assert removed["file"] == frames[1]["file"]
    assert dataset.counts.to_dict() == {"pen": 1}


@pytest.mark.parametrize(
    "request_",
    [
        _frame("cup", 0, jpeg="no base64!"),
        _frame("cup", 0, jpeg=None),
        _frame("cup", 0, jpeg="A" * (MOST_LETTERS + 4)),
        _frame("cup", 0, jpeg=base64.b64encode(b"no photo at all").decode()),
        _frame("cup", 0, file="../../x.jpg"),
        _frame("cup", 0, file="x.html"),
        _frame("", 0),
        {"kind": "rename", "from": "nothing", "to": "cup"},
        {"kind": "unheard of"},
        {},
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(
    dataset: Dataset, request_: dict[str, Any]
) -> None:
    desk = _desk(dataset)
    refused, done = desk.answer([request_, _frame("pen", 5)])
    assert refused.get("problem") or request_.get("kind") != "frame"
    assert done == {}
    assert dataset.counts.to_dict() == {"pen": 1}


def test_a_deleted_data_set_is_said() -> None:
    (answer,) = _desk(None).answer([_frame("cup", 0)])
    assert "deleted" in answer["problem"]


def test_live_answers_are_those_of_the_app() -> None:
    run = trained("frozen")
    photos = sorted(trained_photos().rglob("*.jpg"))[::17]
    desk = _desk(None, run)
    asked = [
        {"kind": "answer", "run": run.id, "jpeg": base64.b64encode(path.read_bytes()).decode()}
        for path in photos
    ]
    for answer, told in zip(desk.answer(asked), predict(run, photos), strict=True):
        assert run.labels[int(np.argmax(answer["shares"]))] == told.label
        assert answer["unlike"] == bool(told.unlike)
    assert desk.answer([{**asked[0], "run": "another"}]) == [{}]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose web page was made."""
    folder = tmp_path_factory.mktemp("live")
    run = copy_of(trained("frozen"), folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(folder / "home"))
        make_export(run, formats.FORMATS["web"], photos=len(verify.GENERATED) + 2)
    return run


def test_the_browser_gets_the_model_of_the_web_page(exported: Run) -> None:
    assert live.prepare(exported) == "ready"
    (answer,) = _desk(None, exported).answer([{"kind": "model", "run": exported.id}])
    assert answer["state"] == "ready"
    assert answer["labels"]["classes"] == exported.labels
    assert len(answer["check"]["probabilities"]) == len(exported.labels)
    assert base64.b64decode(answer["model"])


def test_a_model_that_was_trained_anew_has_none_for_the_browser(
    exported: Run, tmp_path: Path
) -> None:
    again = copy_of(exported, tmp_path / "run")
    again.model_path.touch()
    assert live.read(again) is None


@pytest.mark.skipif(verify.node_path() is None, reason="needs Node")
def test_the_browser_knows_photos_of_something_else_as_the_app_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = np.abs(rng.normal(size=(40, 24))).astype(np.float32)
    known = Reference(
        units=np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float16),
        labels=np.zeros(40, np.int64),
        paths=[""] * 40,
        threshold=0.1,
    )
    asked = np.abs(rng.normal(size=(5, 24))).astype(np.float32)
    sent = live.reference_for_browser(known)
    sent["units"] = base64.b64encode(sent["units"]).decode()
    script = element.script().replace("export default", "")
    script += (
        f"\nconst known = readReference({json.dumps(sent)});"
        f"\nconsole.log(JSON.stringify({json.dumps(asked.tolist())}.map((one) => distance(known, one))));"
    )
    (tmp_path / "page.js").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [str(verify.node_path()), str(tmp_path / "page.js")],
        capture_output=True,
        text=True,
        check=True,
    )
    np.testing.assert_allclose(json.loads(done.stdout), known.distances(asked), atol=1e-4)


CAMERA_TEST = """
const opened = [], gates = [];
const element = () => ({ classList: { toggle() {} }, setAttribute() {}, replaceChildren() {}, async play() {} });
make = (tag, properties = {}) => Object.assign(element(), properties);
globalThis.window = { isSecureContext: true };
const open = () => {
  const track = { isOn: true, stop() { this.isOn = false; }, getSettings: () => ({}) };
  opened.push(track);
  return { getTracks: () => [track], getVideoTracks: () => [track] };
};
const getUserMedia = () => new Promise((resolve) => gates.push(() => resolve(open())));
const mediaDevices = { getUserMedia, enumerateDevices: async () => [] };
Object.defineProperty(globalThis, "navigator", { value: { mediaDevices } });
(async () => {
  const camera = new Camera({}, () => {});
  camera.start();
  camera.start(); // before the person has allowed the first one
  for (const gate of gates) gate();
  await wait(10);
  const while_on = opened.filter((track) => track.isOn).length;
  camera.stop();
  console.log(JSON.stringify([while_on, opened.filter((track) => track.isOn).length]));
})();
"""


@pytest.mark.skipif(verify.node_path() is None, reason="needs Node")
def test_a_camera_that_is_asked_for_twice_is_lent_once_and_given_back(tmp_path: Path) -> None:
    script = (
        element.script()
        .replace("export default", "")
        .replace("function make(", "let make = function (")
    )
    (tmp_path / "page.js").write_text(script + CAMERA_TEST, encoding="utf-8")
    done = subprocess.run(
        [str(verify.node_path()), str(tmp_path / "page.js")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [1, 0]


def test_frames_of_no_class_are_one_group_among_the_unsorted_and_arrive_once(
    dataset: Dataset,
) -> None:
    desk = _desk(dataset)
    frames = [
        _frame("pile", place, kind="pile") | {"name": "Unsorted photos"} for place in (0, 50, 100)
    ]
    assert desk.answer(frames) == [{}] * 3
    assert desk.answer([frames[2], _frame("cup", 1)]) == [{}, {}], (
        "sent again after a page was left"
    )
    unsorted = datasets.read_unsorted(dataset)
    assert len(unsorted) == 3
    assert unsorted["group_name"].nunique() == 1
    assert dataset.counts.to_dict() == {"cup": 1}
    (kept,) = desk.answer([{"kind": "hello", "classes": ["Unsorted photos"]}])
    assert [len(one["thumbnails"]) for one in kept["classes"]] == [3]
    (removed,) = desk.answer([{"kind": "remove", "id": frames[1]["file"]}])
    assert removed["file"] == frames[1]["file"]
    assert len(datasets.read_unsorted(dataset)) == 2
    datasets.sort_photos(dataset, dict.fromkeys(datasets.read_unsorted(dataset)["path"], "pen"))
    groups = dataset.photos.loc[dataset.photos["class_name"] == "pen", "group_name"]
    assert groups.nunique() == 1
    assert groups.iloc[0] != "", "the recording stays a group when its frames are sorted"


LINK_TEST = """
globalThis.window = globalThis;
const sent = [];
const first = new Link("cups");
first.send = (message) => sent.push(message);
first.ask({ kind: "frame", file: "a", jpeg: "x" });
first.ask({ kind: "frame", file: "b", jpeg: "x" }); // waits for the reply to the first
first.ask({ kind: "answer", jpeg: "x" });
first.close(); // the page is left
first.ask({ kind: "frame", file: "c", jpeg: "x" }); // the picture was just being encoded
const files = (items) => items.map(({ request }) => request.file);
console.log(JSON.stringify([
  sent.map(({ requests }) => requests.length), files(leftBehind.take("pens")), files(leftBehind.take("cups")),
  files(leftBehind.take("cups")),
]));
"""


@pytest.mark.skipif(verify.node_path() is None, reason="needs Node")
def test_photos_on_their_way_when_the_page_is_left_wait_for_the_next_time(tmp_path: Path) -> None:
    script = element.script().replace("export default ", "")
    (tmp_path / "page.js").write_text(script + LINK_TEST, encoding="utf-8")
    done = subprocess.run(
        [str(verify.node_path()), str(tmp_path / "page.js")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [[1], [], ["a", "b", "c"], []]
