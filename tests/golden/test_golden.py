"""Every store format that was ever written loads."""

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from audioae.maps.reader import Region, Trait, read_map
from audioae.model.weights import model_from_bytes
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.embed import embed_tracks, load_embedder
from audioae.pipeline.index import load_index
from audioae.pipeline.index_lists import lists_table, load_training
from audioae.pipeline.run_log import list_runs
from audioae.screening.findings import open_findings
from audioae.search.embeddings import EmbeddingTable
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, names_of
from audioae.store.upkeep import PUBLISHED
from tests.golden.make_model import EMBEDDINGS, MODEL, golden_clips
from tests.golden.make_v3_lists import IDS, vectors

V1 = Path(__file__).parent / "v1"
V2 = Path(__file__).parent / "v2"
V3 = Path(__file__).parent / "v3"
V4 = Path(__file__).parent / "v4"
V5 = Path(__file__).parent / "v5"


def test_v1_loads():
    store = Store(str(V1))
    refs = {dataset: store.require(dataset) for dataset in PUBLISHED}
    for ref in refs.values():
        store.verify(ref)
    tracks = store.read(refs["tracks"]).to_pylist()
    assert [row["track_id"] for row in tracks] == ["00000000000000aa", "00000000000000ab", "00000000000000ac"]
    assert (tracks[0]["year"], tracks[0]["duration_s"], tracks[1]["label"]) == (1999, 30.5, None)
    assert tracks[0]["added_at"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert [tracks[0][name] for name in ("audio_hash", "path_bytes", "artists", "genres")] == [None] * 4
    (reject,) = store.read(refs["rejects"]).to_pylist()
    assert (reject["reason"], reject["attempts"], reject["retry_at"]) == ("silent", None, None)
    health = store.read(refs["health"])
    assert health["sample_rate"].to_pylist() == [44100]
    assert health["fall_db"].to_pylist() == store.read(refs["health"], ["fall_db"])["fall_db"].to_pylist() == [None]
    assert [health[name].to_pylist() for name in ("resyncs", "missing_s")] == [[None], [None]]
    mels = store.read(refs["mels"])
    assert np.array_equal(mel_codes(mels)[0].reshape(-1), np.arange(128 * 130) % 256)
    assert np.array_equal(mel_codes(mels.slice(1))[0], mel_codes(mels)[1])
    assert mels.schema.equals(DATASETS["mels"].schema), "lists of numbers are read as bytes"
    for kept in (store.read(refs["mels"], ["mel"]), store.read_part("mels", "000000-golden", ["clip", "mel"])):
        assert kept["mel"].equals(mels["mel"])
    stored = store.read(refs["embeddings"])
    again = embed_tracks(store.read(refs["mels"]), load_embedder(store, refs["model"]))
    vectors = [np.array(table["embedding"].to_pylist()) for table in (stored, again)]
    assert isinstance(stored, pa.Table)
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.99999
    index = load_index(store, refs["index"])
    index.check_model(str(refs["model"]))
    scores, rows = index.search(vectors[0].astype(np.float32), 1)
    assert [str(index.ids[row]) for row in rows[:, 0]] == stored["track_id"].to_pylist()
    assert scores.min() > 0.9999


def test_v1_of_the_jobs_loads():
    store = Store(str(V1))
    refs = {dataset: store.require(dataset) for dataset in ("recommendations", "findings", "screenings")}
    for ref in refs.values():
        store.verify(ref)
    assert not (V1 / "recommendations").exists(), "the sample was written under the former name, coldstart"
    recommended = store.read(refs["recommendations"]).to_pylist()
    assert [(row["listener_id"], row["rank"], row["others"]) for row in recommended] == [
        ("anna", 1, None),
        ("anna", 2, 0.5),
    ]
    assert recommended[0]["because"] == ["00000000000000ab"]
    findings = open_findings(store)
    assert [(row["check"], row["issues"], row["cannot tell"]) for row in findings.overview()] == [("corrupt", 1, 1)]
    assert findings.screenings["corrupt"]["measured"] == {"auroc": 0.97}
    (worst, unknown), _ = findings.worst("corrupt", 9)
    assert (worst["track_id"], worst["title"], worst["evidence"]["listen_s"]) == ("00000000000000aa", "A", 1.5)
    assert (worst["group"], worst["suggestion"], unknown["score"]) == ("album: C", "mend it", None)


def test_v1_of_the_tables_loads():
    store = Store(str(V1))
    refs = {dataset: store.require(dataset) for dataset in ("similar", "playlists", "tempos", "residues")}
    for ref in refs.values():
        store.verify(ref)
    rows = {dataset: store.read(ref).to_pylist() for dataset, ref in refs.items()}
    pair = {"track_id": "00000000000000aa", "rank": 1, "neighbor": "00000000000000ab", "score": 0.75}
    assert rows["similar"] == [pair]
    assert [(row["position"], row["step"], row["gave_way"]) for row in rows["playlists"]] == [
        (1, None, ["energy"]),
        (2, 0.5, ["energy"]),
    ]
    assert [row["tempo"] for row in rows["tempos"]] == [120.5, None]
    assert rows["residues"][0]["residue"][1:] == [i / 4 for i in range(1, 83)]
    assert np.isnan(rows["residues"][0]["residue"][0])
    folders = {path.name for version in (V1, V2, V3, V5) for path in version.iterdir()}
    assert [name for name in DATASETS if not folders & {*names_of(name)}] == [], "every dataset has a sample"


def test_v5_loads():
    store = Store(str(V5))
    ref = store.require("network_vectors")
    store.verify(ref)
    assert store.manifest(store.manifest(ref).parent("network")).config["sample_rate"] == 16_000
    first, failed = store.read(ref).to_pylist()
    assert (first["vector"], first["n_windows"], first["fault"]) == ([0.5, -1.25, 3.0], 24, None)
    assert (failed["vector"], failed["fault"]) == (None, "extra net: 3 of 3 numbers are NaN or infinite")


def test_v2_loads():
    store = Store(str(V2))
    ref = store.require("tracks")
    store.verify(ref)
    assert store.manifest(ref).schema_version == 2
    plain, full = store.read(ref).to_pylist()
    array, text = store.read_part("steps", "golden").to_pylist()
    assert np.load(io.BytesIO(array["array"])).tolist() == [0.5, 0.0]
    assert (array["name"], array["json"], text) == ("score", None, {"name": "kind", "json": '"random"', "array": None})
    assert [full[name] for name in ("isrc", "musicbrainz_id")] == [None] * 2
    added = ("audio_hash", "path_bytes", "artists", "genres")
    assert [plain[name] for name in added] == [None] * 4
    assert [full[name] for name in added] == ["fe" * 16, b"/music/caf\xe9.mp3", ["A", "B"], ["Rock", "Pop"]]
    again, final = store.read(store.require("rejects"), ["reason", "attempts", "retry_at"]).to_pylist()
    assert (again["reason"], again["attempts"], again["retry_at"].isoformat()) == (
        "timeout",
        2,
        "2026-01-02T03:04:05+00:00",
    )
    assert final == {"reason": "silent", "attempts": None, "retry_at": None}


def test_v2_of_mels_loads():
    store = Store(str(V2))
    ref = store.require("mels")
    store.verify(ref)
    assert store.manifest(ref).schema_version == 2
    (codes,) = mel_codes(store.read(ref))
    assert np.array_equal(codes.reshape(-1), np.arange(128 * 130) % 256)


def test_mels_of_both_versions_are_one_table():
    tables = [store.read(store.require("mels")) for store in (Store(str(V1)), Store(str(V2)))]
    codes = mel_codes(pa.concat_tables(tables))
    assert codes.shape == (3, 128, 130)
    assert np.array_equal(codes[0], codes[2])


def test_v3_loads():
    store = Store(str(V3))
    refs = {dataset: store.require(dataset) for dataset in ("tracks", "aliases")}
    for ref in refs.values():
        store.verify(ref)
    assert [store.manifest(ref).schema_version for ref in refs.values()] == [3, 1]
    plain, known = store.read(refs["tracks"], ["isrc", "musicbrainz_id"]).to_pylist()
    assert plain == {"isrc": None, "musicbrainz_id": None}
    assert known == {"isrc": "QZES71982312", "musicbrainz_id": "5fee3020-513b-48c2-b1f7-4681b01db0c6"}
    (alias,) = store.read(refs["aliases"]).to_pylist()
    assert (alias["namespace"], alias["external_id"]) == ("navidrome", "2wk6GnfjBXkjNbd7")
    assert (alias["track_id"], alias["matched_by"]) == ("00000000000000ab", "isrc")
    assert list(store.manifest(refs["aliases"]).config["namespaces"]) == ["navidrome"]


def test_v3_of_scans_loads():
    store = Store(str(V3))
    ref = store.require("scans")
    store.verify(ref)
    (file,) = store.read(ref).to_pylist()
    assert (file["path"], file["size_bytes"], file["content_hash"]) == (b"/music/a.mp3", 4096, "fe" * 16)
    assert (file["year"], file["genres"], file["isrc"]) == (1999, ["Rock", "Pop"], None)


def test_v3_of_runs_loads():
    store = Store(str(V3))
    store.verify(store.require("runs"))
    good, bad = list_runs(store)
    assert (bad["flow"], bad["state"], bad["error"]) == ("embed", "failed", "StoreError: no space left")
    assert (bad["warnings"], bad["rejects"], bad["drift"]) == (["skipped a.mp3"], None, None)
    assert (good["seconds"], good["rejects"], good["drift"]) == ({"mels": 1.5}, {"silent": 1}, {"alarm": False})
    assert (good["counts"], good["config"]["store"], good["user"]) == ({"mels": {"clips": 72}}, "data", "anna")
    assert good["started_at"].isoformat() == "2026-01-02T03:00:00+00:00"


def test_v3_of_health_loads():
    store = Store(str(V2))
    ref = store.require("health")
    store.verify(ref)
    assert store.manifest(ref).schema_version == 3
    rows = store.read(ref, ["codec", "tail_s", "resyncs", "missing_s"]).to_pylist()
    assert rows == [
        {"codec": "mp3", "tail_s": 0.5, "resyncs": 1, "missing_s": 0.25},
        {"codec": "flac", "tail_s": None, "resyncs": None, "missing_s": None},
    ]
    added = ["tuning_cents", "octave_16000_db", "spike_db", "loop"]
    assert store.read(ref, added).to_pylist() == [dict.fromkeys(added)] * 2


def test_v4_of_health_loads():
    store = Store(str(V4))
    ref = store.require("health")
    store.verify(ref)
    assert store.manifest(ref).schema_version == 4
    columns = ["missing_s", "tuning_cents", "octave_16000_db", "spike_db", "loop"]
    values = [list(row.values()) for row in store.read(ref, columns).to_pylist()]
    assert values == [[0.25, -12.5, None, None, 0.75], [None, None, -40.5, 18.0, None]]


def test_a_stored_model_gives_the_embeddings_that_it_gave():
    """With the default head, whose features have a scale and a floor that the stored weights were fitted to."""
    model = model_from_bytes(gzip.decompress(MODEL.read_bytes()))
    with torch.no_grad():
        embeddings = model.embed(torch.from_numpy(golden_clips())).numpy()
    assert embeddings == pytest.approx(np.array(json.loads(EMBEDDINGS.read_text())), abs=2e-4)


def test_v3_of_a_trained_index_and_its_lists_loads():
    store = Store(str(V3))
    refs = [store.require(name) for name in ("index_lists", "index_training")]
    for ref in refs:
        store.verify(ref)
    trained, table = load_training(store, refs[1]), store.read(refs[0])
    again = lists_table(trained, EmbeddingTable(IDS, vectors(3, 1), "model@golden"))
    assert table["track_id"].to_pylist() == IDS
    assert again.drop(["cosines"]).equals(table.drop(["cosines"]))
    cosines = [np.concatenate(one["cosines"].to_pylist()) for one in (again, table)]
    np.testing.assert_allclose(*cosines, rtol=1e-6, err_msg="the last bit of a float32 depends on the CPU")
    assert len(trained.queries) == 4


def test_v3_of_a_map_loads():
    store = Store(str(V3))
    for name in ("map", "regions"):
        store.verify(store.require(name))
    found = read_map(store, DatasetRef("index", "000000000000"))
    assert found.points.tolist() == [[0.5, -1.0], [0.25, 2.0], [8.0, 2.0]]
    assert (found.region.tolist(), found.fitted.tolist()) == ([4, 4, -1], [True, False, True])
    assert found.bounds == (0.25, -1.0, 8.0, 2.0)
    assert found.track_ids.to_pylist() == IDS
    assert found.ids.rows_of([IDS[2], "x", IDS[0]]).tolist() == [2, -1, 0]
    trait = Trait("label", "<b>Techno</b>", 2, 1.0, 1.5)
    assert found.regions == (Region(4, "<b>Techno</b>", 2, 0.5, -1.0, (trait,)),)
