"""The project's own virtual environments: made once, brought up to date when the lists change.

Owns: `.venv` beside the project, and `.venv-3.12` or the like for a second Python. Used by the
scripts next to it; needs Python alone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ((3, 11), (3, 13))


def ready(requirements: str = "requirements.txt", *, base: str = "", folder: str = ".venv") -> Path:
    """Make sure that everything in a requirements file is installed.

    Args:
        base: the Python that the environment is made with; default the one that runs this.
        folder: of the environment.

    Returns:
        The environment's Python.
    """
    low, high = SUPPORTED
    if not low <= sys.version_info[:2] <= high:
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"TransLearn needs Python 3.11, 3.12 or 3.13; this is {found}. Install one of them."
        )
    environment = ROOT / folder
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = environment / f"installed-{Path(requirements).stem}"
    wanted = _digest(requirements)
    if not python.exists():
        print(f"Making the virtual environment {environment}", flush=True)
        if subprocess.call([base or sys.executable, "-m", "venv", str(environment)]) != 0:
            sys.exit("The virtual environment could not be made. Is Python's venv installed?")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"Installing {requirements}: this takes some minutes the first time", flush=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--requirement"]
        if subprocess.call([*install, str(ROOT / requirements)]) != 0:
            sys.exit("The installation did not work. Is the network there? Then try again.")
        stamp.write_text(wanted, encoding="utf-8")
    return python


def second_python() -> tuple[str, str] | None:
    """The newest other supported Python that starts and can make environments: version, program."""
    low, high = SUPPORTED
    for minor in range(high[1], low[1] - 1, -1):
        version = f"{high[0]}.{minor}"
        if (high[0], minor) == sys.version_info[:2]:
            continue
        command = [f"python{version}", "-c", "import ensurepip, sys; print(sys.executable)"]
        chosen = os.environ | {"PYENV_VERSION": version}  # otherwise pyenv's stand-in may refuse
        try:
            found = subprocess.run(
                command, capture_output=True, text=True, env=chosen, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return version, found.stdout.strip()
    return None


def _digest(requirements: str) -> str:
    """Changes when the file, or one that it builds on, does."""
    return hashlib.sha256(_content(requirements)).hexdigest()


def _content(requirements: str) -> bytes:
    content = (ROOT / requirements).read_bytes()
    included = (line[3:].strip() for line in content.decode().splitlines() if line[:3] == "-r ")
    return content + b"".join(map(_content, included))


def call(*command: str | Path) -> int:
    """Run a command in the project's folder and return its exit code."""
    try:
        return subprocess.call([str(part) for part in command], cwd=ROOT, env=os.environ)
    except KeyboardInterrupt:
        return 130
