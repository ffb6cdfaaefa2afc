"""Figures of the service for Prometheus.

Owns: the names of the metrics, and their text for `/metrics`. Leaves to others: when they count.

Labels take few values: names of models that are served, patterns of paths, statuses, names of clients
in the key file.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter began: a second line for each that nobody reads
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PHOTOS = (1, 2, 4, 8, 16, 32, 64)


class Figures:
    """The metrics of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "translearn_requests",
            "Answered requests.",
            ("path", "status", "client"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "translearn_request_seconds",
            "From the first byte of a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._photos = Counter(
            "translearn_photos",
            "Photos by how they ended: sure, not_sure, unlike, unreadable.",
            ("model", "outcome"),
            registry=self._registry,
        )
        self._batches = Histogram(
            "translearn_batch_photos",
            "Photos that a model was asked about at once.",
            ("model",),
            buckets=_PHOTOS,
            registry=self._registry,
        )
        self._versions = Gauge(
            "translearn_model",
            "1 for the version that answers.",
            ("model", "version"),
            registry=self._registry,
        )
        self._takeovers = Counter(
            "translearn_takeovers",
            "New versions, by whether they could be taken over: done, refused.",
            ("model", "outcome"),
            registry=self._registry,
        )
        self._current: dict[str, str] = {}

    def request(self, path: str, status: int, client: str, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(path, str(status), client).inc()
        self._seconds.labels(path).observe(seconds)

    def photo(self, model: str, outcome: str) -> None:
        """A photo was answered, or could not be read."""
        self._photos.labels(model, outcome).inc()

    def batch(self, model: str, photos: int) -> None:
        """A model was asked."""
        self._batches.labels(model).observe(photos)

    def version(self, model: str, version: str) -> None:
        """This version answers from now on."""
        if model in self._current:
            self._versions.remove(model, self._current[model])
        self._current[model] = version
        self._versions.labels(model, version).set(1)

    def takeover(self, model: str, *, is_done: bool) -> None:
        """A new version was taken over, or refused."""
        self._takeovers.labels(model, "done" if is_done else "refused").inc()

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
