"""The prediction service: the same answers as `predict`, speed under load, memory with broken requests.

    python -m benchmarks.service RUN_DIR PHOTOS [--seconds 10] [--requests 10000] [--only load …]

Starts `python -m translearn_core serve` on a run and asks it about the photos of a folder:

- `answers`: 200 awkward photos (test photos in 14 odd forms, and as they are) beside `predict`;
- `start`: from the command to the first answer, and the memory of the process then;
- `load`: 1, 8 and 32 clients that ask one photo after the other for some seconds each, by turns with
  a plain server (`plain_server.py`): requests and their times, processor time, and memory after it;
- `broken`: many requests by 8 clients, every hundredth broken: no 5xx, and the memory on the way.

The clients are threads of this process: on a machine with few processors they take their share.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.process import ROOT
from translearn_core.export.verify import gather_photos
from translearn_core.prediction.photo_files import find_photos
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run

PARTS = ("start", "answers", "load", "broken")
CLIENTS = (1, 8, 32)
AWKWARD = 200
STARTS = 5
PHOTO_BYTES = 500_000
"""Larger photos are left out of load and broken requests, so that the figures are of usual ones."""
BROKEN: tuple[tuple[bytes, str], ...] = (
    (b"", "image/jpeg"),
    (b"no photo", "image/jpeg"),
    (b'{"photos": [', "application/json"),
    (b'{"photos": ["%%%"]}', "application/json"),
    (b"[" * 10_000, "application/json"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"text", "text/plain"),
    (bytes(65 * 2**20), "image/jpeg"),
)


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, body: bytes, kind: str) -> tuple[int, bytes]:
        """Status and body of an answer."""
        headers = {"content-type": kind}
        self._connection.request("POST", "/v1/models/run:predict", body=body, headers=headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


SERVICE = ("translearn_core", "serve", "run={run}", "--port", "0")
PLAIN = ("benchmarks.plain_server", "{run}")


@contextmanager
def service(
    run: Path, program: Sequence[str] = SERVICE
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, and its port."""
    command = [sys.executable, "-m", *(part.format(run=run) for part in program)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = next(line for line in process.stdout if line.startswith("Ready"))
        yield process, int(ready.rsplit(":", 1)[1].partition("/")[0])
    finally:
        process.terminate()
        process.wait()


def measure_start(run: Path, photo: bytes) -> dict[str, Any]:
    """Seconds to the first answer, median of some starts, and MB of memory after it."""
    seconds, memory = [], []
    for _attempt in range(STARTS):
        began = time.monotonic()
        with service(run) as (process, port):
            client = Client(port)
            status, _body = client.ask(photo, "image/jpeg")
            seconds.append(time.monotonic() - began)
            memory.append(psutil.Process(process.pid).memory_info().rss / 1e6)
            client.close()
        assert status == 200
    return {
        "start_s": statistics.median(seconds),
        "fastest_s": min(seconds),
        "memory_mb": statistics.median(memory),
    }


def compare_answers(run: Run, port: int) -> dict[str, Any]:
    """Largest difference of a probability from `predict`, and other differences."""
    with tempfile.TemporaryDirectory() as folder:
        photos = [path for path, _kind in gather_photos(run, Path(folder), most=AWKWARD)]
        client, largest, others = Client(port), 0.0, 0
        for path, wanted in zip(photos, predict(run, photos), strict=True):
            _status, body = client.ask(path.read_bytes(), "image/jpeg")
            given = json.loads(body)["predictions"][0]
            same = ("label", "error", "sure", "unlike", "other_shape", "tasks_sure")
            others += any(given[key] != getattr(wanted, key) for key in same)
            for name, probability in (wanted.probabilities or {}).items():
                largest = max(largest, abs(given["probabilities"][name] - probability))
        client.close()
    return {"photos": len(photos), "largest_difference": largest, "other_answers": others}


def measure_load(
    process: psutil.Process, port: int, photos: Sequence[bytes], clients: int, seconds: float
) -> dict[str, Any]:
    """Requests a second, their times and the processor time of one in ms, and MB of memory."""
    before = sum(process.cpu_times()[:2])
    ends = time.monotonic() + seconds

    def ask(number: int) -> list[float]:
        client, times = Client(port), []
        while (began := time.monotonic()) < ends:
            status, _body = client.ask(photos[(number + len(times)) % len(photos)], "image/jpeg")
            assert status == 200
            times.append(time.monotonic() - began)
        client.close()
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = [1000 * one for found in pool.map(ask, range(clients)) for one in found]
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "clients": clients,
        "per_s": round(len(times) / seconds, 1),
        "p50_ms": round(p50),
        "p95_ms": round(p95),
        "cpu_ms": round(1000 * (sum(process.cpu_times()[:2]) - before) / len(times), 1),
        "memory_mb": round(process.memory_info().rss / 1e6),
    }


def compare_load(run: Path, photos: Sequence[bytes], seconds: float) -> list[dict[str, Any]]:
    """Both servers under load by turns, and how many times the requests a second and how much of the
    processor time of the plain one the service has."""
    rows = []
    with service(run) as ours, service(run, PLAIN) as plain:
        servers = [(psutil.Process(process.pid), port) for process, port in (ours, plain)]
        for process, port in servers:
            measure_load(
                process, port, photos, 2, min(seconds, 2.0)
            )  # the first answers take longer
        for clients in CLIENTS:
            mine, other = (measure_load(*server, photos, clients, seconds) for server in servers)
            ratios = {
                "times_per_s": round(mine["per_s"] / other["per_s"], 2),
                "share_of_cpu": round(mine["cpu_ms"] / other["cpu_ms"], 2),
            }
            rows.append({"service": mine, "plain": other, **ratios})
    return rows


def send_broken(
    process: psutil.Process, port: int, photos: Sequence[bytes], n: int
) -> dict[str, Any]:
    """Statuses of many requests, every hundredth broken, and MB of memory after each tenth."""
    memory, statuses = [], Counter[int]()

    def ask(place: int) -> list[int]:
        client, found = Client(port), []
        for number in range(place, place + n // 80):
            is_broken = number % 100 == 99
            body, kind = photos[number % len(photos)], "image/jpeg"
            if is_broken:
                body, kind = BROKEN[number // 100 % len(BROKEN)]
            found.append(client.ask(body, kind)[0])
            if is_broken:  # the service may close after it
                client.close()
        client.close()
        return found

    for tenth in range(10):
        with ThreadPoolExecutor(8) as pool:
            begins = [tenth * n // 10 + place * (n // 80) for place in range(8)]
            for found in pool.map(ask, begins):
                statuses.update(found)
        memory.append(round(process.memory_info().rss / 1e6))
    return {"statuses": dict(statuses), "memory_mb": memory}


def main() -> None:
    """Measure and print a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    files = [path for path in find_photos([options.photos]) if path.stat().st_size < PHOTO_BYTES]
    photos = [path.read_bytes() for path in files[:200]]
    run = options.run.resolve()
    result: dict[str, Any] = {
        "mean_kb": statistics.mean(map(len, photos)) / 1000,
        "side": Run(run).read_labels().image_size,
    }
    if "start" in options.only:
        result["start"] = measure_start(run, photos[0])
    if "answers" in options.only:
        with service(run) as (_process, port):
            result["answers"] = compare_answers(Run(run), port)
    if "load" in options.only:
        result["load"] = compare_load(run, photos, options.seconds)
    if "broken" in options.only:
        with service(run) as (process, port):
            watched = psutil.Process(process.pid)
            result["broken"] = send_broken(watched, port, photos, options.requests)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
