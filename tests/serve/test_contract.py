"""The service does what its OpenAPI document says, and answers as the library does, for made-up requests.

Conventions
-----------
- Requests are derandomized: each run makes the same ones, and nothing is written to disk.
- Made-up uploads are mostly no audio; the rest of that road is in `v1/test_files.py`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig

from audioae.errors import NoMatchError, SearchError
from audioae.library.filters import Filters
from audioae.similarity.search import Options
from tests.serve.serving import Server

REPEATABLE: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}
CHECKS = (
    checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)
EXAMPLES = {GenerationMode.POSITIVE: 15, GenerationMode.NEGATIVE: 5}


def own_endpoints(server: Server) -> list[tuple[str, str]]:
    """Method and path of every operation below /v1 and of the health checks."""
    with server.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_every_operation_keeps_its_contract(embedding: Server, mode: GenerationMode):
    """Requests that the document allows, or does not: no server error, and answers of the form that it states."""
    config = SchemathesisConfig.from_dict({"generation": {"database": "none", "deterministic": True}})
    schema = schemathesis.openapi.from_url(f"{embedding.url}/openapi.json", config=config)
    n_requests = 0
    failures: dict[str, str] = {}
    for result in schema.get_all_operations():
        operation = result.ok()  # pyright: ignore[reportAttributeAccessIssue] - else the document is invalid
        try:
            n_requests += ask(operation, embedding.url, mode)
        except Unsatisfiable:  # every request to it is one that the document allows
            assert mode is GenerationMode.NEGATIVE
        except Exception as error:  # noqa: BLE001 - all operations are asked, then all failures are shown
            failures[operation.label] = f"{error}"[:2_000]
    assert failures == {}, "\n".join(f"{label}: {failure}" for label, failure in failures.items())
    assert n_requests > 50


def ask(operation: Any, url: str, mode: GenerationMode) -> int:
    """Make up requests and check their answers; the number of requests."""
    wanted, requests = CHECKS if operation.path.startswith("/v1") else CHECKS[:1], []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES[mode], **REPEATABLE)
    def check(case):
        requests.append(case)
        response = case.call(base_url=url, timeout=60)
        case.validate_response(response, checks=wanted)

    check()
    return len(requests)


IDS = st.lists(st.sampled_from([f"t{i:02d}" for i in range(65)]), min_size=5, unique=True)
DAYS = st.integers(-5, 60).map(lambda day: (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)).isoformat())
YEARS = {"gte": st.integers(1975, 2020), "lte": st.integers(1990, 2025)}
DURATIONS = {"gte": st.floats(170, 200), "lte": st.floats(210, 250)}
FILTERED = st.fixed_dictionaries(
    {},
    optional={
        "label": st.lists(st.sampled_from(["style 0", "STYLE 1", "style 1"]), min_size=1, max_size=2),
        "artist": st.sampled_from(["artist 7", "Artist 3", ["artist 10", "artist 5"]]),
        "album": st.lists(st.sampled_from([f"album {i}" for i in range(1, 7)]), min_size=1, max_size=3),
        "year": st.fixed_dictionaries({}, optional=YEARS),
        "duration_s": st.fixed_dictionaries({}, optional=DURATIONS),
        "added_after": DAYS,
        "allow_ids": IDS,
        "deny_ids": IDS,
    },
)


def passing(frame: pd.DataFrame, filters: dict[str, Any]) -> set[str]:
    """The track_ids that pass, by plain pandas."""
    mask = pd.Series(True, index=frame.index)
    for name in ("label", "artist", "album"):
        if name in filters:
            wanted = [filters[name]] if isinstance(filters[name], str) else filters[name]
            mask &= frame[name].str.lower().isin([value.lower() for value in wanted])
    for name in ("year", "duration_s"):
        if "gte" in filters.get(name, {}):
            mask &= frame[name] >= filters[name]["gte"]
        if "lte" in filters.get(name, {}):
            mask &= frame[name] <= filters[name]["lte"]
    if "added_after" in filters:
        mask &= frame["added_at"] >= datetime.fromisoformat(filters["added_after"])
    if "allow_ids" in filters:
        mask &= frame["track_id"].isin(filters["allow_ids"])
    if "deny_ids" in filters:
        mask &= ~frame["track_id"].isin(filters["deny_ids"])
    return set(frame["track_id"][mask.fillna(False)])


def test_filters_are_those_of_pandas(served: Server):
    frame = served.library.store.read(served.library.tracks_ref).to_pandas()
    embedded = set(served.library.index.ids.to_pylist())
    same_bytes = dict(zip(frame["track_id"], frame["duplicate_of"].fillna(frame["track_id"]), strict=True))
    seen: list[int] = []

    with served.client() as client:

        @given(filters=FILTERED)
        @settings(max_examples=150, **REPEATABLE)
        def ask(filters):
            body = {"seeds": [{"track_id": "t20"}], "k": 100, "filters": filters, "keep_duplicates": True}
            answer = client.post("/v1/similar", json=body)
            found = {neighbor["track_id"] for neighbor in answer.json().get("neighbors", [])}
            possible = {track for track in passing(frame, filters) if same_bytes[track] in embedded}
            assert found == possible - {"t20"}, answer.text[:500]
            seen.append(len(found))

        ask()
    assert 0 in seen
    assert len(set(seen)) > 15


QUERIES = st.fixed_dictionaries(
    {
        "seeds": st.lists(st.integers(0, 56).map(lambda i: f"t{i:02d}"), min_size=1, max_size=4, unique=True),
        "minus": st.lists(st.integers(0, 56).map(lambda i: f"t{i:02d}"), max_size=2, unique=True),
        "k": st.integers(1, 70),
    },
    optional={
        "diversity": st.floats(0, 1),
        "max_per_artist": st.integers(1, 3),
        "hub_correction": st.booleans(),
        "keep_duplicates": st.booleans(),
        "filters": FILTERED,
    },
)


def test_answers_are_those_of_the_library(served: Server):
    statuses: list[int] = []

    with served.client() as client:

        @given(query=QUERIES)
        @settings(max_examples=150, **REPEATABLE)
        def ask(query):
            body = query | {name: [{"track_id": t} for t in query[name]] for name in ("seeds", "minus")}
            answer = client.post("/v1/similar", json=body)
            statuses.append(answer.status_code)
            status, neighbors = of_library(served, query)
            assert answer.status_code == status, answer.text
            if status == 200:
                found = [(n["rank"], n["track_id"], n["title"], n["uri"]) for n in answer.json()["neighbors"]]
                assert found == [(n["rank"], n["track_id"], n["title"], n["uri"]) for n in neighbors]
                scores = [n["score"] for n in answer.json()["neighbors"]]
                assert scores == pytest.approx([n["score"] for n in neighbors], abs=1e-6)

        ask()
    assert {200, 422} <= set(statuses)


def of_library(served: Server, query: dict[str, Any]) -> tuple[int, Sequence]:
    """The status that the library's answer means, and its neighbors."""
    filters: dict[str, Any] = {
        name: tuple(value.get(end) for end in ("gte", "lte")) if isinstance(value, dict) else value
        for name, value in query.get("filters", {}).items()
    }
    filters = {{"allow_ids": "allow", "deny_ids": "deny"}.get(name, name): value for name, value in filters.items()}
    if "added_after" in filters:
        filters["added_after"] = datetime.fromisoformat(filters["added_after"])
    if isinstance(filters.get("artist"), str):
        filters["artist"] = (filters["artist"],)
    names = ("diversity", "max_per_artist", "hub_correction", "keep_duplicates")
    options = Options(filters=Filters(**filters), **{name: query[name] for name in names if name in query})
    try:
        return 200, served.library.similar(query["seeds"], query["k"], minus=query["minus"], options=options).neighbors
    except NoMatchError:
        return 200, []
    except SearchError:
        return 422, []


def test_every_own_operation_is_in_the_document(embedding: Server):
    documented = {path for _, path in own_endpoints(embedding)}
    assert {"/v1/similar", "/v1/similar:file", "/v1/embed", "/livez", "/readyz"} <= documented
