"""New versions are taken over while requests are answered; keys; what the process imports."""

from __future__ import annotations

import re
import shutil
import threading
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import openvino
import pytest

from tests.service.conftest import with_a_second_task
from tests.support.commands import call
from tests.support.service import Service, served, until
from tests.support.trained import trained, trained_photos
from tests.test_requirements import ROOT, SERVICE, named_in, normalised
from translearn_core.export.formats import get_format
from translearn_core.export.writers import ExportSource
from translearn_core.prediction.predict import predict
from translearn_core.runs import threshold
from translearn_core.runs.model_files import COPY, FILE, REFERENCE, TASKS
from translearn_core.runs.threshold import ConfidenceThreshold, write_threshold
from translearn_core.service.batching import Batcher

HEAVY = {"tensorflow", "keras", "torch", "pandas", "pyarrow", "sklearn", "streamlit", "jinja2"}
PREDICT = "/v1/models/current:predict"


def point_to(link: Path, folder: Path) -> None:
    """Let a link lead elsewhere, in one step."""
    fresh = link.with_name(".fresh")
    fresh.symlink_to(folder, target_is_directory=True)
    fresh.replace(link)


PAUSE_S = 0.02
"""Of a client between an answer and its next question."""


class Client:
    """Asks all the time, in a thread, and notes what came."""

    def __init__(self, service: Service, key: str) -> None:
        self._service = service
        self.headers = {"content-type": "image/jpeg", "authorization": f"Bearer {key}"}
        self.photo = sorted(trained_photos().rglob("*.jpg"))[0]
        self.seen: list[tuple[int, str, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.wait(PAUSE_S):
            reply = self._service.send(PREDICT, self.photo.read_bytes(), headers=self.headers)
            answer = reply.json if reply.status == 200 else {}
            confidence = answer["predictions"][0]["confidence"] if answer else 0.0
            self.seen.append((reply.status, answer.get("version", ""), confidence))

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._ended.set()
        self._thread.join()

    def versions(self) -> set[str]:
        return {version for _status, version, _confidence in self.seen}


def test_a_new_version_is_taken_over_without_a_dropped_request(tmp_path: Path) -> None:
    first = Path(shutil.copytree(trained("frozen").folder, tmp_path / "first"))
    second = Path(shutil.copytree(trained("tuned").folder, tmp_path / "second"))
    third = with_a_second_task(trained("frozen"), tmp_path / "third").folder
    for folder in (first, second, third):
        (folder / "model.keras").unlink()  # nothing here needs it
    current = tmp_path / "current"
    current.symlink_to(first, target_is_directory=True)
    keys = tmp_path / "keys"
    shop, lab = (call("serve-key", keys, name).stdout.strip() for name in ("shop", "lab"))
    assert shop not in keys.read_text(encoding="utf-8")
    options = ["--keys", keys, "--allow-origin", "https://shop.example"]
    with served(tmp_path / "process", current, *options) as service:

        def facts() -> dict[str, object]:
            headers = {"x-api-key": lab}
            found: dict[str, object] = service.send("/v1/models/current", headers=headers).json
            return found

        before = facts()["version"]
        with Client(service, shop) as client:
            until(lambda: len(client.seen) > 5)
            point_to(current, second)
            until(lambda: len(client.versions()) == 2)
            # a damaged version is not taken over, and the old one answers on
            (third / "model.openvino.bin").write_bytes(b"cut")
            point_to(current, third)
            until(lambda: "not as it was saved" in str(facts()["problem"]))
            count = len(client.seen)
            until(lambda: len(client.seen) > count + 5)
        assert {status for status, _version, _confidence in client.seen} == {200}
        answers = {version: confidence for _status, version, confidence in client.seen}
        assert len(answers) == 2
        for version, confidence in answers.items():
            run = trained("frozen" if version == before else "tuned")
            (wanted,) = predict(run, [client.photo])
            assert confidence == pytest.approx(wanted.confidence, abs=1e-6)
        # mended in place, and a threshold chosen meanwhile
        shutil.copy(trained("frozen").folder / "model.openvino.bin", third)
        until(lambda: facts()["tasks"] == {"ripe?": ["no", "yes"]})
        assert facts()["problem"] == ""
        photo = client.photo.read_bytes()
        reply = service.send(PREDICT, photo, headers=client.headers)
        assert reply.json["predictions"][0]["tasks"]["ripe?"]
        # copied over the files of the version that answers
        shutil.copytree(second, third, dirs_exist_ok=True)
        (third / "tasks.npz").unlink()
        until(lambda: facts()["tasks"] == {})
        reply = service.send(PREDICT, photo, headers=client.headers)
        assert reply.json["version"] in answers
        write_threshold(third, ConfidenceThreshold(sure_from=0.99))
        assert facts()["sure_from"] == 0.99
        _assert_pages_of_one_origin_may_ask(service)
        _assert_keys_hold(service, keys, shop)
        code, modules = service.end()
    assert code == 0
    imported = {name.partition(".")[0] for name in modules}
    assert not HEAVY & imported
    assert {"openvino", "scipy"} <= imported
    ours = named_in("requirements.txt", included=False)
    assert _distributions_of(imported) & ours <= named_in(SERVICE, included=False)


def _distributions_of(imported: set[str]) -> set[str]:
    """The packages that these modules come from."""
    known = packages_distributions()
    return {normalised(name) for module in imported for name in known.get(module, [])}


IMAGES = {"Dockerfile": SERVICE, "Dockerfile.app": "requirements.txt"}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_made_of_what_is_there(name: str) -> None:
    text = (ROOT / "docker" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lets_in = (ROOT / "docker" / f"{name}.dockerignore").read_text(encoding="utf-8").splitlines()
    assert f"pip install --no-cache-dir -r {IMAGES[name]}" in text
    taken = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert taken
    for part in " ".join(taken).split():
        assert (ROOT / part).exists(), part
        assert f"!{part}" in lets_in
    files = re.findall(r"^COPY --from=run (.+) \S+$", text, re.MULTILINE)
    for pattern in " ".join(files).split():
        known = (*COPY, FILE, TASKS, REFERENCE, "labels.json", threshold.FILE)
        assert [one for one in known if fnmatch(one, pattern)], pattern


def test_the_model_server_gets_what_it_looks_for(tmp_path: Path) -> None:
    """OpenVINO Model Server serves the one model in the folder of a version, a number."""
    text = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
    (root,) = re.findall(r"^    command: .*--model_path (\S+)", text, re.MULTILINE)
    assert re.findall(r"^      - \$\{EXPORT:.+\}:(\S+):ro$", text, re.MULTILINE) == [f"{root}/1"]
    (port,) = re.findall(r"--rest_port (\d+)", text)
    assert re.findall(r'^      - "127\.0\.0\.1:\d+:(\d+)"$', text, re.MULTILINE) == [port]
    row, run = get_format("openvino"), trained("frozen")
    row.write(ExportSource(run), tmp_path / row.model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    network = openvino.Core().read_model(tmp_path / row.model)
    side = run.read_labels().image_size
    assert "photo" in network.input().get_names()
    assert str(network.input().partial_shape) == f"[?,{side},{side},3]"
    assert network.input().element_type == openvino.Type.f32
    assert len(network.outputs) == 1


def _assert_pages_of_one_origin_may_ask(service: Service) -> None:
    for origin in ("https://shop.example", "https://other.example"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        headers["Access-Control-Request-Headers"] = "authorization"
        reply = service.send(PREDICT, headers=headers, method="OPTIONS")
        allowed = reply.headers.get("access-control-allow-origin", "")
        assert (allowed == origin) == (origin == "https://shop.example")
        told = service.send("/v1/models", headers={"Origin": origin})
        assert told.status == 401
        assert ("access-control-allow-origin" in told.headers) == (allowed == origin)


def _assert_keys_hold(service: Service, keys: Path, shop: str) -> None:
    def status(path: str, **headers: str) -> int:
        return service.send(path, headers=headers).status

    assert status("/v1/models") == 401
    assert status("/metrics") == 401
    assert status("/v1/models", authorization="Bearer wrong") == 401
    assert status("/v1/models", authorization=f"Bearer {shop}") == 200
    assert status("/v2/health/ready") == 200
    assert status("/docs") == 200
    reply = service.send("/metrics", headers={"authorization": f"bearer {shop}"})
    assert b'client="shop"' in reply.body
    lines = keys.read_text(encoding="utf-8").splitlines()
    keys.write_text("\n".join(line for line in lines if not line.startswith("shop")))
    assert status("/v1/models", authorization=f"Bearer {shop}") == 401
    keys.write_text("shop: letmein\n", encoding="utf-8")
    assert status("/v1/models", authorization="Bearer letmein") == 503


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65])
def test_a_client_has_a_name_that_a_line_can_hold(name: str, tmp_path: Path) -> None:
    done = call("serve-key", tmp_path / "keys", name)
    assert (done.returncode, "The name of a client" in done.stderr) == (2, True)
    assert not (tmp_path / "keys").exists()


def test_a_client_has_one_key(tmp_path: Path) -> None:
    assert call("serve-key", tmp_path / "keys", "shop").returncode == 0
    done = call("serve-key", tmp_path / "keys", "shop")
    assert (done.returncode, "has a key for shop already" in done.stderr) == (2, True)


def test_what_waits_is_asked_at_once() -> None:
    asked: list[list[int]] = []
    begun, go = threading.Event(), threading.Event()

    def work(items: list[int]) -> list[int]:
        begun.set()
        assert go.wait(30)
        asked.append(items)
        if 5 in items:
            raise ValueError("five")
        return [item * 10 for item in items]

    batcher: Batcher[int, int] = Batcher(work, name="test")
    first = batcher.ask(0)
    assert begun.wait(30)
    others = [batcher.ask(item) for item in (1, 2, 3)]
    go.set()
    assert [future.result(30) for future in (first, *others)] == [0, 10, 20, 30]
    assert asked == [[0], [1, 2, 3]]
    with pytest.raises(ValueError, match="five"):
        batcher.ask(5).result(30)
    last = batcher.ask(6)
    batcher.close()
    assert last.result(30) == 60
