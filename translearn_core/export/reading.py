"""How an exported program reads photos: by the app's own modules, copied.

Owns: which modules go with a program (`reading_files`), and what stands in for those that belong to
an installation, its limits and its translations.
Leaves to others: decoding itself (`imaging/decode.py`), the function that the program calls
(`preprocess.py`).

A rule about pixels therefore stands once, and an export gives the app's pixels by construction.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from translearn_core.config import load_configuration

PACKAGE = "reading"
"""Name of the package with the copies in an export."""
_ROOT = "translearn_core"
_CORE = Path(__file__).resolve().parents[1]
_START = _CORE / "export" / "preprocess.py"

_I18N = '''"""The sentences of this package are in English."""


def _(text):
    return text


def N_(text):
    return text


def ngettext(one, many, n):
    return one if n == 1 else many


def number(value, form):
    return format(value, form)
'''

_LIMITS = '''"""Bounds on photos, by their names."""

from types import SimpleNamespace

Limits = SimpleNamespace
'''

_CONFIG = '''"""The limits of the installation that made this export."""

from types import SimpleNamespace


def load_configuration():
    return SimpleNamespace(limits=SimpleNamespace(**{limits!r}))
'''


def prepare_py() -> str:
    """prepare.py: finding photos, and a photo as input of the model."""
    return _renamed(_START.read_text(encoding="utf-8"))


def reading_files() -> dict[str, str]:
    """The package that prepare.py imports: path in the folder of an export -> text."""
    texts = {
        "i18n.py": _I18N,
        "installation_limits.py": _LIMITS,
        "config.py": _CONFIG.format(limits=_limits()),
    }
    pending = list(_needed(_START))
    while pending:
        path = pending.pop()
        name = path.relative_to(_CORE).as_posix()
        if name not in texts:
            texts[name] = _renamed(path.read_text(encoding="utf-8"))
            pending += _needed(path)
    folders = {Path(name).parent for name in texts} | {Path()}
    texts |= {(folder / "__init__.py").as_posix(): "" for folder in folders}
    return {f"{PACKAGE}/{name}": text for name, text in sorted(texts.items())}


def _limits() -> dict[str, object]:
    return load_configuration().limits.model_dump()


def _renamed(text: str) -> str:
    return text.replace(f"{_ROOT}.", f"{PACKAGE}.").replace(
        f"from {_ROOT} import", f"from {PACKAGE} import"
    )


def _needed(path: Path) -> Iterator[Path]:
    """The modules of the core that a module imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module.split(".")[0] != _ROOT:
            continue
        place = _CORE.joinpath(*node.module.split(".")[1:])
        if place.is_dir():
            found = [place / f"{alias.name}.py" for alias in node.names]
        else:
            found = [place.with_suffix(".py")]
        yield from found
