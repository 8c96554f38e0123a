"""`GET /metrics`: what Prometheus scrapes.

Conventions
-----------
- `route` is the template of a path (`/v1/tracks/{track_id}`), and "unknown" for paths that have none: the number of
  series does not grow with what clients ask.
- Times are in seconds. `audioae_search_duration_seconds` is the time that a library call takes in its thread,
  `audioae_decode_duration_seconds` that of an uploaded file; the time in a queue is in neither.
- With several workers the numbers are sums over all of them, dead ones included, through files in a private folder
  (`prometheus_client`'s multiprocess mode). The index's numbers are those of the worker that answers.
"""

import asyncio
import os
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from audioae.serve.generations import Generations
from audioae.serve.pools import Pool

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # set before prometheus_client is imported, if there are several workers
UNKNOWN = "unknown"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SEARCH_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_DECODE_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters, durations and the state of the index, in Prometheus's text format."""
    return Response(await asyncio.to_thread(request.app.state.service.metrics.render), media_type=CONTENT_TYPE)


class Metrics:
    """The metrics of one process.

    Parameters
    ----------
    generations : Generations
        Whose index is described.
    """

    def __init__(self, generations: Generations):
        self._index = _IndexCollector(generations)
        self._folder = os.environ.get(FOLDER_VARIABLE)
        self._registry = CollectorRegistry()
        registry = None if self._folder else self._registry  # with a folder, a scrape reads the files of all processes
        self._requests = Counter("audioae_http_requests", "Requests answered.", ("route", "code"), registry=registry)
        self._request_s = Histogram(
            "audioae_http_request_duration_seconds",
            "From the head of a request to the end of its answer.",
            ("route",),
            registry=registry,
            buckets=_REQUEST_S,
        )
        self._search_s = Histogram(
            "audioae_search_duration_seconds",
            "Computing an answer, by endpoint.",
            ("kind",),
            registry=registry,
            buckets=_SEARCH_S,
        )
        self._decode_s = Histogram(
            "audioae_decode_duration_seconds",
            "Decoding, embedding and searching for an uploaded file.",
            registry=registry,
            buckets=_DECODE_S,
        )
        self._queue = Gauge(
            "audioae_embed_queue_length",
            "Uploaded files that wait to be decoded.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._reloads = Counter(
            "audioae_index_reloads", "Attempts to serve another index.", ("result",), registry=registry
        )
        for result in ("ok", "failed"):
            self._reloads.labels(result)
        self._seen: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._kinds: dict[str, Histogram] = {}

    def count_request(self, route: str, code: int, seconds: float) -> None:
        series = self._seen.get((route, code))
        if series is None:
            series = self._requests.labels(route, str(code)), self._request_s.labels(route)
            self._seen[route, code] = series
        series[0].inc()
        series[1].observe(seconds)

    def observe(self, pool: str, kind: str, seconds: float) -> None:
        """Note the time of a library call: that of an uploaded file, or that of an endpoint, `kind`."""
        if pool == "decode":
            self._decode_s.observe(seconds)
            return
        series = self._kinds.get(kind)
        if series is None:
            series = self._kinds[kind] = self._search_s.labels(kind)
        series.observe(seconds)

    def count_reload(self, result: str) -> None:
        self._reloads.labels(result).inc()

    def watch_queue(self, pool: Pool) -> None:
        """Show how many requests wait in `pool`."""
        pool.waits = self._queue.set

    def render(self) -> bytes:
        """All metrics as text."""
        registry = CollectorRegistry()
        registry.register(MultiProcessCollector(None, self._folder) if self._folder else _Registered(self._registry))
        registry.register(self._index)
        return generate_latest(registry)


class _Registered(Collector):
    """What a registry collects."""

    def __init__(self, registry: CollectorRegistry):
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()


class _IndexCollector(Collector):
    """What the index is, read when it is asked for: a swap leaves no series behind."""

    def __init__(self, generations: Generations):
        self._generations = generations

    def collect(self) -> Iterator[Metric]:
        served = self._generations.current
        index = served.library.index
        labels = {"version": served.names["index"], "model": served.names["model"], "factory": index.factory}
        info = GaugeMetricFamily("audioae_index_info", "The index that is served.", labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        yield info
        yield GaugeMetricFamily("audioae_index_vectors", "Recordings in the index.", value=len(index))
        yield GaugeMetricFamily(
            "audioae_index_age_seconds", "Since the index was published.", value=round(served.age_s, 3)
        )
