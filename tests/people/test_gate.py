"""What a class answers over the network: to whom, and nothing to anybody else."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.media_file_storage import MediaFileKind
from websockets.exceptions import InvalidStatus

from tests.people import server
from tests.people.server import Browser, Served, messages_of, run_page
from tests.support.photos import draw_photos
from translearn_core import datasets, jobs, people, runs, spaces, trash
from translearn_core.datasets import Dataset
from translearn_core.errors import AccessError, TransLearnError
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, Run
from translearn_core.runs.find import find_run
from translearn_ui.shell import signed_in
from translearn_ui.shell.frame import PAGES

SECRET = "Quokka"
"""In every name of Ada's things."""


@pytest.fixture(scope="module")
def app(home: Path) -> Iterator[Served]:
    with server.serving() as app:
        yield app


@pytest.fixture(scope="module")
def ada(app: Served) -> Browser:
    return app.join("Ada")


@pytest.fixture(scope="module")
def bob(app: Served) -> Browser:
    return app.join("Bob")


@pytest.fixture(scope="module")
def hers(ada: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Run, Path]:
    """A data set and a run of Ada's, and her space."""
    space = next(one.folder for one in people.list_people() if one.name == "Ada")
    folder = draw_photos(tmp_path_factory.mktemp("drawn") / SECRET, per_class=3)
    with spaces.acting_in(space):
        dataset = datasets.import_source(folder, name=f"{SECRET} photos")
        run = runs.create_run(
            dataset.folder, Settings(), name=f"{SECRET} run", dataset_name=dataset.name
        )
        run.update_state(state="failed", reason=SECRET)
    return dataset, run, space


def _cookie(client: Browser) -> str:
    return client.cookies[signed_in.COOKIE]


def test_who_is_not_signed_in_is_led_to_the_door_and_gets_nothing_else(app: Served) -> None:
    nobody = app.browser()
    for page in ("/", *(f"/{row.name}" for row in PAGES)):
        answer = nobody.ask(page)
        assert (answer.status, answer.headers["location"]) == (303, "/class/join")
    for path in (
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/_stcore/script-health-check",
        "/_stcore/agent/openapi.json",
        "/_stcore/allowed-message-origins",
        "/media/x.png",
        "/component/x/index.html",
        "/app/static/config.toml",
        "/auth/login",
        "/oauth2callback",
        "/class/",
        "/class/people.json",
        "/anything",
    ):
        assert nobody.ask(path).status == 404, path
    for method in ("PUT", "DELETE", "POST", "OPTIONS", "PATCH", "TRACE"):
        answer = nobody.ask("/_stcore/upload_file/session/file", method)
        assert answer.status in (403, 404)
    with pytest.raises(InvalidStatus), nobody.stream():
        pass
    assert nobody.ask("/class/join").status == 200
    assert nobody.ask("/_stcore/health").status == 200


def test_what_nobody_needs_is_not_there_for_pupils_either(bob: Browser) -> None:
    for path in (
        "/_stcore/metrics",
        "/_stcore/agent/openapi.json",
        "/app/static/x",
        "/auth/login",
        "/oauth2callback",
        "/_stcore/stream",
        "/nothing",
        "/../class/people.json",
        "/media/..%2f..%2fclass%2fpeople.json",
    ):
        assert bob.ask(path).status == 404, path
    assert bob.ask("/_stcore/agent/interact", "POST", body=b"{}").status == 404


def test_pages_answer_who_is_signed_in_with_guarding_headers(bob: Browser) -> None:
    for path in ("/", "/train", "/class/join", "/nothing"):
        headers = bob.ask(path).headers
        assert "frame-ancestors" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert bob.ask("/").status == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(app: Served) -> None:
    client = app.browser()
    answer = client.ask("/class/teacher", "POST", form={"password": server.PASSWORD})
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "__Host-"):
        assert word in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "class.test.evil", ""])
def test_another_name_of_the_server_is_refused(bob: Browser, host: str) -> None:
    assert bob.ask("/", host=host).status == 421
    with pytest.raises(InvalidStatus), bob.stream(host=host):
        pass


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://class.test:9999", "http://class.test", "null", ""]
)
def test_a_page_of_another_origin_does_nothing(bob: Browser, origin: str) -> None:
    assert bob.ask("/class/leave", "POST", origin=origin).status == 403
    assert bob.ask("/_stcore/upload_file/a/b", "PUT", origin=origin).status == 403
    with pytest.raises(InvalidStatus), bob.stream(origin=origin):
        pass


def test_everybody_sees_their_own(ada: Browser, hers: tuple[Dataset, Run, Path]) -> None:
    dataset, run, _space = hers
    for page in ("photos", "train", "work", "search"):
        assert SECRET.encode() in ada.show(page, data=dataset.id, run=run.id), page


@pytest.mark.parametrize("page", ["", *(row.name for row in PAGES)])
def test_another_pupil_sees_nothing_on_any_page(
    bob: Browser, hers: tuple[Dataset, Run, Path], page: str
) -> None:
    dataset, run, space = hers
    up = f"../../{space.name}"
    for data, named in (
        (dataset.id, run.id),
        (str(dataset.folder), str(run.folder)),
        (f"{up}/datasets/{dataset.id}", f"{up}/runs/{run.id}"),
    ):
        told = bob.show(page, data=data, run=named, study=named, runs=f"{named},{named}")
        shown = told.replace(data.encode(), b"").replace(named.encode(), b"")
        assert SECRET.encode() not in shown
        assert b"head_brand" in told or b"frame_brand" in told, "the page was drawn"


def test_pictures_are_for_who_made_them(
    app: Served, ada: Browser, bob: Browser, hers: tuple[Dataset, Run, Path]
) -> None:
    shown = ada.show("photos", data=hers[0].id)
    addresses = {match.decode() for match in re.findall(rb"/media/[0-9a-f]+\.[a-z]+", shown)}
    assert addresses, "photos are shown"
    with ada.stream() as connection:
        run_page(connection, "photos", data=hers[0].id)
        for address in addresses:
            name = Path(address).stem
            person = who_is(bob)
            assert not app.app._media.is_for(name, person)
            assert bob.ask(address).status == 404
            assert app.browser().ask(address).status == 404


def who_is(client: Browser) -> people.Person:
    found = people.who_holds(_cookie(client))
    assert found is not None
    return found


def test_an_upload_goes_to_the_own_session_alone(bob: Browser) -> None:
    for session in ("", "unknown", "x" * 36):
        answer = bob.ask(f"/_stcore/upload_file/{session}/file", "PUT", body=b"x")
        assert answer.status == 404


def test_who_leaves_is_out_at_once_everywhere(app: Served) -> None:
    cleo = app.join("Cleo")
    cookie = _cookie(cleo)
    answer = cleo.ask("/class/leave", "POST")
    assert answer.status == 303
    cleo.cookies[signed_in.COOKIE] = cookie
    assert cleo.ask("/").headers["location"] == "/class/join"


@pytest.mark.parametrize("how", ["leave", "removed"])
def test_a_page_left_open_answers_nothing_more(app: Served, how: str) -> None:
    dan = app.join("Dan")
    person = who_is(dan)
    with spaces.acting_in(person.folder):
        dataset = datasets.create_dataset(f"{SECRET} of Dan")
    with dan.stream() as connection:
        shown = run_page(connection, "photos", data=dataset.id)
        assert SECRET.encode() in shown
        live = [name.decode() for name in re.findall(rb"[0-9a-f]{32}", shown)]
        if how == "leave":
            assert dan.ask("/class/leave", "POST").status == 303
        else:
            people.remove(person.id)
        for fragment in ["", *live[:3]]:
            asked = BackMsg()
            asked.rerun_script.fragment_id = fragment
            asked.rerun_script.query_string = f"data={dataset.id}"
            connection.send(asked.SerializeToString())
            told = b""
            while b"not signed in" not in told:
                data = connection.recv(timeout=30)
                assert isinstance(data, bytes)
                told += data
            assert SECRET.encode() not in told
    if how == "leave":
        people.remove(person.id)


NASTY = (
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/x.png)",
    '=HYPERLINK("https://evil.example")',
    "a<b>\u202eevil\u2066 $x$ :red[z]",
)


def test_names_are_text_on_the_teacher_s_page(app: Served) -> None:
    joined = [app.join(name) for name in NASTY]
    for number, browser in enumerate(joined):
        space = who_is(browser).folder
        with spaces.acting_in(space):
            run = runs.create_run(space / "photos", Settings(), dataset_name=NASTY[number])
            run.update_state(state="queued")
    with app.teacher().stream() as connection:
        told = messages_of(connection, "teacher")
    texts: dict[str, list[str]] = {"html": [], "markdown": []}
    for message in told:
        if message.WhichOneof("type") == "delta":
            element = message.delta.new_element
            kind = element.WhichOneof("type")
            texts["html"] += [element.html.body] if kind == "html" else []
            texts["markdown"] += [element.markdown.body] if kind == "markdown" else []
            texts["markdown"] += [element.alert.body] if kind == "alert" else []
    shown = "".join(texts["html"])
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;") >= 2, "the name, and the data set"
    assert "<img" not in shown
    assert "<b>\u202e" not in shown
    assert not re.search(r"(?<!\\)!\[x\]\(", "".join(texts["markdown"]))
    assert all("\u202e" not in one.name for one in people.list_people())
    for browser in joined:
        people.remove(who_is(browser).id)


def test_the_door_says_what_is_wrong_and_escapes_what_was_typed(app: Served) -> None:
    client = app.browser()
    code = people.class_of_installation().code  # type: ignore[union-attr]
    nasty = "<script>alert(1)</script>"
    answer = client.ask(
        "/class/join",
        "POST",
        form={"code": code, "who": "back", "name": nasty, "pin": "4711"},
    )
    assert answer.status == 403
    assert "There is nobody called" in answer.text
    assert "<script>" not in answer.text
    assert client.ask(f"/class/join?code={quote(nasty)}").text.count("<script>") == 0
    assert client.ask("/class/join", "POST", body=b"a" * 10_000).status == 403
    assert client.ask("/class/join", "POST", body=b"&".join([b"a=b"] * 99)).status == 403


@pytest.mark.parametrize("door", ["join", "teacher", "leave"])
def test_asking_for_the_head_of_a_door_sends_no_form(app: Served, door: str) -> None:
    eve = app.join(f"Eve at {door}")
    assert eve.ask(f"/class/{door}", "HEAD").status == 200
    assert eve.ask("/").status == 200, "still signed in"
    people.remove(who_is(eve).id)


def test_two_hundred_guesses_at_a_cookie_open_nothing(app: Served, ada: Browser) -> None:
    nobody, cookie = app.browser(), _cookie(ada)
    for number in range(200):
        place = number % len(cookie)
        wrong = "A" if cookie[place] != "A" else "B"
        nobody.cookies[signed_in.COOKIE] = cookie[:place] + wrong + cookie[place + 1 :]
        assert nobody.ask("/work").status == 303


def _addresses(dataset: Dataset, run: Run, space: Path) -> list[tuple[str, str]]:
    """Requests for things of Ada's, by addresses that are there and that somebody may try."""
    inside = (
        f"datasets/{dataset.id}/dataset.json",
        f"datasets/{dataset.id}/manifest.parquet",
        f"datasets/{dataset.id}/{dataset.photos['path'].iloc[0]}",
        f"runs/{run.id}/config.json",
        f"runs/{run.id}/state.json",
    )
    roots = ("", "app/static/", "static/", "media/", "component/", "files/", "_stcore/", "api/v1/")
    ups = ("../", "..%2f", "%2e%2e/", "..\\", "/", "%2f")
    paths = [
        f"/{root}{up}people/{space.name}/{name}"
        for root in roots[:5]
        for up in ups
        for name in inside
    ]
    paths += [f"/{root}people/{space.name}/{name}" for root in roots for name in inside]
    paths += [
        f"/class/{name}" for name in ("people.json", "sessions.json", "key.pem", "secrets.toml")
    ]
    asked = [("GET", path) for path in paths]
    for session in ("", space.name, "0" * 36):
        path = f"/_stcore/upload_file/{session}/{dataset.id}"
        asked += [(method, path) for method in ("GET", "PUT", "DELETE", "POST")]
    return asked


def _openings(dataset: Dataset, run: Run, space: Path, folder: Path) -> list[Callable[[], object]]:
    """What the core could be made to open of Ada's, by every name of it."""
    up = f"../../{space.name}"
    ways: list[Callable[[], object]] = []
    for name in (str(dataset.folder), f"{up}/datasets/{dataset.id}", dataset.id):
        ways += [
            partial(lambda one: datasets.open_dataset(one).photos, name),
            partial(lambda one: datasets.open_unlabelled(one).photos, name),
        ]
    for name in (str(run.folder), f"{up}/runs/{run.id}", run.id):
        ways += [lambda one=name: find_run(one).config, lambda one=name: Run(one).config]
    ways += [
        lambda: Job(dataset.folder / "feasible").state,
        lambda: runs.delete_run(Run(run.folder)),
        lambda: datasets.delete_dataset(Dataset(dataset.folder)),
        lambda: trash.put_back(trash.Entry(run.folder, "run", run.id, "x", 0.0)),
        lambda: trash.delete(trash.Entry(run.folder, "run", run.id, "x", 0.0)),
        lambda: jobs.start(Dataset(dataset.folder), Settings()),
        lambda: datasets.allowed_folder(space),
        lambda: spaces.reach(folder / "link"),
    ]
    return ways


def test_two_hundred_tries_to_reach_another_s_things_are_refused(
    bob: Browser, hers: tuple[Dataset, Run, Path]
) -> None:
    tries, opened = 0, []
    for method, path in _addresses(*hers):
        answer = bob.ask(path, method, body=b"" if method in ("PUT", "POST") else None)
        tries += 1
        if answer.status not in (400, 403, 404, 405) or SECRET in answer.text:
            opened.append(f"{method} {path}: {answer.status}")
    own = who_is(bob).folder
    own.mkdir(parents=True, exist_ok=True)
    (own / "link").symlink_to(hers[0].folder)
    with spaces.acting_in(own):
        for attempt in _openings(*hers, own):
            tries += 1
            with contextlib.suppress(TransLearnError):
                opened.append(repr(attempt()))
    (own / "link").unlink()
    assert tries >= 200
    assert opened == []
    assert len(hers[0].photos), "nothing was touched"
    assert hers[1].state.state == "failed"


def test_the_teacher_is_told_of_a_name_that_was_guessed_at(app: Served) -> None:
    eve = app.join("Eve")
    code = people.class_of_installation().code  # type: ignore[union-attr]
    for number in range(people.MOST_WRONG):
        at = time.time() + number * 400.0
        with pytest.raises(AccessError):
            people.come_back(code, "Eve", f"9{number:04}", address="10.0.0.9", now=at)
    with app.teacher().stream() as connection:
        told = run_page(connection, "teacher")
    assert b"PIN of Eve was guessed wrong ten times" in told
    assert b"Room in MB" in told, "and may change the limits"
    people.remove(who_is(eve).id)


def test_the_log_holds_no_names_and_no_code(
    app: Served, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        zora = app.join("Zora Quint")
        code = people.class_of_installation().code  # type: ignore[union-attr]
        form = {"code": code, "who": "back", "name": "Zora Quint", "pin": "wrong-4712"}
        assert app.browser().ask("/class/join", "POST", form=form).status == 403
        with spaces.acting_in(who_is(zora).folder):
            dataset = datasets.create_dataset("Zora Quint and friends")
        zora.show("photos", data=dataset.id)
        zora.show("photos", data="Zora Quint")
        zora.ask("/class/leave", "POST")
        people.remove(who_is_in("Zora Quint").id)
    said = caplog.text + "".join(capfd.readouterr())
    for name in ("Zora", "Quint", code, "wrong-4712"):
        assert name not in said


def who_is_in(name: str) -> people.Person:
    return next(one for one in people.list_people() if one.name == name)


def test_a_download_made_on_demand_is_made_in_the_space_of_its_page(
    app: Served, hers: tuple[Dataset, Run, Path]
) -> None:
    def made() -> bytes:
        return app.app._media.load_and_get_id(
            b"report", "text/html", MediaFileKind.DOWNLOADABLE
        ).encode()

    with spaces.acting_in(hers[2]):
        later = signed_in.as_now(made)
    with ThreadPoolExecutor(1) as other:
        with pytest.raises(AccessError):
            other.submit(made).result()
        name = other.submit(contextvars.copy_context().run, later).result().decode()
    assert app.app._media._owners[name] == {hers[2]}


def test_a_page_looks_less_often_at_a_run_that_waits(app: Served, bob: Browser) -> None:
    """Of thirty people nearly all wait at once; who has their turn is followed as without a class."""
    space = who_is(bob).folder
    with spaces.acting_in(space):
        run = runs.create_run(space / "datasets" / "none", Settings())

    def pauses() -> list[float]:
        with bob.stream() as connection:
            told = messages_of(connection, "train", run=run.id)
        return [one.auto_rerun.interval for one in told if one.WhichOneof("type") == "auto_rerun"]

    waiting = pauses()
    now = time.time()
    run.update_state(state="running", started_at=now, heartbeat=now)
    running = pauses()
    run.update_state(state="stopped")
    assert len(waiting) == len(running) == 1
    assert waiting[0] > running[0]


def test_a_run_of_a_page_does_not_search_all_objects_for_garbage(
    app: Served, bob: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That stops everybody's pages; the server does it every few seconds for all together."""
    for page in ("photos", "work"):
        bob.show(page)  # which brings modules in
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # a server has none; it would search
    searches: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            searches.append(2)

    gc.disable()  # what is searched for by itself does not count
    gc.callbacks.append(note)
    try:
        bob.show("photos")
        bob.show("work")
    finally:
        gc.callbacks.remove(note)
        gc.enable()
    assert searches == []
