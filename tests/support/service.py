"""The prediction service as a process of its own, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translearn_core.concurrency import import_path

PROGRAM = """
import json, sys
from pathlib import Path
from translearn_core.cli import main
code = main(sys.argv[2:])
Path(sys.argv[1]).write_text(json.dumps(sorted(sys.modules)))
sys.exit(code)
"""
PATIENCE_S = 60


@dataclass(frozen=True)
class Reply:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A running `python -m translearn_core serve … --port 0`."""

    def __init__(self, process: subprocess.Popen[str], port: int, modules: Path) -> None:
        self.process = process
        self.port = port
        self._modules = modules

    def send(
        self,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "",
    ) -> Reply:
        """One request, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            chosen = method or ("GET" if body is None else "POST")
            connection.request(chosen, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def end(self) -> tuple[int, list[str]]:
        """Tell it to end. Returns its exit code and the modules that it had imported."""
        self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        return code, json.loads(self._modules.read_text(encoding="utf-8"))


@contextmanager
def served(folder: Path, *arguments: str | Path) -> Iterator[Service]:
    """The service on these runs; `folder` takes its log."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", PROGRAM, str(folder / "modules.json"), "serve"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, *map(str, arguments), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
            env={"PYTHONPATH": import_path(), "TRANSLEARN_HOME": str(folder / "home")},
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Ready."):
                    port = int(line.rsplit(":", 1)[1].partition("/")[0])
                    yield Service(process, port, folder / "modules.json")
                    return
            raise AssertionError((folder / "log").read_text(encoding="utf-8"))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)


def form_of(files: list[tuple[str, bytes]], boundary: str = "b0undary") -> tuple[bytes, str]:
    """A form with files, and its Content-Type."""
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="photos"; filename="%b"\r\n\r\n%b\r\n'
        % (boundary.encode(), name.encode("utf-8"), data)
        for name, data in files
    ]
    end = f"--{boundary}--\r\n".encode()
    return b"".join([*parts, end]), f"multipart/form-data; boundary={boundary}"
