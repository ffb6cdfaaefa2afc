"""The files translearn_core/data/blocks.json, weights.json, graphs/ and answers.npz, from the live graphs.

Owns: writing them; names of backbones rewrite only those. A test compares the files with the graphs.
Leaves to others: what is written of a backbone (`graph/description.py`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.backbones import BACKBONES, Backbone, get_backbone
from translearn_core.backbones.weights import are_ready
from translearn_core.graph.build import build_backbone
from translearn_core.graph.description import (
    RECORDED_AT,
    ask_keras,
    ask_keras_drawn,
    describe_backbone,
    describe_weights,
    record_graph,
    record_saved,
)
from translearn_core.graph.known_answers import drawn_name_of, name_of
from translearn_core.graph.recorded import has_record

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = 1


def main(names: list[str]) -> None:
    data = ROOT / "translearn_core" / "data"
    for file, describe in (("blocks.json", describe_backbone), ("weights.json", describe_weights)):
        path = data / file
        known = json.loads(path.read_text(encoding="utf-8"))["backbones"] if path.exists() else {}
        for name in names or list(BACKBONES):
            known[name] = describe(get_backbone(name))
            print(file, name)
        ordered = {name: known[name] for name in BACKBONES if name in known}
        lines = ",\n".join(
            f'  "{name}": {json.dumps(entry, separators=(",", ":"))}'
            for name, entry in ordered.items()
        )
        content = f'{{\n "schema_version": {SCHEMA},\n "backbones": {{\n{lines}\n }}\n}}\n'
        path.write_text(content, encoding="utf-8")
    for name in names or list(BACKBONES):
        _write_graph(data / "graphs" / f"{name}.json", get_backbone(name))
    _write_answers(data / "answers.npz", names or list(BACKBONES))


def _write_answers(path: Path, names: list[str]) -> None:
    """What Keras answers with the weights that come with the installation, and with drawn ones; other
    answers stay.

    Of other weights, a file of this machine may be nobody else's.
    """
    known: dict[str, Array] = {}
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            known = dict(stored)
    for backbone in map(get_backbone, names):
        if not has_record(backbone):
            continue
        comes_along = (backbone.packaged or backbone.distribution) and are_ready(backbone)
        for size in sorted({backbone.input_size, backbone.default_size}):
            known[drawn_name_of(backbone, size)] = ask_keras_drawn(backbone, size)
            if comes_along:
                known[name_of(backbone, size)] = ask_keras(backbone, size)
            print(path.name, backbone.name, size)
    in_order: Any = {name: known[name] for name in sorted(known)}
    np.savez_compressed(path, **in_order)


def _write_graph(path: Path, backbone: Backbone) -> None:
    """The recorded graph of a backbone, where it can be recorded."""
    path.unlink(missing_ok=True)
    if backbone.size_step > 1:
        print(path.name, "cannot be recorded: it is built for one size; Keras builds it")
        return
    sizes = [backbone.input_size + more for more in RECORDED_AT]
    networks = [build_backbone(backbone, size=n, weights="random") for n in sizes]
    record = record_graph(networks)
    print(path.name, "recorded" if record else "cannot be recorded; Keras builds it")
    if record is None:
        return
    path.parent.mkdir(exist_ok=True)
    operations, weights = (
        ",\n".join(f"  {json.dumps(entry, separators=(',', ':'))}" for entry in record[part])
        for part in ("operations", "weights")
    )
    saved = record_saved(networks, record)
    end = f',\n "saved": {json.dumps(saved, separators=(",", ":"))}\n' if saved else "\n"
    if not saved:
        print(path.name, "has no description of its saved model; Keras saves it")
    path.write_text(
        f'{{\n "schema_version": {SCHEMA},\n "operations": [\n{operations}\n ],\n'
        f' "weights": [\n{weights}\n ]{end}}}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
