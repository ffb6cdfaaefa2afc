"""A pass in shards: gone on with after a kill, and bit for bit the same by other workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.photos import draw_photos
from translearn_core import __version__, backbones, datasets
from translearn_core.datasets.pending_stats import take_over_facts
from translearn_core.errors import ClusterError
from translearn_core.features import node_pass
from translearn_core.features.cache import FeatureCache, FeatureKey, empty_cache
from translearn_core.features.extract import ShardFacts, extract
from translearn_core.features.extractor import PIXELS, POOLED, Engines, FeatureExtractor
from translearn_core.features.node_pass import ShardResult, ShardWorker, map_shards
from translearn_core.imaging.reading import Reading
from translearn_core.imaging.remote import PhotoFile
from translearn_core.installation_limits import Limits
from translearn_core.monitor import SILENT, Monitor

SHARD = 16
KILLED = """
import os, signal, sys
from pathlib import Path
from translearn_core import backbones, datasets
from translearn_core.features.extractor import PIXELS, FeatureExtractor
from translearn_core.monitor import Monitor

class KillsItself(Monitor):
    @property
    def stop_requested(self):
        if len(list(dataset.folder.glob("pass/*.parquet"))) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

dataset = datasets.open_dataset(Path(sys.argv[1]))
look = FeatureExtractor(
    dataset=dataset, backbone=backbones.get_backbone("starter"), size=32, shard=int(sys.argv[2])
)
look.take([(PIXELS, 0)], list(dataset.photos["path"]), KillsItself())
"""


def starter(dataset: datasets.Dataset, **options: int) -> FeatureExtractor:
    return FeatureExtractor(
        dataset=dataset, backbone=backbones.get_backbone("starter"), size=32, **options
    )


class Counts(Monitor):
    """Remembers how many photos of how many were done with."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        self.told.append((done, total))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_pass_goes_on_without_doing_a_shard_twice(workspace: Path, tmp_path: Path) -> None:
    source = draw_photos(tmp_path / "photos", per_class=20)  # 60 photos: 4 shards
    (source / "blue" / "000.jpg").write_bytes(b"no photo")
    dataset = datasets.import_source(source, in_place=True, check=False)
    command = [sys.executable, "-c", KILLED, str(dataset.folder), str(SHARD)]
    killed = subprocess.run(command, cwd=Path.cwd(), env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    look = starter(dataset, shard=SHARD)
    cache = look.root / "features" / look.key(PIXELS).digest
    before = {file.name: file.stat().st_mtime_ns for file in cache.glob("*.npy")}
    assert len(before) == 2
    monitor = Counts()
    report = look.take([(PIXELS, 0)], list(dataset.photos["path"]), monitor)
    assert monitor.told[0][0] >= 2 * SHARD, "it began anew"
    kept = {file.name: file.stat().st_mtime_ns for file in cache.glob("*.npy")}
    assert before.items() < kept.items()
    names = [name for file in cache.glob("*.txt") for name in file.read_text().split()]
    assert len(names) == len(set(names)) == 59
    photos = dataset.photos
    assert photos["checked"].all()
    assert set(photos["sha256"]) == set(names)
    assert list(dataset.left_out["file"]) == ["blue/000.jpg"]
    assert report.left_out == (str(source / "blue" / "000.jpg"),)
    assert not list(dataset.folder.glob("pass/*"))


def test_what_a_shard_found_stays_while_another_process_reads_it(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows removes no open file; here the system call refuses it in the same way."""
    dataset = datasets.import_source(
        draw_photos(tmp_path / "photos", per_class=2), in_place=True, check=False
    )

    def refuse(file: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "is open", str(file))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        starter(dataset).take([(PIXELS, 0)], list(dataset.photos["path"]), SILENT)
    photos = dataset.photos
    assert photos["checked"].all()
    assert list(dataset.folder.glob("pass/*.parquet"))
    assert take_over_facts(dataset) == []
    assert not list(dataset.folder.glob("pass/*"))
    assert dataset.photos.equals(photos)


def test_one_pass_takes_varied_views_of_some_photos_only(workspace: Path, tmp_path: Path) -> None:
    dataset = datasets.import_source(
        draw_photos(tmp_path / "photos", per_class=9), in_place=True, check=False
    )
    paths = list(dataset.photos["path"])  # 27: neither part is a multiple of a batch or a shard
    varied, rest = paths[:13], paths[13:]
    look = replace(starter(dataset, shard=5), strength="mirror")
    monitor = Counts()
    look.take([(POOLED, 0), (POOLED, 1)], varied, monitor, as_they_are=rest)
    assert monitor.told[-1] == (27, 27)
    hashes = list(dataset.photos.set_index("path").loc[paths, "sha256"])
    mirrored = FeatureCache(look.key(POOLED, 1), root=look.root)
    assert list(mirrored.holds(hashes)) == [True] * 13 + [False] * 14
    together = look.table(POOLED, 0, hashes).take(np.arange(27))
    views = look.table(POOLED, 1, hashes[:13]).take(np.arange(13))
    empty_cache()
    look.take([(POOLED, 0), (POOLED, 1)], varied, SILENT)
    look.take([(POOLED, 0)], rest, SILENT)
    assert np.array_equal(look.table(POOLED, 0, hashes).take(np.arange(27)), together)
    assert np.array_equal(look.table(POOLED, 1, hashes[:13]).take(np.arange(13)), views)


def test_a_shard_that_its_part_left_short_is_kept_with_the_next_one(
    workspace: Path, tmp_path: Path
) -> None:
    dataset = datasets.import_source(
        draw_photos(tmp_path / "photos", per_class=8), in_place=True, check=False
    )
    files = [dataset.photo_path(path) for path in dataset.photos["path"]]
    files[3].write_bytes(b"damaged")
    engines = Engines(replace(starter(dataset), strength="mirror"))
    outputs = [engines.output(POOLED, 0), replace(engines.output(POOLED, 1), until=7)]
    kept: list[list[int]] = []

    def keep(facts: ShardFacts) -> None:
        assert sum(FeatureCache(outputs[0].key).holds(hashes_of(facts))) == len(facts.stats)
        kept.append(sorted([*facts.stats, *facts.left_out]))

    result = extract(files[:18], outputs, keep=keep, shard=5)
    assert kept == [[*range(5)], [*range(5, 12)], [*range(12, 17)], [17]]
    assert result.n_read == 17


def hashes_of(facts: ShardFacts) -> list[str]:
    return [stats.sha256 for stats in facts.stats.values()]


def test_where_all_views_are_known_the_rest_is_taken_as_it_is(
    workspace: Path, tmp_path: Path
) -> None:
    dataset = datasets.import_source(
        draw_photos(tmp_path / "photos", per_class=3), in_place=True, check=False
    )
    paths = list(dataset.photos["path"])
    look = replace(starter(dataset), strength="mirror")
    look.take([(POOLED, 0), (POOLED, 1)], paths[:4], SILENT)
    look.take([(POOLED, 0), (POOLED, 1)], paths[:4], SILENT, as_they_are=paths[4:])
    assert look.has_features
    assert (
        not FeatureCache(look.key(POOLED, 1), root=look.root)
        .holds(dataset.photos.set_index("path").loc[paths[4:], "sha256"])
        .any()
    )


class InThisProcess:
    """A worker without a machine of its own, which is lost with its second shard, if so wanted."""

    def __init__(self, worker: ShardWorker, name: str, *, lost: bool = False) -> None:
        self._worker, self.name, self._lost = worker, name, lost
        self.begun: list[int] = []

    def ready(self) -> Future[None]:
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def begin(self, photos: Sequence[PhotoFile]) -> Future[ShardResult]:
        future: Future[ShardResult] = Future()
        self.begun.append(len(photos))
        if self._lost and len(self.begun) == 2:
            future.set_exception(ConnectionError("the machine is gone"))
        else:
            future.set_result(self._worker.run(photos))
        return future


def test_workers_give_the_same_features_bit_for_bit_and_a_lost_one_is_made_up_for(
    workspace: Path, colour_photos: Path
) -> None:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    look = starter(dataset)
    paths = list(dataset.photos["path"])
    look.take([(POOLED, 0)], paths, SILENT)
    here = look.table(POOLED, 0, dataset.photos["sha256"]).take(np.arange(len(paths)))
    setup = node_pass._setup_of([Engines(look).output(POOLED, 0)])
    assert setup is not None
    workers = [
        InThisProcess(ShardWorker(setup), "steady"),
        InThisProcess(ShardWorker(setup), "lost", lost=True),
    ]
    files = [dataset.photo_file(path) for path in paths]
    shards = [range(start, min(start + 11, len(files))) for start in range(0, len(files), 11)]
    there = np.empty_like(here)
    done = []
    for shard, result in map_shards(files, shards, workers, stop=lambda: False):
        done.append(shard)
        for position, entry in result.facts.stats.items():
            row = result.hashes.index(entry.sha256)
            there[shard[position]] = result.features[0][row]
    assert sorted(done, key=lambda shard: shard.start) == shards
    assert len(workers[1].begun) == 2
    assert np.array_equal(here, there)


def test_a_worker_that_sees_no_photo_or_has_another_version_is_given_no_more(
    workspace: Path, tmp_path: Path
) -> None:
    class Blind(InThisProcess):
        def begin(self, photos: Sequence[PhotoFile]) -> Future[ShardResult]:
            return super().begin([tmp_path / "elsewhere.jpg"] * len(photos))

    key = FeatureKey(backbone="", weights="", cut=PIXELS, size=32)
    setup = node_pass.NodeSetup(
        outputs=(node_pass.NodeOutput(key=key, store=np.dtype(np.uint8)),),
        networks={},
        limits=Limits(),
        language="en",
        reading=Reading(),
        threads=1,
        version=__version__,
    )
    blind = Blind(ShardWorker(setup), "blind")
    shards = [range(0, 4), range(4, 8)]
    files: list[PhotoFile] = [tmp_path / f"{n}.jpg" for n in range(8)]
    assert list(map_shards(files, shards, [blind], stop=lambda: False)) == []
    assert blind.begun == [4]
    with pytest.raises(ClusterError, match=r"0\.0\.1 is asked for"):
        ShardWorker(replace(setup, version="0.0.1"))
