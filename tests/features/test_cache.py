"""The feature cache: bounded, shared, and never half."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from translearn_core.errors import StorageError, WeightsError
from translearn_core.features.cache import (
    MANY_ROWS,
    FeatureCache,
    FeatureKey,
    cache_size_bytes,
    empty_cache,
    trim_cache,
)
from translearn_core.features.extract import Output, PassResult, ShardFacts, extract
from translearn_core.graph.engine import run_engine
from translearn_ui.work import space_used


def key(backbone: str = "net", **changes: object) -> FeatureKey:
    return FeatureKey(**({"backbone": backbone, "weights": "w", "cut": "c", "size": 8} | changes))  # type: ignore[arg-type]


def test_what_was_added_is_read_back_in_the_order_asked_for(tmp_path: Path) -> None:
    cache = FeatureCache(key(), root=tmp_path)
    cache.add(["a", "b"], np.array([[1.0], [2.0]], np.float32))
    FeatureCache(key(), root=tmp_path).add(["c"], np.array([[3.0]], np.float32))
    table = cache.table(["c", "a", "c"])
    assert table.shape == (3, 1)
    assert table.take(np.array([0, 1, 2, 0])).ravel().tolist() == [3.0, 1.0, 3.0, 3.0]


def test_more_rows_than_are_read_at_a_time_come_in_the_order_asked_for(tmp_path: Path) -> None:
    cache = FeatureCache(key(), root=tmp_path)
    n = 2 * MANY_ROWS + 5
    names = [f"{number:064x}" for number in range(n)]
    features = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
    cache.add(names[: n // 3], features[: n // 3])
    cache.add(names[n // 3 :], features[n // 3 :])
    rows = np.random.default_rng(0).permutation(np.tile(np.arange(n), 2))
    table = cache.table(names)
    assert np.array_equal(table.take(rows), features[rows])
    assert np.array_equal(table[5:], features[5:])


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "other"},
        {"weights": "v"},
        {"cut": "d"},
        {"size": 9},
        {"view": 1},
        {"fit": "pad"},
    ],
)
def test_another_key_shares_nothing(tmp_path: Path, changes: dict[str, object]) -> None:
    FeatureCache(key(), root=tmp_path).add(["a"], np.zeros((1, 2), np.float32))
    assert "a" not in FeatureCache(key(**changes), root=tmp_path)


def test_a_half_written_shard_does_not_exist(tmp_path: Path) -> None:
    cache = FeatureCache(key(), root=tmp_path)
    cache.add(["a"], np.zeros((1, 2), np.float32))
    whole = next(cache.folder.glob("*.npy"))
    (cache.folder / "crashed.npy").write_bytes(whole.read_bytes()[:40])
    (cache.folder / "short.npy").write_bytes(whole.read_bytes()[:-4])
    (cache.folder / "short.txt").write_text("b", encoding="ascii")
    again = FeatureCache(key(), root=tmp_path)
    assert "a" in again
    assert "b" not in again


@pytest.mark.parametrize("is_published", [True, False])
def test_a_shard_that_another_process_reads_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_published: bool
) -> None:
    """Windows replaces no file that is mapped; here the system call refuses it in the same way."""
    features = np.array([[1.0], [2.0]], np.float32)
    cache, other = (FeatureCache(key(), root=tmp_path) for _process in range(2))
    replace = Path.replace

    def refuse(source: Path, target: Path) -> Path:
        if is_published and not target.exists():
            with monkeypatch.context() as patch:
                patch.setattr(Path, "replace", replace)
                other.add(["a", "b"], features)
        raise PermissionError(13, "is mapped", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    if is_published:
        cache.add(["a", "b"], features)
        assert cache.table(["b", "a"]).take(np.arange(2)).ravel().tolist() == [2.0, 1.0]
    else:
        with pytest.raises(StorageError, match="is mapped"):
            cache.add(["a", "b"], features)
    assert not list(cache.folder.glob(".*"))


def test_the_least_recently_used_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "old", "oldest")):
        cache = FeatureCache(key(name), root=tmp_path)
        cache.add(["a"], np.zeros((1, 1000), np.float32))
        cache.touch()
        os.utime(cache.folder / "used", (1e9 - age, 1e9 - age))
    removed = trim_cache(9000, keep=[key("oldest")], root=tmp_path)
    assert removed > 4000
    assert "a" in FeatureCache(key("oldest"), root=tmp_path)
    assert "a" not in FeatureCache(key("old"), root=tmp_path)
    assert cache_size_bytes(tmp_path) > 4000
    (tmp_path / "standby.log").write_bytes(bytes(984))
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / "log").write_bytes(bytes(10))
    empty_cache(tmp_path)
    assert cache_size_bytes(tmp_path) == 0


def test_my_work_says_one_size_of_the_cache(workspace: Path) -> None:
    FeatureCache(key("new")).add(["a"], np.zeros((1, 1000), np.float32))
    for name in ("standby.log", "unsorted/of-one/manifest.parquet"):
        (workspace / "cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / "cache" / name).write_bytes(bytes(984))
    sizes = space_used._measure(str(workspace), ())
    assert sizes["cache"] == cache_size_bytes() > 4000
    assert sizes["rest"] == 2 * 984


def look(
    paths: list[Path], output: Output, **options: Any
) -> tuple[PassResult, ShardFacts, list[int]]:
    """A pass: its result, what it found of all photos, and how many photos each shard read."""
    found, shards = ShardFacts(), []

    def keep(facts: ShardFacts) -> None:
        found.stats.update(facts.stats)
        found.left_out.update(facts.left_out)
        shards.append(len(facts.stats))

    return extract(paths, [output], keep=keep, **options), found, shards


def test_one_pass_keeps_pixels_and_names_what_it_could_not_read(
    tmp_path: Path, colour_photos: Path
) -> None:
    paths = sorted(colour_photos.rglob("*.jpg"))[:20]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    paths.insert(3, broken)
    told: list[tuple[int, int]] = []
    output = Output(key=key(size=16), open_engine=None, store=np.dtype(np.uint8), root=tmp_path)
    result, found, shards = look(
        paths, output, progress=lambda done, total, _per_s: told.append((done, total)), shard=8
    )
    assert list(found.left_out) == [3]
    assert (result.n_read, shards) == (20, [7, 8, 5])
    assert told[-1] == (21, 21)
    table = FeatureCache(output.key, root=tmp_path).table([found.stats[0].sha256])
    assert table.shape == (1, 16, 16, 3)
    assert table.dtype == np.uint8


def test_a_stopped_pass_keeps_what_it_has(tmp_path: Path, colour_photos: Path) -> None:
    paths = sorted(colour_photos.rglob("*.jpg"))
    output = Output(key=key(size=16), open_engine=None, store=np.dtype(np.uint8), root=tmp_path)
    result, found, _shards = look(paths, output, stop=lambda: True)
    assert result.stopped
    assert 0 < result.n_read < len(paths)
    kept = FeatureCache(output.key, root=tmp_path)
    assert found.stats[0].sha256 in kept


class Slow:
    """An engine that took its time to open; answers each photo's mean."""

    name = "slow"

    def submit(self, photos: np.ndarray, done: Callable[[np.ndarray], None]) -> None:
        done(photos.mean(axis=(1, 2)).astype(np.float32))

    def wait(self) -> None:
        """Nothing is ever pending."""


def test_photos_decoded_before_the_engine_is_open_wait_for_it(
    tmp_path: Path, colour_photos: Path
) -> None:
    paths = sorted(colour_photos.rglob("*.jpg"))
    done: list[int] = []
    told_before_open: list[int] = []

    def open_late() -> Slow:
        time.sleep(0.3)  # photos are decoded meanwhile
        told_before_open.extend(done)
        return Slow()

    output = Output(
        key=key(size=16), open_engine=open_late, store=np.dtype(np.float32), root=tmp_path
    )
    _result, found, _shards = look(paths, output, progress=lambda n, _all, _per_s: done.append(n))
    hashes = [found.stats[place].sha256 for place in range(len(paths))]
    assert FeatureCache(output.key, root=tmp_path).table(hashes).shape == (len(paths), 3)
    assert told_before_open == [], "no photo has been looked at before"
    assert done == sorted(done)
    assert done[-1] == len(paths)


def test_a_stop_does_not_wait_for_an_engine_to_open(tmp_path: Path, colour_photos: Path) -> None:
    never = threading.Event()

    def open_never() -> Slow:
        never.wait(30)
        return Slow()

    output = Output(
        key=key(size=16), open_engine=open_never, store=np.dtype(np.float32), root=tmp_path
    )
    began = time.monotonic()
    result, _found, _shards = look(sorted(colour_photos.rglob("*.jpg")), output, stop=lambda: True)
    never.set()
    assert result.stopped
    assert time.monotonic() - began < 20, "it waited for the engine"


def test_an_engine_that_cannot_open_is_told(tmp_path: Path, colour_photos: Path) -> None:
    def fail() -> Slow:
        raise WeightsError("no weights")

    output = Output(key=key(size=16), open_engine=fail, store=np.dtype(np.float32), root=tmp_path)
    with pytest.raises(WeightsError, match="no weights"):
        look(sorted(colour_photos.rglob("*.jpg")), output)


def test_openvino_agrees_with_keras_and_a_disagreement_is_refused(tmp_path: Path) -> None:
    import keras

    from translearn_core.graph.engine import KerasEngine, OpenVINOEngine
    from translearn_core.graph.kept_engines import open_prefix_engine

    keras.utils.set_random_seed(1)
    photo = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(photo))
    model = keras.Model(photo, keras.layers.GlobalAveragePooling2D()(x))
    engine = open_prefix_engine(tmp_path / "net.xml", lambda: model)
    assert isinstance(engine, OpenVINOEngine)
    photos = np.random.default_rng(0).integers(0, 256, (19, 16, 16, 3), dtype=np.uint8)
    expected = model.predict_on_batch(photos.astype(np.float32))
    assert np.allclose(run_engine(engine, photos), expected, atol=1e-5)
    (tmp_path / "net.json").write_text('{"agrees": false}', encoding="utf-8")
    assert isinstance(open_prefix_engine(tmp_path / "net.xml", lambda: model), KerasEngine)


def test_telemetry_of_the_engine_is_shut_out() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from translearn_core.graph.engine import import_openvino; import_openvino();"
        "sys.exit(any(n.startswith('openvino_telemetry') and m for n, m in sys.modules.items()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
