"""The app as a process of its own, for benchmarks: for one person, or as a class over https.

Owns: starting and ending it, and what it takes of the processor and the memory.
Leaves to others: who visits it (`visitor.py`).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.process import ROOT, python
from benchmarks.visitor import Visitor

PASSWORD = "correct horse"
PIN = "4711"
START_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """An app that answers.

    Attributes:
        code: of the class; empty without one.
    """

    port: int
    home: Path
    log: Path
    process: psutil.Process
    code: str = ""

    def visitor(self, name: str = "") -> Visitor:
        """A browser tab that nobody has signed in with."""
        host = "localhost" if self.code else "127.0.0.1"
        return Visitor(host, self.port, name, secure=bool(self.code))

    async def join(self, name: str) -> Visitor:
        """A tab of a pupil who joins, or comes back."""
        visitor = self.visitor(name)
        form = {"code": self.code, "name": name, "pin": PIN}
        try:
            await visitor.sign_in("join", **form, who="new")
        except RuntimeError:
            await visitor.sign_in("join", **form, who="back")
        return visitor

    async def teacher(self) -> Visitor:
        """A tab of the teacher."""
        visitor = self.visitor("the teacher")
        await visitor.sign_in("teacher", password=PASSWORD)
        return visitor

    def cpu_s(self) -> float:
        """Processor seconds of the server itself, without the processes that it started."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory_bytes(self) -> int:
        """Resident memory of the server itself."""
        return int(self.process.memory_info().rss)


@contextmanager
def serving(
    home: Path, *, as_class: bool, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Start the app on a free port of this machine, and end it after the block.

    Raises:
        RuntimeError: it does not start; with what it wrote.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    if as_class:
        command = python("-m", "translearn_ui.classroom.begin", "--host", "localhost")
        command += ["--address", "127.0.0.1", "--port", str(port)]
    else:
        command = python("-m", "streamlit", "run", "app.py", "--server.headless=true")
        command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    variables = os.environ | {"TRANSLEARN_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    variables |= {"TRANSLEARN_TEACHER_PASSWORD": PASSWORD, **(environment or {})}
    log = Path(tempfile.mkdtemp(prefix="translearn-served-")) / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Linux shares processors among sessions: it is not ours
        )
    try:
        code = _wait(process, port, log, as_class=as_class)
        yield Served(port=port, home=home, log=log, process=psutil.Process(process.pid), code=code)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path, *, as_class: bool) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        told = re.search(r"type in (\w+)", log.read_text("utf-8", "replace"))
        with socket.socket() as probe:
            answers = probe.connect_ex(("127.0.0.1", port)) == 0
        if answers and (told or not as_class):
            return told[1] if told and as_class else ""
        time.sleep(0.05)
    raise RuntimeError(f"The app did not start:\n{log.read_text('utf-8', 'replace')}")
