"""The service answers as `predict` does, by every way of asking."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from tests.service.conftest import Asking
from tests.support.service import Reply, form_of
from translearn_core.imaging.decode import decode_photo
from translearn_core.prediction.predict import open_predictor, predict

pytestmark = pytest.mark.xdist_group("service")

TOLERANCE = 1e-6
RUNS = ["frozen", "tuned", "tasks", "bare"]
CANNOT_TELL = ("bare",)
"""Those that do not know what is unlike their photos."""


def expected(asking: Asking, name: str, photos: list[Path]) -> list[dict[str, Any]]:
    return [asdict(one) for one in predict(asking.runs[name], photos)]


def assert_same(given: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """All keys are alike, probabilities to the tolerance; the names of the files aside."""
    assert len(given) == len(wanted)
    for one, other in zip(given, wanted, strict=True):
        assert one.keys() == other.keys()
        for key in one.keys() - {"file", "probabilities", "confidence", "tasks"}:
            assert one[key] == other[key], key
        for probabilities, known in [
            (one["probabilities"], other["probabilities"]),
            *((one["tasks"][task], other["tasks"][task]) for task in other["tasks"] or {}),
        ]:
            assert list(probabilities) == list(known)
            assert probabilities == pytest.approx(known, abs=TOLERANCE)


@pytest.mark.parametrize("name", RUNS)
def test_a_form_of_awkward_photos_is_answered_as_by_predict(asking: Asking, name: str) -> None:
    body, kind = form_of([(path.name, path.read_bytes()) for path in asking.photos])
    reply = asking.service.send(f"/v1/models/{name}:predict", body, headers={"content-type": kind})
    assert reply.status == 200, reply.body
    answers = reply.json["predictions"]
    assert [one["file"] for one in answers] == [path.name for path in asking.photos]
    assert_same(answers, expected(asking, name, asking.photos))
    assert (answers[0]["tasks"] is not None) == (name == "tasks")
    assert (answers[0]["unlike"] is None) == (name in CANNOT_TELL)


def as_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def asked_by_json(asking: Asking, entries: list[Any]) -> Reply:
    return asking.service.send(
        "/v1/models/tasks:predict",
        json.dumps({"photos": entries}).encode(),
        headers={"content-type": "application/json; charset=utf-8"},
    )


def test_base64_in_all_its_forms_and_a_photo_as_it_is(asking: Asking) -> None:
    path = asking.photos[0]
    text = as_base64(path)
    folded = "\n".join(text[place : place + 76] for place in range(0, len(text), 76))
    for_urls = text.replace("+", "-").replace("/", "_")
    entries = [text, {"data": folded}, f"data:image/jpeg;base64,{text}", for_urls]
    reply = asked_by_json(asking, [*entries, {"name": "Äpfel \ud800.jpg", "data": text}])
    assert reply.status == 200
    answers = reply.json["predictions"]
    assert [one["file"] for one in answers][1:] == ["photo 2", "photo 3", "photo 4", "Äpfel ?.jpg"]
    assert_same(answers, expected(asking, "tasks", [path] * 5))
    for kind in ("image/jpeg", "application/octet-stream"):
        plain = asking.service.send(
            "/v1/models/tasks:predict", path.read_bytes(), headers={"content-type": kind}
        )
        assert_same(plain.json["predictions"], expected(asking, "tasks", [path]))


def test_a_damaged_photo_is_named_beside_the_others(asking: Asking) -> None:
    good = asking.photos[0].read_bytes()
    body, kind = form_of([("good.jpg", good), ("torn.jpg", good[: len(good) // 2])])
    headers = {"content-type": kind}
    reply = asking.service.send("/v1/models/frozen:predict", body, headers=headers)
    assert reply.status == 200
    first, second = reply.json["predictions"]
    assert first["label"]
    assert (second["file"], second["label"]) == ("torn.jpg", None)
    assert "damaged" in second["error"]


@pytest.mark.parametrize("name", RUNS)
def test_a_standard_client_infers_unchanged(asking: Asking, name: str) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{asking.service.port}")
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(name)
        facts = client.get_model_metadata(name)
        assert client.is_model_ready(name, facts["versions"][0])
        assert [one["name"] for one in client.get_model_repository_index()] == RUNS
        photos = asking.photos
        tensor = triton.InferInput("photo", [len(photos)], "BYTES")
        tensor.set_data_from_numpy(np.array([path.read_bytes() for path in photos], object))
        result = client.infer(name, [tensor], request_id="7")
        wanted = expected(asking, name, photos)
        assert result.get_response()["id"] == "7"
        assert [one.decode() for one in result.as_numpy("label")] == [w["label"] for w in wanted]
        assert list(result.as_numpy("sure")) == [w["sure"] for w in wanted]
        classes = asking.runs[name].labels
        known = [[w["probabilities"][one] for one in classes] for w in wanted]
        assert np.abs(result.as_numpy("probabilities") - known).max() <= TOLERANCE
        names = {one["name"] for one in facts["outputs"]}
        assert ("unlike" in names) == (name not in CANNOT_TELL)
        if "unlike" in names:
            assert list(result.as_numpy("unlike")) == [w["unlike"] for w in wanted]
        if name == "tasks":
            of_task = [[w["tasks"]["ripe?"][one] for one in ("no", "yes")] for w in wanted]
            assert np.abs(result.as_numpy("ripe?.probabilities") - of_task).max() <= TOLERANCE
        only = [triton.InferRequestedOutput("label", binary_data=False)]
        assert list(client.infer(name, [tensor], outputs=only).as_numpy("label")) == [
            w["label"] for w in wanted
        ]
    finally:
        client.close()


@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
@pytest.mark.parametrize("is_binary", [True, False])
def test_pixels_are_answered_as_the_photo_they_come_from(
    asking: Asking, datatype: str, is_binary: bool
) -> None:
    run = asking.runs["frozen"]
    predictor = open_predictor(run)
    photos = asking.photos[:3]
    pixels = np.stack(
        [decode_photo(path, size=predictor.size, fit=predictor.fit).image for path in photos]
    ).astype(np.uint8 if datatype == "UINT8" else np.float32)
    tensor = triton.InferInput("photo", list(pixels.shape), datatype)
    tensor.set_data_from_numpy(pixels, binary_data=is_binary)
    client = triton.InferenceServerClient(f"127.0.0.1:{asking.service.port}")
    try:
        result = client.infer("frozen", [tensor])
    finally:
        client.close()
    known = [
        [w["probabilities"][one] for one in run.labels] for w in expected(asking, "frozen", photos)
    ]
    assert np.abs(result.as_numpy("probabilities") - known).max() <= TOLERANCE
    assert result.as_numpy("other_shape") is None  # nobody knows the shape of the file


def test_the_bytes_of_the_binary_extension(asking: Asking) -> None:
    data = asking.photos[0].read_bytes()
    raw = struct.pack("<I", len(data)) + data
    tensor = {
        "name": "photo",
        "datatype": "BYTES",
        "shape": [1, 1],
        "parameters": {"binary_data_size": len(raw)},
    }
    text = json.dumps({"inputs": [tensor], "outputs": [{"name": "probabilities"}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    reply = asking.service.send("/v2/models/frozen/infer", text + raw, headers=headers)
    assert reply.status == 200
    assert "inference-header-content-length" not in reply.headers  # nobody asked for binary data
    (output,) = reply.json["outputs"]
    (wanted,) = expected(asking, "frozen", asking.photos[:1])
    known = [wanted["probabilities"][one] for one in asking.runs["frozen"].labels]
    assert output["data"] == pytest.approx(known, abs=TOLERANCE)


def test_what_is_known_of_a_model(asking: Asking) -> None:
    facts = {one["name"]: one for one in asking.service.send("/v1/models").json}
    assert list(facts) == RUNS
    assert facts["tasks"]["tasks"] == {"ripe?": ["no", "yes"]}
    assert facts["frozen"]["classes"] == asking.runs["frozen"].labels
    assert asking.service.send("/v1/models/frozen").json == facts["frozen"]
    assert facts["frozen"]["version"] != facts["tuned"]["version"]


def test_the_page_and_the_description_ask_no_other_host(asking: Asking) -> None:
    page = asking.service.send("/docs")
    assert page.status == 200
    assert b"//" not in page.body.replace(b"<!doctype html>", b"")
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    paths = asking.service.send("/openapi.json").json["paths"]
    content = paths["/v1/models/{name}:predict"]["post"]["requestBody"]["content"]
    example = content["application/json"]["example"]
    assert asked_by_json(asking, example["photos"]).status == 200
    tensors = paths["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]
    body = json.dumps(tensors["application/json"]["example"]).encode()
    assert asking.service.send("/v2/models/frozen/infer", body).status == 200


def test_figures_count_what_was_asked(asking: Asking) -> None:
    asking.service.send("/v1/models/frozen:predict", b"none", headers={"content-type": "image/png"})
    text = asking.service.send("/metrics").body.decode()
    assert 'translearn_photos_total{model="frozen",outcome="unreadable"}' in text
    assert 'path="/v1/models/{name}:predict",status="400"' in text
    assert "process_resident_memory_bytes" in text
