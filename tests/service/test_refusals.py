"""What the service does not answer: every refusal is a sentence in JSON, and none is a failure."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from tests.service.conftest import Asking
from tests.support.commands import call
from tests.support.service import PATIENCE_S, form_of
from tests.support.trained import copy_of, trained
from translearn_core.service.figures import Figures
from translearn_core.service.guard import Guard
from translearn_core.service.request_bounds import Bounds

pytestmark = pytest.mark.xdist_group("service")

JSON = "application/json"
PREDICT = "/v1/models/frozen:predict"
INFER = "/v2/models/frozen/infer"


def tensor(**changed: Any) -> bytes:
    known = {"name": "photo", "datatype": "BYTES", "shape": [1], "data": ["AAAA"]}
    return json.dumps({"inputs": [known | changed]}).encode()


def pixels(**changed: Any) -> bytes:
    return tensor(**({"datatype": "FP32", "shape": [1, 32, 32, 3], "data": [0] * 3072} | changed))


TORN_FORM = form_of([("a.jpg", b"abc")])[0][:-6]
REFUSED: dict[str, tuple[str, bytes, str, int, str]] = {
    "no body": (PREDICT, b"", JSON, 400, "not valid JSON"),
    "half JSON": (PREDICT, b'{"photos": [', JSON, 400, "not valid JSON"),
    "not UTF-8": (PREDICT, b'{"photos": ["\xff"]}', JSON, 400, "not valid JSON"),
    "deep JSON": (PREDICT, b"[" * 100_000, JSON, 400, "not valid JSON"),
    "many values": (PREDICT, b"[" + b"0," * 4_000_000 + b"0]", JSON, 413, "values at most"),
    "a list": (PREDICT, b"[]", JSON, 400, "in braces"),
    "no photos": (PREDICT, b"{}", JSON, 400, "a list `photos`"),
    "empty photos": (PREDICT, b'{"photos": []}', JSON, 400, "no photo in the request"),
    "a number": (PREDICT, b'{"photos": [1]}', JSON, 400, "Photo 1 must be a text of base64"),
    "no base64": (PREDICT, b'{"photos": ["AAAA", "%%"]}', JSON, 400, "photo 2 is not valid base64"),
    "half base64": (PREDICT, b'{"photos": ["AAAAA"]}', JSON, 400, "photo 1 is not valid base64"),
    "no photo": (PREDICT, b'{"photos": ["AAAA"]}', JSON, 400, "photo 1: "),
    "only bad ones": (PREDICT, b'{"photos": ["AAAA", ""]}', JSON, 400, "None of the 2 files"),
    "too many": (PREDICT, json.dumps({"photos": ["AAAA"] * 25}).encode(), JSON, 413, "24 photos"),
    "too many files": (PREDICT, *form_of([("a", b"1")] * 25), 413, "24 photos at most"),
    "torn form": (PREDICT, TORN_FORM, form_of([])[1], 400, "The form is damaged"),
    "other boundary": (PREDICT, form_of([("a", b"1")])[0], "multipart/form-data; boundary=x", 400, "The form"),
    "no boundary": (PREDICT, form_of([("a", b"1")])[0], "multipart/form-data", 400, "The form"),
    "empty form": (PREDICT, *form_of([]), 400, "no photo in the request"),
    "text": (PREDICT, b"photo", "text/plain", 415, "Received: text/plain"),
    "no kind": (PREDICT, b"photo", "", 415, "no Content-Type"),
    "empty photo": (PREDICT, b"", "image/jpeg", 400, "no photo in the request"),
    "unknown model": ("/v1/models/nobody:predict", b"{}", JSON, 404, "no model “nobody”"),
    "unknown path": ("/v1/photos", b"{}", JSON, 404, "nothing at /v1/photos"),
    "no inputs": (INFER, b"{}", JSON, 400, "one input, `photo`"),
    "other name": (INFER, tensor(name="image"), JSON, 400, "Received: image"),
    "other type": (INFER, tensor(datatype="INT64"), JSON, 400, "Received: INT64"),
    "no shape": (INFER, tensor(shape=None), JSON, 400, "`shape` must be a list"),
    "negative shape": (INFER, tensor(shape=[-1]), JSON, 400, "`shape` must be a list"),
    "matrix of files": (INFER, tensor(shape=[1, 2]), JSON, 400, "[n] or [n, 1]"),
    "no files": (INFER, tensor(shape=[0], data=[]), JSON, 400, "no photo in the request"),
    "too many elements": (INFER, tensor(shape=[25], data=["AAAA"] * 25), JSON, 413, "24 photos"),
    "fewer than said": (INFER, tensor(shape=[2]), JSON, 400, "list of 2 texts"),
    "a damaged file": (INFER, tensor(shape=[2], data=["AAAA"] * 2), JSON, 400, "photo 1 of 2"),
    "no base64 in a tensor": (INFER, tensor(data=["%"]), JSON, 400, "photo 1 is not valid base64"),
    "scaled pixels": (INFER, pixels(data=[0.5] * 3072), JSON, 400, "whole numbers from 0 to 255"),
    "too bright": (INFER, pixels(data=[256] * 3072), JSON, 400, "whole numbers from 0 to 255"),
    "ragged pixels": (INFER, pixels(data=[[1], [1, 2]]), JSON, 400, "list of numbers"),
    "too few pixels": (INFER, pixels(data=[0]), JSON, 400, "are 3072 numbers"),
    "other side": (INFER, pixels(shape=[1, 3, 32, 32]), JSON, 400, "[n, 32, 32, 3]"),
    "binary that is not there": (INFER, tensor(parameters={"binary_data_size": 9}), JSON, 400, "says 9"),
    "bad parameters": (INFER, tensor(parameters=[]), JSON, 400, "`parameters` must be"),
    "unknown version": ("/v2/models/frozen/versions/1/infer", tensor(), JSON, 404, "no other is kept"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_cannot_be_answered(asking: Asking, name: str) -> None:
    path, body, kind, status, words = REFUSED[name]
    headers = {"content-type": kind} if kind else {}
    reply = asking.service.send(path, body, headers=headers)
    assert (reply.status, words in reply.json["error"]) == (status, True), reply.body
    assert "Traceback" not in reply.json["error"]


@pytest.mark.parametrize("length", ["x", "-1", "99999", "3"])
def test_a_wrong_length_of_the_json(asking: Asking, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length}
    assert asking.service.send(INFER, tensor(), headers=headers).status == 400


@pytest.mark.parametrize("raw", [b"", b"\1", b"\4\0\0\0ab", b"\1\0\0\0ab"])
def test_wrong_binary_data(asking: Asking, raw: bytes) -> None:
    text = tensor(parameters={"binary_data_size": len(raw)})
    headers = {"Inference-Header-Content-Length": str(len(text))}
    reply = asking.service.send(INFER, text + raw, headers=headers)
    assert reply.status == 400
    assert "elements of BYTES" in reply.json["error"]


def test_outputs_that_are_not_there(asking: Asking) -> None:
    content = json.loads(tensor())
    for outputs in ([{"name": "logits"}], "label", [1]):
        body = json.dumps(content | {"outputs": outputs}).encode()
        reply = asking.service.send(INFER, body)
        assert (reply.status, "The outputs of this model are" in reply.json["error"]) == (400, True)
    ranked = [{"name": "probabilities", "parameters": {"classification": 2}}]
    reply = asking.service.send(INFER, json.dumps(content | {"outputs": ranked}).encode())
    assert "`classification` is not offered" in reply.json["error"]


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_that_is_too_long_is_refused_and_not_kept(asking: Asking, is_chunked: bool) -> None:
    headers = {"content-type": "image/jpeg"}
    body: Any = bytes(9 * 2**20)
    if is_chunked:
        headers["transfer-encoding"] = "chunked"
        body = iter([b"100000\r\n" + bytes(2**20) + b"\r\n"] * 9 + [b"0\r\n\r\n"])
    reply = asking.service.send(PREDICT, body, headers=headers)
    assert (reply.status, reply.json["error"][:33]) == (413, "A request may have 8 MB at most. ")


def test_a_compressed_body_is_refused(asking: Asking) -> None:
    headers = {"content-type": "image/jpeg", "content-encoding": "gzip"}
    assert asking.service.send(PREDICT, b"x", headers=headers).status == 415


def test_other_names_of_this_machine_and_other_methods(asking: Asking) -> None:
    reply = asking.service.send("/v1/models", headers={"Host": "rebound.example"})
    assert (reply.status, "under the name of this machine" in reply.json["error"]) == (403, True)
    assert asking.service.send(PREDICT).status == 405
    assert asking.service.send("/v1/models", b"{}").status == 405


def test_a_client_that_leaves_in_mid_request(asking: Asking) -> None:
    announce(asking.service.port, 1000, b"abc").close()
    assert asking.service.send("/v2/health/ready").status == 200


def announce(port: int, length: int, body: bytes = b"") -> socket.socket:
    """A connection with a request for `length` bytes that has sent only some of them."""
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    head = f"Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
    client.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n{head}".encode() + body)
    return client


def test_requests_that_announce_much_and_send_little_hold_up_nobody(asking: Asking) -> None:
    photo = next(path for path in asking.photos if path.suffix == ".jpg")
    with ExitStack() as ends:
        slow = [
            ends.enter_context(announce(asking.service.port, 8 * 2**20, b"\xff"))
            for _n in range(40)
        ]
        reply = asking.service.send(
            PREDICT, photo.read_bytes(), headers={"content-type": "image/jpeg"}
        )
        assert reply.status == 200
        for client in slow:  # none was turned away to make room
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)


def test_more_large_bodies_than_fit_are_all_answered(asking: Asking) -> None:
    def ask(_number: int) -> int:
        headers = {"content-type": "image/jpeg"}
        return asking.service.send(PREDICT, bytes(8 * 2**20), headers=headers).status

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(ask, range(12))) == {400}


@contextmanager
def guarded(bounds: Bounds) -> Iterator[int]:
    """The port of a server with these bounds that answers every request with the length of its body."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        length, is_whole = 0, False
        while not is_whole:
            message = await receive()
            length += len(message["body"])
            is_whole = not message["more_body"]
        await PlainTextResponse(str(length))(scope, receive, send)

    app = Guard(answer, figures=Figures(), keys=None, hosts=None, bounds=bounds)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def trickle(client: socket.socket, n: int, piece: bytes) -> bytes:
    """Send pieces ever again, each long before a client counts as idle, until an answer comes.

    Returns:
        The answer as far as its body, or all of it where the connection ends with it.
    """
    reply = b""
    client.settimeout(0.02)
    for sent in range(n + 1):
        try:
            reply = client.recv(10_000)
            break
        except TimeoutError:
            if sent < n:
                client.sendall(piece)
    client.settimeout(PATIENCE_S)
    head, _, body = reply.partition(b"\r\n\r\n")
    while not head or len(body) < _length_of(head):
        piece = client.recv(10_000)
        if not piece:
            break
        reply += piece
        head, _, body = reply.partition(b"\r\n\r\n")
    return reply


def _length_of(head: bytes) -> int:
    """Bytes of the body that the head of an answer announces."""
    found = re.search(rb"content-length: (\d+)", head.lower())
    return int(found.group(1)) if found else 0


def test_a_body_that_trickles_is_ended_and_one_that_is_only_slow_is_not() -> None:
    bounds = Bounds(idle_s=0.5, least_per_s=1000)
    with guarded(bounds) as port:
        with announce(port, 10_000) as client:
            reply = trickle(client, 10_000, b"x")
        assert reply.startswith(b"HTTP/1.1 408 ")
        assert b"did not come in time" in reply
        assert b"connection: close" in reply.lower()
        with announce(port, 50_000) as client:  # longer than `idle_s`
            reply = trickle(client, 50, bytes(1000))
        assert reply.startswith(b"HTTP/1.1 200 ")


def test_many_clients_of_which_some_send_broken_requests(asking: Asking) -> None:
    good = [path.read_bytes() for path in asking.photos if path.stat().st_size < 50_000]
    broken = [(body, kind) for path, body, kind, *_rest in REFUSED.values() if path == PREDICT]
    broken = [(body, kind) for body, kind in broken if len(body) < 100_000]

    def ask(number: int) -> int:
        if number % 7:
            body, kind = good[number % len(good)], "image/jpeg"
        else:
            body, kind = broken[number // 7 % len(broken)]
        return asking.service.send(PREDICT, body, headers={"content-type": kind}).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(280)))
    assert {statuses[number] for number in range(280) if number % 7} == {200}
    assert all(400 <= statuses[number] < 500 for number in range(0, 280, 7))
    assert threading.active_count() < 50


# ------------------------------------------------------------------------------------ the start


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "`--keys FILE`"),
        (["--keys", "none"], "key file none cannot be read"),
        (["--keys", "none", "--open"], "exclude each other"),
        (["--host", "192.0.2.1", "--open"], "cannot be used"),
    ],
)
def test_a_door_that_cannot_be_opened(arguments: list[str], words: str) -> None:
    done = call("serve", trained("frozen").folder, "--port", "0", *arguments)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("serve", trained("frozen").folder, "--port", port)
    assert (done.returncode, f"port {port} cannot be used" in done.stderr) == (2, True)


def test_a_run_without_a_copy_that_can_be_used(tmp_path: Path) -> None:
    run = copy_of(trained("frozen"), tmp_path / "run")
    copy = run.folder / "model.openvino.bin"
    copy.write_bytes(copy.read_bytes()[:-4])
    done = call("serve", run.folder, "--port", "0")
    assert (done.returncode, "is not as it was saved" in done.stderr) == (2, True)
    (run.folder / "model.openvino.head.npz").unlink()
    done = call("serve", run.folder, "--port", "0")
    assert (done.returncode, "has no OpenVINO copy" in done.stderr) == (2, True)
    done = call("serve", tmp_path / "nothing", "--port", "0")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["a/run", "b/run"], "Two runs would be served as run"),
        (["a b=run"], "stands in an address"),
        (["=run"], "stands in an address"),
        ([".."], ""),
    ],
)
def test_names_of_models(named: list[str], words: str) -> None:
    done = call("serve", *named, "--port", "0")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
