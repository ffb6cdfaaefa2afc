"""The files translearn_core/data/blocks.json and weights.json, from the live graphs.

Owns: writing them; names of backbones rewrite only those. A test compares the files with the graphs.
Leaves to others: what is written of a backbone (`graph/description.py`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from translearn_core.backbones import BACKBONES, get_backbone
from translearn_core.graph.description import describe_backbone, describe_weights

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


if __name__ == "__main__":
    main(sys.argv[1:])
