"""The project's own virtual environment: made once, brought up to date when the lists change.

Owns: `.venv` beside the project. Used by the scripts next to it; needs Python alone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
SUPPORTED = ((3, 11), (3, 13))


def ready(requirements: str = "requirements.txt") -> Path:
    """Make sure that everything in a requirements file is installed.

    Returns:
        The environment's Python.
    """
    low, high = SUPPORTED
    if not low <= sys.version_info[:2] <= high:
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"TransLearn needs Python 3.11, 3.12 or 3.13; this is {found}. Install one of them."
        )
    python = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = ENVIRONMENT / f"installed-{Path(requirements).stem}"
    wanted = _digest(requirements)
    if not python.exists():
        print(f"Making the virtual environment {ENVIRONMENT}", flush=True)
        venv.create(ENVIRONMENT, with_pip=True, symlinks=sys.platform != "win32")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"Installing {requirements}: this takes some minutes the first time", flush=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--requirement"]
        if subprocess.call([*install, str(ROOT / requirements)]) != 0:
            sys.exit("The installation did not work. Is the network there? Then try again.")
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _digest(requirements: str) -> str:
    """Changes when the file, or one that it builds on, does."""
    names = ["requirements.txt", requirements]
    content = b"".join((ROOT / name).read_bytes() for name in names)
    return hashlib.sha256(content).hexdigest()


def call(*command: str | Path) -> int:
    """Run a command in the project's folder and return its exit code."""
    try:
        return subprocess.call([str(part) for part in command], cwd=ROOT, env=os.environ)
    except KeyboardInterrupt:
        return 130
