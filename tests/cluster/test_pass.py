"""A pass over photos on the nodes of a cluster, also while one of them is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cluster.conftest import Nodes

from tests.support.photos import draw_photos
from translearn_core import backbones, datasets
from translearn_core.arrays import Array
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.monitor import SILENT, Monitor

SHARD = 16


class Loses(Monitor):
    """Ends a node when the first shard is done."""

    def __init__(self, nodes: Nodes, name: str) -> None:
        self._nodes, self._name = nodes, name

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        if self._name in self._nodes.names:
            self._nodes.lose(self._name)


def features_of(dataset: datasets.Dataset, monitor: Monitor, shard: int) -> Array:
    look = FeatureExtractor(
        dataset=dataset, backbone=backbones.get_backbone("starter"), size=32, shard=shard
    )
    look.take([(POOLED, 0)], list(dataset.photos["path"]), monitor)
    table = look.table(POOLED, 0, dataset.photos["sha256"])
    return table.take(np.arange(len(table)))


@pytest.mark.slow
def test_nodes_give_the_same_features_and_a_lost_one_is_made_up_for(
    shared: Path, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = draw_photos(tmp_path / "photos", per_class=32)
    (source / "blue" / "000.jpg").write_bytes(b"no photo")
    dataset = datasets.import_source(source, in_place=True, check=False)
    lost = nodes.names[0]
    there = features_of(dataset, Loses(nodes, lost), SHARD)
    nodes.add(lost)
    assert list(dataset.left_out["file"]) == ["blue/000.jpg"]
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "alone"))
    monkeypatch.delenv("TRANSLEARN_CLUSTER")
    alone = datasets.import_source(source, in_place=True, check=False)
    here = features_of(alone, SILENT, SHARD)
    assert there.shape == (95, 640)
    assert np.array_equal(there, here)
