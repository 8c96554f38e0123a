"""The contract of the client: a connected library answers what the opened one does, and fails as it fails."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import audioae
from audioae.client import RemoteLibrary
from audioae.errors import AudioaeError, NoMatchError, SearchError, ServiceError, UnknownTrackError
from audioae.library.filters import Filters
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.recommend.answer import Play
from audioae.similarity.answer import Answer
from audioae.similarity.query import Options, SimilarQuery
from audioae.similarity.seeds import AliasSeed, EmbeddingSeed, TrackSeed
from tests.serve.conftest import ADMIN_KEY, READ_KEY
from tests.serve.serving import Server

VECTOR = np.random.default_rng(3).standard_normal(128).astype(np.float32)
NARROW = Filters(
    label=["style 1"], year=(1985, None), deny=["t07", "gone"], added_after=datetime(2026, 1, 4, tzinfo=UTC)
)
SIMILAR = {
    "a track_id": (["t03"], {}),
    "a title": (["Title 3"], {"k": 4}),
    "a title with a weight": (["Title 3:2", "t10"], {"k": 4}),
    "typed seeds": ([TrackSeed("t03", 2), TrackSeed("t10")], {"k": 7, "minus": [TrackSeed("t20")]}),
    "an embedding": (VECTOR, {"k": 5}),
    "a weighted embedding": ([EmbeddingSeed(VECTOR, 0.5), "t03"], {"k": 5}),
    "filters": (["t03"], {"k": 5, "options": Options(NARROW)}),
    "IDs": (["t03"], {"k": 5, "options": Options(Filters(allow=["t05", "t06", "t10", "t51"]))}),
    "short": (["t03"], {"k": 500, "options": Options(max_per_artist=1)}),
    "everything": (["t03"], {"k": 9, "options": Options(Filters(), 0.4, 1, True, False)}),
    "with duplicates": (["t10"], {"k": 9, "options": Options(keep_duplicates=True)}),
}
OTHERS: dict[str, Callable[[Any], Any]] = {
    "a track": lambda library: library.track("t03"),
    "a duplicate": lambda library: library.track("t50"),
    "a rejected track": lambda library: library.track("t57"),
    "a pending track": lambda library: library.track("t59"),
    "search": lambda library: library.search_tracks("title 1", 5, 2),
    "search for nothing": lambda library: library.search_tracks("xyzzy"),
    "recommendations": lambda library: library.recommend([Play("t03", 3), Play("t10"), Play("gone")], 6),
    "recommendations of a time": lambda library: library.recommend(
        [Play(TrackSeed("t03"), 1, datetime(2026, 1, 1, tzinfo=UTC)), Play("t10", 2, datetime(2026, 6, 1, tzinfo=UTC))],
        4,
        filters=Filters(label=["style 0"]),
        half_life_days=30,
    ),
}
FAULTS: dict[str, Callable[[Any], Any]] = {
    "an unknown track": lambda library: library.similar(TrackSeed("nonsense")),
    "a rejected track": lambda library: library.similar("t57"),
    "no match": lambda library: library.similar("t03", options=Options(Filters(year=(1800, 1801)))),
    "an unknown label": lambda library: library.similar("t03", options=Options(Filters(label=["style 9"]))),
    "liked and disliked": lambda library: library.similar("t03", minus=TrackSeed("t03")),
    "no seed": lambda library: library.similar([]),
    "an unknown state": lambda library: library.track("nonsense"),
    "an unknown alias": lambda library: library.similar(AliasSeed("navidrome", "42")),
    "no findings": lambda library: library.findings(),
    "no known play": lambda library: library.recommend([Play("gone")]),
    "an impossible playlist": lambda library: library.playlist(["t03", "t57"]),
}


@pytest.fixture(scope="module")
def connected(served: Server) -> Iterator[RemoteLibrary]:
    with audioae.connect(served.url) as client:
        yield client


@pytest.mark.parametrize("case", SIMILAR)
def test_similar_tracks_are_the_same(served: Server, connected: RemoteLibrary, case: str):
    seeds, more = SIMILAR[case]
    opened, remote = served.library.similar(seeds, **more), connected.similar(seeds, **more)
    assert [n.track_id for n in remote.neighbors] == [n.track_id for n in opened.neighbors]
    assert [dict(n) | {"score": 0} for n in remote.neighbors] == [dict(n) | {"score": 0} for n in opened.neighbors]
    assert [n.score for n in remote.neighbors] == pytest.approx([n.score for n in opened.neighbors], abs=1e-6)
    assert (remote.n_matching, remote.short) == (opened.n_matching, opened.short)
    assert len(remote) > 0


def test_a_batch_is_the_same_with_errors_in_their_places(served: Server, connected: RemoteLibrary):
    queries = [SimilarQuery(seeds, **more) for seeds, more in SIMILAR.values()]
    queries[2:2] = [
        SimilarQuery(TrackSeed("nonsense")),
        SimilarQuery("t03", 5, (), Options(Filters(year=(1800, 1801)))),
    ]
    pairs = zip(served.library.similar_batch(queries), connected.similar_batch(queries), strict=True)
    for query, (opened, remote) in zip(queries, pairs, strict=True):
        if isinstance(opened, AudioaeError):
            assert (type(remote), str(remote)) == (type(opened), str(opened)), query
        else:
            assert not isinstance(remote, AudioaeError), query
            assert [n.track_id for n in remote.neighbors] == [n.track_id for n in opened.neighbors], query
            assert (remote.n_matching, remote.short) == (opened.n_matching, opened.short)


def test_a_batch_may_be_larger_than_a_request(connected: RemoteLibrary):
    answers = connected.similar_batch([SimilarQuery(TrackSeed(f"t{i % 50:02d}"), 1) for i in range(300)])
    assert len(answers) == 300
    ids = [[neighbor.track_id for neighbor in answer.neighbors] for answer in answers if isinstance(answer, Answer)]
    assert ids[:50] == ids[250:300]
    assert len(ids) == 300


@pytest.mark.parametrize("case", OTHERS)
def test_other_answers_are_the_same(served: Server, connected: RemoteLibrary, case: str):
    ask = OTHERS[case]
    opened, remote = ask(served.library), ask(connected)
    assert type(remote) is type(opened)
    assert simple(remote) == simple(opened)


def test_playlists_are_the_same(served: Server, connected: RemoteLibrary):
    options = PlaylistOptions(n=6, artist_window=2, energy=Curve(max_step=30), seed=3)
    opened = served.library.playlist(["t03", "Title 20"], options, Filters(deny=["t05"])).document
    remote = connected.playlist(["t03", "Title 20"], options, Filters(deny=["t05"])).document
    entries = [{name: value for name, value in entry.items() if name != "address"} for entry in opened["entries"]]
    assert simple(remote) == simple({**opened, "entries": entries})
    assert [entry["track_id"] for entry in remote["entries"]][:: len(entries) - 1] == ["t03", "t20"]


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_the_same_errors(served: Server, connected: RemoteLibrary, case: str):
    ask = FAULTS[case]
    with pytest.raises(AudioaeError) as opened:
        ask(served.library)
    with pytest.raises(type(opened.value)) as remote:
        ask(connected)
    what, where = str(remote.value).partition("; ")[0], f"{served.store.root}: "
    assert what == str(opened.value).partition("; ")[0].removeprefix(where)


def test_find_resolves_titles_as_the_library_does(served: Server, connected: RemoteLibrary):
    assert connected.find("Title 7").track_id == served.library.find("Title 7").track_id == "t07"
    assert connected.find("t07").title == "Title 7"
    with pytest.raises(SearchError, match=r"'Title' matches 60 tracks; name one by its track_id:\n  t00  Title 0"):
        connected.find("Title")
    with pytest.raises(SearchError, match=r"no track 'xyzzy' at http://127\.0\.0\.1"):
        connected.find("xyzzy")


def test_a_service_that_is_away_refuses_or_is_none_is_said(served: Server, locked: Server):
    with (
        audioae.connect("http://127.0.0.1:9", timeout_s=2) as away,
        pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9: .*check that `audioae serve` runs there"),
    ):
        away.similar("t03")
    with audioae.connect(locked.url) as stranger, pytest.raises(ServiceError, match="this server needs a key"):
        stranger.track("t03")
    with audioae.connect(locked.url, api_key="wrong") as stranger, pytest.raises(ServiceError, match="not valid"):
        stranger.track("t03")
    for key in (READ_KEY, ADMIN_KEY):
        with audioae.connect(locked.url, api_key=key) as client:
            assert client.track("t03").track.title == "Title 3"
            assert len(client) == len(locked.library)
    with audioae.connect(f"{served.url}/elsewhere") as lost, pytest.raises(ServiceError, match="Not Found"):
        lost.track("t03")
    with pytest.raises(ServiceError, match="wanted an address such as"):
        audioae.connect("http://[::1")


def test_only_a_text_that_is_no_track_id_is_looked_up(served: Server):
    asked = []
    with audioae.connect(served.url) as client:
        client._service._http.event_hooks = {"request": [lambda request: asked.append(request.url.path)]}
        client.similar("t03")
        assert asked == ["/v1/similar"]
        with pytest.raises(UnknownTrackError):
            client.similar(TrackSeed("Title 3"))
        assert asked == ["/v1/similar"] * 2
        client.similar("Title 3")
        assert asked[2:] == ["/v1/similar", "/v1/tracks/Title 3", "/v1/tracks", "/v1/tracks/t03", "/v1/similar"]
    with pytest.raises(NoMatchError):
        served.library.similar("t03", options=Options(Filters(allow=[])))


def simple(value: Any) -> Any:
    """Records and dataclasses as plain values, numbers rounded, so that both sides compare."""
    if isinstance(value, dict) or hasattr(value, "keys"):
        return {name: simple(value[name]) for name in value if name not in HIDDEN}
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: simple(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [simple(one) for one in value]
    return round(value, 5) if isinstance(value, float) else value


HIDDEN = {
    "split",
    "content_hash",
    "size_bytes",
    "modified_ns",
    "shard",
    "audio_hash",
    "path_bytes",
    "isrc",
    "musicbrainz_id",
}
"""Columns of a track that the service does not show."""
