"""Tempo, energy and edges of tracks: from a file, from audio, and saved in the store."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from audioae.api import Library
from audioae.errors import AudioaeError
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.filters import Filters
from audioae.playlists.builder import Playlists
from audioae.playlists.edges import TrackEdges
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.track_values import TrackValues
from audioae.store.dataset import Store
from tests.playlists.made import NO_ARTIST_RULES


def test_facts_override_estimates(library: Library, ids: list[str], tmp_path: Path):
    path = tmp_path / "facts.csv"
    tempos = np.linspace(90, 140, len(ids))
    pacsv.write_csv(pa.table({"track_id": ids, "bpm": tempos, "energy": tempos / 200}), path)
    options = PlaylistOptions(n=5, tempo=Curve(monotone=True), **NO_ARTIST_RULES)
    document = Playlists(library, facts=str(path)).make([ids[0], ids[-1]], options).document
    tempo = [entry["tempo"] for entry in document["entries"]]
    assert tempo == sorted(tempo)
    assert tempo[0] == 90
    assert document["entries"][0]["energy"] == pytest.approx(0.45)
    assert document["notes"] == []


def test_facts_must_match_tracks(library: Library, ids: list[str], tmp_path: Path):
    facts = tmp_path / "none.csv"
    facts.write_text("track_id,tempo\nx,100\n")
    with pytest.raises(AudioaeError, match="none of its 1 rows matches"):
        Playlists(library, facts=str(facts)).make([ids[0], ids[1]], PlaylistOptions(n=5))


def test_analyzes_tempo_and_edges_only_on_demand(writable: Store, ids: list[str]):
    steps = []
    playlists = Playlists(Library(writable), progress=lambda what, done, total: steps.append((what, done, total)))
    playlists.make([ids[0], ids[1]], PlaylistOptions(n=5, **NO_ARTIST_RULES))
    assert steps == []
    options = PlaylistOptions(n=5, tempo=Curve(max_step=500), seamless=1.0, **NO_ARTIST_RULES)
    document = playlists.make([ids[0], ids[1]], options).document
    assert all(30 < entry["tempo"] < 350 for entry in document["entries"] if entry["tempo"] is not None)
    assert steps[-1] == ("analyzing audio", len(ids), len(ids))
    assert document["notes"] == [f"made from the {len(ids)} tracks nearest to the path, whose audio was analyzed"]


def test_edges_are_compared_as_tracks_are(library: Library):
    codes = np.random.default_rng(0).integers(0, 256, (6, 128, 130), dtype=np.uint8)
    values = TrackValues(library, Playlists(library).vectors, pa.chunked_array([pa.array([])]), {}, None, None, print)
    analyzed = {row: TrackEdges(codes[2 * i : 2 * i + 2], 120.0) for i, row in enumerate((4, 1, 7))}
    first, last = values._edges(analyzed)(np.array([7, 4]))
    embedder = library.embedder
    clips, _, levels = embedder.embed(codes)
    pooled = [embedder.pool(clips[i : i + 1], levels[i : i + 1])[0] for i in range(6)]  # each as a track of one clip
    np.testing.assert_allclose(first, [pooled[4], pooled[0]], atol=1e-5)
    np.testing.assert_allclose(last, [pooled[5], pooled[1]], atol=1e-5)
    lengths = np.linalg.norm(np.reshape(first, (2, 2, 64)), axis=2)
    assert lengths[:, 1] / lengths[:, 0] == pytest.approx(1, rel=1e-5)


def test_saves_tempos_for_the_next_playlist(writable: Store, ids: list[str]):
    options = PlaylistOptions(n=5, tempo=Curve(monotone=True), **NO_ARTIST_RULES)
    totals = []

    def make(end: str, allowed: list[str]) -> dict:
        library = Library(Store(writable.root))
        playlists = Playlists(library, progress=lambda what, done, total: totals.append(total))
        return playlists.make([ids[0], end], options, Filters(allow=allowed)).document

    first = make(ids[1], ids[:8])
    assert set(totals) == {8}
    assert writable.manifest(writable.require("tempos")).rows == 8
    totals.clear()
    assert make(ids[1], ids[:8]) == first
    assert totals == []
    make(ids[9], ids[4:12])
    assert set(totals) == {4}, "five of the nine tracks are saved"
    assert writable.manifest(writable.require("tempos")).rows == 12


def test_works_on_a_store_that_cannot_be_written_to(writable: Store, ids: list[str]):
    Path(writable.root, "tempos").write_text("in the way")
    options = PlaylistOptions(n=5, tempo=Curve(max_step=500), **NO_ARTIST_RULES)
    document = Playlists(Library(writable)).make([ids[0], ids[1]], options, Filters(allow=ids[:5])).document
    assert len(document["entries"]) == 5
    assert "the tempos could not be saved" in document["notes"][1]


def test_missing_audio_of_a_waypoint_is_an_error(writable: Store, ids: list[str]):
    library = Library(writable)
    rows = [{**row, "uri": "/nowhere/" + row["track_id"]} for row in library.tracks.to_pylist()]
    library.columns = CatalogColumns.of(pa.Table.from_pylist(rows, schema=library.tracks.schema))
    playlists = Playlists(library)
    uris = ["/nowhere/" + track_id for track_id in ids]
    playlists.__dict__["vectors"] = Playlists(Library(writable)).vectors
    object.__setattr__(playlists.vectors, "paths", uris)
    options = PlaylistOptions(n=5, tempo=Curve(max_step=500), **NO_ARTIST_RULES)
    with pytest.raises(AudioaeError, match="the audio of this waypoint is missing"):
        playlists.make([ids[0], ids[1]], options)
