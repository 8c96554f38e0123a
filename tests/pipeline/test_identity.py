"""Identity, shards and duplicates from the database are those of the rules on whole tables."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.catalog.database import Database
from audioae.catalog.listing import Listed
from audioae.catalog.scan import CatalogConfig
from audioae.pipeline.known_tracks import KNOWN
from audioae.pipeline.tracks import place_tracks
from tests.pipeline import whole_tables

SCANNED = ["track_id", "uri", "content_hash", "audio_hash"]
LIMITS = {"shard_tracks": 8, "min_shards": 2}


def made(rng: np.random.Generator, most: int) -> pa.Table:
    """Tracks with unique IDs, and with URIs and hashes of which some are the same."""
    n, few = int(rng.integers(1, most)), int(rng.integers(2, 40))
    ids = rng.permutation(40)[:n]

    def hashes(kind: str) -> pa.Array:
        return pa.array([f"{kind}{i}" for i in rng.integers(few, size=n)], mask=rng.random(n) < 0.1)

    uris = (
        np.where(rng.random(n) < 0.9, ids, rng.integers(40, size=n)) if rng.random() < 0.5 else rng.permutation(40)[:n]
    )
    return pa.table(
        {
            "track_id": [f"t{i:02d}" for i in ids],
            "uri": [f"/{i}.mp3" for i in uris],
            "content_hash": hashes("c"),
            "audio_hash": hashes("a"),
        }
    )


def made_known(rng: np.random.Generator) -> pa.Table:
    table = made(rng, 30)
    n = len(table)
    table = table.append_column("shard", pa.array(rng.integers(6, size=n), pa.int32()))
    table = table.append_column("added_at", pa.array(np.arange(n)))
    duplicates = pa.array(["t00"] * n, mask=rng.random(n) < 0.7)
    return table.append_column("duplicate_of", duplicates).sort_by([("shard", "ascending"), ("track_id", "ascending")])


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory):
    with Database(tmp_path_factory.mktemp("db")) as db:
        yield db


def from_database(db: Database, scanned: pa.Table, known: pa.Table, own_ids: bool) -> list[dict]:
    db.create("scanned", pa.schema([("pos", pa.int64()), *((name, pa.string()) for name in SCANNED)]))
    db.insert("scanned", scanned.append_column("pos", pa.array(np.arange(len(scanned)))))
    db.create("known", KNOWN)
    row, is_kept = pa.array(np.arange(len(known))), known["duplicate_of"].is_null()
    db.insert("known", known.drop(["duplicate_of"]).append_column("row", row).append_column("is_kept", is_kept))
    place_tracks(
        db, CatalogConfig.model_validate({"source": "/music", **LIMITS}), Listed(own_ids, n_files=len(scanned))
    )
    return [row for block in db.stream("SELECT * FROM placed ORDER BY pos") for row in block.to_pylist()]


@pytest.mark.parametrize("own_ids", [False, True])
def test_places_are_those_of_whole_tables(db: Database, own_ids: bool):
    for seed in range(20):
        rng = np.random.default_rng([seed, own_ids])
        scanned = made(rng, 40)
        known = made_known(rng) if seed % 10 else made_known(rng).slice(0, 0)
        wanted = whole_tables.place(scanned, known, own_ids, LIMITS)
        assert from_database(db, scanned, known, own_ids) == wanted, f"seed {seed}"


def test_many_equal_files_are_matched_in_linear_time(db: Database):
    """Each of 50,000 files has the hash of each of 50,000 tracks that are gone."""
    n = 50_000
    hashes = {"content_hash": ["c"] * n, "audio_hash": ["a"] * n}
    scanned = pa.table({"track_id": [f"n{i}" for i in range(n)], "uri": [f"/n{i}" for i in range(n)], **hashes})
    known = pa.table({"track_id": [f"k{i}" for i in range(n)], "uri": [f"/k{i}" for i in range(n)], **hashes})
    known = known.append_column("shard", pa.array([0] * n, pa.int32())).append_column("added_at", pa.array(range(n)))
    known = known.append_column("duplicate_of", pa.array([None] + ["k0"] * (n - 1), pa.string()))
    places = from_database(db, scanned, known, False)
    assert [place["shard"] for place in places] == [0] * n
    assert {place["duplicate_of"] for place in places} == {None, "n0"}
