"""Metrics: names, values after known requests, and a number of series that clients cannot raise."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

NAMES = {
    "audioae_http_requests_total",
    "audioae_http_request_duration_seconds_count",
    "audioae_search_duration_seconds_count",
    "audioae_decode_duration_seconds_count",
    "audioae_embed_queue_length",
    "audioae_index_info",
    "audioae_index_vectors",
    "audioae_index_age_seconds",
    "audioae_index_reloads_total",
}


def scrape(client) -> dict[tuple[str, tuple], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(series, name, **labels):
    return series.get((name, tuple(sorted(labels.items()))), 0.0)


def test_requests_are_counted_by_template_and_status_and_the_index_is_described(served):
    with served.client() as client:
        before = scrape(client)
        for _ in range(3):
            assert client.post("/v1/similar", json={"seeds": [{"track_id": "t07"}]}).status_code == 200
        assert client.post("/v1/similar", json={"seeds": [{"track_id": "nobody"}]}).status_code == 404
        for i in range(20):
            assert client.get(f"/no/such/path/{i}").status_code == 404
        after = scrape(client)
    assert {name for name, _ in after} >= NAMES

    def grown(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("audioae_http_requests_total", route="/v1/similar", code="200") == 3
    assert grown("audioae_http_requests_total", route="/v1/similar", code="404") == 1
    assert grown("audioae_http_requests_total", route="unknown", code="404") == 20
    assert grown("audioae_http_request_duration_seconds_count", route="/v1/similar") == 4
    assert grown("audioae_search_duration_seconds_count", kind="similar") == 4
    assert 0 < grown("audioae_search_duration_seconds_sum", kind="similar") < 4
    assert not [labels for name, labels in after if "/no/such/path" in str(labels)]
    index = served.library.index
    assert value(after, "audioae_index_vectors") == len(index)
    info = {"version": str(served.library.index_ref), "model": index.model, "factory": index.factory}
    assert value(after, "audioae_index_info", **info) == 1
    published = served.store.manifest(served.library.index_ref).published_at
    assert published is not None
    assert 0 < value(after, "audioae_index_age_seconds") < 3600
    assert value(after, "audioae_index_reloads_total", result="failed") == 0
    assert value(after, "audioae_embed_queue_length") == 0


def test_metrics_need_a_key_where_the_index_does(locked):
    from tests.serve.conftest import READ_KEY

    with locked.client() as client:
        assert client.get("/metrics").status_code == 401
    with locked.client(READ_KEY) as client:
        series = scrape(client)
        assert value(series, "audioae_http_requests_total", route="unknown", code="401") >= 1


@pytest.mark.parametrize("pool", ["search", "jobs", "decode"])
def test_times_go_to_the_metric_of_their_pool(served, pool):
    metrics = served.service.metrics
    with served.client() as client:
        before = scrape(client)
        metrics.observe(pool, f"kind of {pool}", 0.5)
        after = scrape(client)
    search = ("audioae_search_duration_seconds_sum", (("kind", f"kind of {pool}"),))
    decode = ("audioae_decode_duration_seconds_sum", ())
    assert after.get(search, 0.0) == (0.0 if pool == "decode" else 0.5)
    assert after[decode] - before[decode] == (0.5 if pool == "decode" else 0.0)
