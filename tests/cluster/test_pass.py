"""A pass over photos on the nodes of a cluster, also while one of them is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.nodes import Nodes
from tests.support.photos import draw_photos
from translearn_core import backbones, datasets
from translearn_core.arrays import Array
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.monitor import SILENT, Monitor

SHARD = 16


class Loses(Monitor):
    """Ends the node gamma when the first shard is done."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.done: list[int] = []

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        if not self.done:
            self._nodes.lose("gamma")
        self.done.append(done)


def features_of(dataset: datasets.Dataset, monitor: Monitor, shard: int) -> Array:
    look = FeatureExtractor(
        dataset=dataset, backbone=backbones.get_backbone("starter"), size=32, shard=shard
    )
    look.take([(POOLED, 0)], list(dataset.photos["path"]), monitor)
    table = look.table(POOLED, 0, dataset.photos["sha256"])
    return table.take(np.arange(len(table)))


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
@pytest.mark.timeout(180)
def test_nodes_give_the_same_features_and_a_lost_one_is_made_up_for(
    shared: Path, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = draw_photos(tmp_path / "photos", per_class=32)
    (source / "blue" / "000.jpg").write_bytes(b"no photo")
    dataset = datasets.import_source(source, in_place=True, check=False)
    nodes.ensure("gamma")
    monitor = Loses(nodes)
    there = features_of(dataset, monitor, SHARD)
    assert monitor.done[0] < 96
    assert list(dataset.left_out["file"]) == ["blue/000.jpg"]
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "alone"))
    monkeypatch.delenv("TRANSLEARN_CLUSTER")
    alone = datasets.import_source(source, in_place=True, check=False)
    here = features_of(alone, SILENT, SHARD)
    assert there.shape == (95, 640)
    assert np.array_equal(there, here)
