"""What all tests share: how they are spread over processes, workspaces, photos, weights."""

from __future__ import annotations

import compileall
import gc
import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TRANSLEARN_MEASURE_SPEED", "false")  # not behind a test's back
os.environ.setdefault("TRANSLEARN_STANDBY", "false")
os.environ.setdefault("TRANSLEARN_LOOK_AHEAD", "false")
os.environ.setdefault("TRANSLEARN_LANGUAGE", "en")  # whatever the terminal speaks
os.environ.setdefault("TRANSLEARN_DEFAULT_BACKBONE", "starter")  # the quickest
os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a process for every processor already
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import pytest

from tests.support import session
from tests.support.photos import SHARED, draw_photos
from tests.support.small_backbone import small_in_the_table
from translearn_core.backbones import Backbone
from translearn_core.graph.libraries import annotations_compiled_once, keras_alone

LEARNING_IN_BROWSER = {"test_camera", "test_class", "test_presses", "test_training"}
"""Files of browser tests that make up a group of their own; `browser` has the rest. About half of
the time is that of these: each group has a server and a browser."""
GARBAGE_AFTER = 5000
"""So many new objects more than went make Python look for garbage; 700 are usual."""
SLOW_S = 5
"""Expected processor seconds of a slow test of a group that is not in `SECONDS`."""
SECONDS = {
    "browser-learning": 160.0,
    "browser": 150.0,
    "cluster": 60.0,
    "test_train": 36.0,
    "test_formats": 40.0,
    "test_technique_runs": 24.0,
    "test_keras_script": 30.0,
    "test_pages": 17.0,
    "test_detectors": 17.0,
    "test_worker": 12.0,
    "test_job": 17.0,
    "test_explain": 16.0,
    "test_recorded": 14.0,
    "test_known_answers": 15.0,
    "test_adaptation": 6.0,
    "test_warm_worker": 9.0,
    "test_session": 5.0,
    "test_unsorted": 5.0,
    "sources": 13.0,
    "test_mirroring": 8.0,
    "test_adopt": 8.0,
    "graph-nasnet_mobile": 12.0,
    "test_teachable": 8.0,
    "test_linear": 8.0,
    "test_compare": 8.0,
    "test_split": 8.0,
    "test_interrupt": 7.0,
    "test_fit": 18.0,
    "test_keras_file": 7.0,
    "test_reading": 7.0,
    "graph-inception_v3": 6.0,
    "graph-efficientnet_b0": 6.0,
    "graph-resnet50_v2": 6.0,
    "graph-resnet50": 6.0,
    "graph-efficientnet_v2_b0": 5.0,
    "test_dann": 7.0,
    "test_damage": 7.0,
    "test_adversarial_runs": 9.0,
    "test_build": 6.0,
    "test_monsters": 6.0,
    "graph-efficientnet_v2_s": 10.0,
    "test_group_by": 6.0,
    "test_fuzz": 6.0,
    "test_earlier_workspace": 6.0,
    "test_archive": 6.0,
    "test_page": 6.0,
    "test_versions": 6.0,
    "test_decode": 6.0,
    "test_ood": 6.0,
    "test_multitask": 5.0,
    "test_dinov2": 5.0,
    "test_weights": 5.0,
    "test_tab_state": 5.0,
    "graph-densenet121": 7.0,
    "test_search": 4.0,
    "test_cli": 4.0,
    "test_demo": 4.0,
    "test_gate": 4.0,
    "test_people": 4.0,
}
"""About how many processor seconds the groups take that take longest, with all processes that they
start; for the order only. Measured per test while the machine had other work, then rounded down.
Where a group mostly waits (`cluster`), its seconds by the clock."""


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the others makes the folder that they share, and removes it.

    It also compiles the app, once for the many processes that tests start: those write no bytecode
    where `PYTHONDONTWRITEBYTECODE` is set, as it is in many containers. What pytest makes of the
    tests is kept all the same: to make it takes each process three seconds.
    """
    sys.dont_write_bytecode = False
    if not hasattr(config, "workerinput"):
        for package in ("translearn_core", "translearn_ui", "pages", "tests/support", "benchmarks"):
            compileall.compile_dir(config.rootpath / package, quiet=2)
        folder = session.begin()
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["TRANSLEARN_HOME"] = str(session.fresh_home())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one process more than processors.

    Tests that drive a browser or other processes wait for them; with as many processes as
    processors about a third of the time of two processors was idle.
    """
    processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    return (processors or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """No garbage is looked for while modules are imported, nor among what they brought later, and
    less often then: to look through the graphs of a network took a thirtieth of the time of all tests.

    Keras is imported as the app imports it.
    """
    gc.disable()
    try:
        with keras_alone(), annotations_compiled_once():
            return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(GARBAGE_AFTER, 10, 10)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Which tests run in one process, and in which order; for `pytest -n ... --dist loadgroup`.

    Tests of a file stay together unless their marks say otherwise. Those that drive a browser
    make two groups, each with a server. Groups that take long come first, so that none is left
    for the end. A test that fails is run once more, since many wait for processes and threads of a
    busy machine; the summary names each such test.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        item.add_marker(pytest.mark.flaky(reruns=1))
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group(_browser_group(item)))
        elif item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
        mark = item.get_closest_marker("xdist_group")
        assert mark is not None
        groups.setdefault(mark.args[0], []).append(item)
    order = sorted(groups.values(), key=_weight, reverse=True)
    items[:] = [item for group in order for item in group]
    return (yield)  # a wrapper comes before pytest-xdist reads the groups


def _group(item: pytest.Item) -> str:
    """Its file; files that read all sources of the project make one, which parses them once."""
    judges_sources = isinstance(item, pytest.Function) and hasattr(item.module, "parsed")
    return "sources" if judges_sources else item.path.stem


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests that were run once more had failed."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_sep("_", f"failed first: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


def _browser_group(item: pytest.Item) -> str:
    return "browser-learning" if item.path.stem in LEARNING_IN_BROWSER else "browser"


def _weight(group: list[pytest.Item]) -> tuple[float, int]:
    """Expected processor seconds of a group, and its number of tests."""
    mark = group[0].get_closest_marker("xdist_group")
    assert mark is not None
    slow = sum(any(item.iter_markers("slow")) for item in group)
    return SECONDS.get(mark.args[0], float(SLOW_S * slow)), len(group)


@pytest.fixture(scope="module", autouse=True)
def _quick_pages(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keeps two things short where a module runs pages with Streamlit's `AppTest`.

    Streamlit collects garbage after every run of a page. With TensorFlow in the process that takes
    seconds, so what is there already is kept out of it, for good: to collect it before, and to
    take it back after, took a second and a half for each module. And each `AppTest` looks through
    all installed packages for components; what it finds is kept for the next, in every module.
    """
    if not {"AppTest", "open_app"} & vars(request.module).keys():
        yield
        return
    from streamlit.components.v2 import manifest_scanner

    gc.collect(1)
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", _scanned_once())
        yield


@cache
def _scanned_once() -> Any:
    """Streamlit's scan of the installed packages, which looks once."""
    from streamlit.components.v2 import manifest_scanner

    return cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True)
def _no_workspace_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace for every test that has none by another fixture, made when it is written to."""
    if session.is_fresh_home(os.environ.get("TRANSLEARN_HOME", "")):
        monkeypatch.setenv("TRANSLEARN_HOME", str(session.fresh_home()))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own."""
    folder = tmp_path / "workspace"
    monkeypatch.setenv("TRANSLEARN_HOME", str(folder))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One workspace for a module: its photos are looked at once."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def small_backbone() -> Iterator[Backbone]:
    """The backbone `small` stands in the table: for modules that train in their own process."""
    with small_in_the_table() as row:
        yield row


@pytest.fixture(scope="session")
def colour_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three classes with 16 drawn photos each."""
    return draw_photos(tmp_path_factory.mktemp("colours"), per_class=16)


@pytest.fixture
def shared_weights(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ImageNet weights beside the project; skips without them."""
    folder = SHARED / "weights"
    if not folder.is_dir():
        pytest.skip("the shared weights are not beside the project")
    monkeypatch.setenv("KERAS_HOME", str(folder))
    return folder


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace and a folder of weights of its own, both empty, and nothing configured."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("TRANSLEARN_WEIGHTS_URL", raising=False)
    monkeypatch.delenv("TRANSLEARN_DEFAULT_BACKBONE", raising=False)
    monkeypatch.delenv("TRANSLEARN_ALLOW_DOWNLOADS", raising=False)
