"""The report of a whole store, of three nameless tracks, of a catalog alone, and of a store whose audio is gone."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from typer.testing import CliRunner

from audioae.api import Library
from audioae.catalog.scan import CatalogConfig
from audioae.cli import app
from audioae.errors import StoreError
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.pages.layout import pca_layout
from audioae.pages.report_page import ReportData, render_report
from audioae.pipeline.tracks import update_tracks
from audioae.report import build as stage
from audioae.report import excerpts
from audioae.report.build import make_report
from audioae.report.examples import far_pairs
from audioae.report.excerpts import Book
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import COLDSTART, FINDINGS, REJECTS, SCREENINGS
from tests.chain import run_chain

EVIL = "</script><img src=x onerror=alert(1)>"
MEASURED = {"planted": {"random": {"precision": 0.91}, "confusable": {"precision": 0.72}}}
ANCHORS = "catalog training reconstructions map findings neighbors playlists exposure index coldstart"


@pytest.fixture(autouse=True)
def quick_map(monkeypatch: pytest.MonkeyPatch):
    """UMAP takes seconds, and has its own tests."""
    monkeypatch.setattr("audioae.pages.map_sections.umap_layout", lambda vectors: pca_layout(vectors)[0])


def publish(store: Store, dataset: str, rows: list[dict], schema: pa.Schema, *parents: DatasetRef) -> DatasetRef:
    name = f"000000-{len(rows):016d}"
    store.write_part(dataset, name, pa.Table.from_pylist(rows, schema=schema))
    return store.commit(dataset, [name], recipe=f"{dataset}{len(rows)}", config={}, parents=parents)


def finding(track_id: str, check: str, score: float | None, issue: bool = False, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(FINDINGS.names) | {"track_id": track_id, "check": check, "score": score, "is_issue": issue}
    evidence = more.pop("evidence", None)
    return row | more | {"evidence": json.dumps(evidence) if evidence else None}


def screen(store: Store, embeddings: DatasetRef) -> list[str]:
    """Findings of three checks; returns the tracks that they are about."""
    ids = Library(store).tracks["track_id"].to_pylist()
    near = [{"track_id": ids[9], "label": EVIL, "score": 0.9}]
    rows = [
        finding(ids[0], "mislabeled", 0.3, True, suggestion=EVIL, confidence=0.8, evidence={"neighbors": near}),
        finding(ids[1], "mislabeled", 0.2, True, group="album: One", suggestion="a", evidence={"why": EVIL}),
        finding(ids[2], "mislabeled", 0.1, True, group="album: One", suggestion="b", evidence={"why": "the worst"}),
        finding(ids[3], "mislabeled", 0.9),
        finding(ids[4], "mislabeled", None),
        finding(ids[5], "corrupt", 0.1, True, evidence={"listen_s": 2.5, "rules": [{"rule": "dc", "value": 1.0}]}),
        finding("no such track", "corrupt", 0.2, True, evidence={"listen_s": "soon", "rules": 3, "neighbors": [1]}),
        finding(ids[6], "duplicate", 0.0, True, suggestion=ids[7], evidence={"copies": [ids[6]], "keep": ids[7]}),
        finding(ids[8], "duplicate", 0.5, True, evidence={"listen_s": [[1.5, 2.0], 4.0]}),
    ]
    measured = {"check": "mislabeled", "threshold": 0.5, "measured": json.dumps(MEASURED), "omitted": [EVIL]}
    others = [{"check": check, "threshold": 0.5, "measured": "{}", "omitted": []} for check in ("corrupt", "duplicate")]
    screenings = publish(store, "screenings", [measured, *others], SCREENINGS, embeddings)
    index, tracks = store.require("index"), store.require("tracks")
    publish(store, "findings", rows, FINDINGS, index, embeddings, tracks, screenings)
    return ids


def recommend(store: Store, embeddings: DatasetRef, ids: list[str]) -> None:
    common = {"score": 0.5, "fit": 0.5, "others": None, "taste": 1, "because": [ids[1]]}
    rows = [
        {"listener_id": f"listener {i}", "rank": rank, "track_id": ids[rank], **common}
        for i in range(9)
        for rank in range(1, 8)
    ]
    publish(store, "coldstart", rows, COLDSTART, embeddings)


@pytest.fixture(scope="module")
def store(chain, tmp_path_factory) -> Store:
    """A store with everything."""
    root = tmp_path_factory.mktemp("report") / "store"
    shutil.copytree(chain[1].store, root)
    store = Store(str(root))
    embeddings = store.require("embeddings")
    recommend(store, embeddings, screen(store, embeddings))
    return store


@pytest.fixture(scope="module")
def data(store: Store) -> ReportData:
    return make_report(store)


def sections(html: str) -> dict[str, str]:
    return dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))


def test_a_store_with_everything_has_every_section_and_is_small(data: ReportData):
    html = render_report(data)
    found = sections(html)
    assert list(found) == ANCHORS.split()
    assert not [name for name, body in found.items() if "Left out" in body]
    assert len(html) < 2e6
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert "<img src=x" not in html
    assert "precision</th>" in found["findings"]
    assert data.metrics
    assert data.error is not None
    assert data.gate is not None
    assert data.gate["recall"] >= data.limits["min_recall"]


def test_every_track_of_the_map_can_be_seen_and_heard(data: ReportData):
    assert data.metadata is not None
    for row in range(data.metadata.n):
        own = data.tracks[row]
        assert own.clip is not None
        assert own.clip[:2] == b"\xff\xf3"
        assert own.mel is not None
        assert own.mel.shape == (128, 130)


def test_findings_are_grouped_worst_first_and_heard_where_they_say(data: ReportData, store: Store):
    ids = Library(store).tracks["track_id"].to_pylist()
    checks = {check["check"]: check for check in data.checks}
    assert list(checks) == ["mislabeled", "corrupt", "duplicate"]
    mislabeled = checks["mislabeled"]
    assert (mislabeled["n_tracks"], mislabeled["n_issues"], mislabeled["n_unknown"]) == (5, 3, 1)
    assert (mislabeled["n_findings"], mislabeled["threshold"]) == (2, 0.5)
    album, alone = mislabeled["findings"]
    assert (album["group"], album["n_members"], album["evidence"]["why"]) == ("album: One", 2, "the worst")
    assert [member["score"] for member in album["members"]] == pytest.approx([0.1, 0.2])
    assert alone["neighbors"][0]["label"] == EVIL
    assert (album["suggestion"], alone["suggestion"]) == ("", EVIL)
    heard, unknown = (found["members"][0]["key"] for found in checks["corrupt"]["findings"])
    assert data.tracks[heard].start_s == 2.5
    assert data.tracks[heard].clip
    assert data.tracks[unknown].title == "no such track"
    assert data.tracks[unknown].clip is None
    copy, spans = checks["duplicate"]["findings"]
    assert copy["suggestion"] == ""
    assert data.tracks[spans["members"][0]["key"]].start_s == 1.5
    assert [entry["keep"] for entry in copy["copies"]] == [True, False]
    assert data.tracks[copy["copies"][0]["key"]].uri == Library(store).find(ids[7])["uri"]


def test_the_budget_is_findings_per_check(store: Store):
    checks = make_report(store, budget=1).checks
    assert [len(check["findings"]) for check in checks] == [1, 1, 1]
    assert checks[0]["n_findings"] == 2


def test_listeners_are_taken_evenly_with_their_best(data: ReportData):
    assert [listener["name"] for listener in data.listeners] == [f"listener {i}" for i in (0, 3, 5, 8)]
    assert all([entry["rank"] for entry in listener["entries"]] == [1, 2, 3, 4, 5] for listener in data.listeners)


def test_walks_lead_from_end_to_end(data: ReportData, store: Store):
    subject = vectors_from_store(store, store.require("embeddings"))
    assert [(walk["entries"][0]["key"], walk["entries"][-1]["key"]) for walk in data.walks] == far_pairs(subject, 2)
    assert all(len(walk["entries"]) == 10 for walk in data.walks)


def test_the_ends_of_walks_lie_farthest_apart_and_share_no_artist_or_label(data: ReportData):
    assert data.metadata is not None
    subject = TrackVectors("s", data.vectors, data.metadata, [])
    (a, b), (c, d) = far_pairs(subject, 2)
    cosines = data.vectors @ data.vectors.T
    assert cosines[a, b] == pytest.approx(cosines.min())
    for values in (data.metadata.artists, data.metadata.labels):
        assert not {values[a], values[b]} & {values[c], values[d]}
    alike = TrackVectors("s", np.ones((data.metadata.n, 4), np.float32) / 2, data.metadata, [])
    assert far_pairs(alike, 2) == []


def test_findings_of_another_version_are_named_as_such(chain, tmp_path: Path):
    root = tmp_path / "store"
    shutil.copytree(chain[1].store, root)
    store = Store(str(root))
    screen(store, DatasetRef("embeddings", "0123456789ab"))
    data = make_report(store, budget=1)
    assert re.search(r"findings@\w+ was made from embeddings@0123456789ab, not from embeddings@", data.omitted[0])
    assert "screen again" in sections(render_report(data))["omitted"]


def test_what_a_store_was_not_asked_for_gets_its_sentence(chain):
    found = sections(render_report(make_report(chain[0])))
    assert [name for name, body in found.items() if "Left out" in body] == ["findings", "coldstart"]
    assert "it was not screened" in found["findings"]
    assert "it was given no play log" in found["coldstart"]


def test_where_audio_is_gone_stored_mels_are_shown_and_it_is_said(store: Store, monkeypatch: pytest.MonkeyPatch):
    class Gone(Book):
        def __init__(self, tracks: pa.Table, ids=()):
            uris = pa.array([f"/gone{uri}" for uri in tracks["uri"].to_pylist()])
            super().__init__(tracks.set_column(tracks.column_names.index("uri"), "uri", uris), ids)

    monkeypatch.setattr(stage, "Book", Gone)
    data = make_report(store)
    html = render_report(data)
    assert not [own for own in data.tracks.values() if own.clip]
    assert len([own for own in data.tracks.values() if own.mel is not None]) >= len(data.vectors) > 0
    assert data.reconstructions is not None
    at_s = data.tracks[data.checks[1]["findings"][0]["members"][0]["key"]].start_s
    assert at_s == pytest.approx(2.5, abs=0.76)  # the stored clip that is nearest
    assert re.search(r"audio of (\d+) of \1 excerpts cannot be read again, so they cannot be heard", html)
    assert "cannot be heard" in sections(html)["findings"]


def test_a_catalog_alone_is_reported_as_far_as_it_goes(tiny_audio: Path, tmp_path: Path):
    store = Store(str(tmp_path / "store"))
    with pytest.raises(StoreError, match="tracks"):
        make_report(store)
    update_tracks(store, CatalogConfig(source=str(tiny_audio), min_shards=6))
    html = render_report(make_report(store))
    found = sections(html)
    assert [name for name, body in found.items() if "Left out" not in body] == ["catalog"]
    assert "<td>24</td>" in found["catalog"]
    assert "no model is published" in found["training"]
    assert "fewer than two tracks have an embedding" in found["map"]


def test_a_frequent_reason_does_not_hide_the_others(tiny_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path / "store"))
    tracks = update_tracks(store, CatalogConfig(source=str(tiny_audio), min_shards=6))
    ids = store.read(tracks)["track_id"].to_pylist()
    reasons = ["silent"] * 9 + ["empty"]
    rows = [
        {"track_id": track_id, "stage": "mels", "reason": reason, "detail": EVIL}
        for track_id, reason in zip(ids, reasons, strict=False)
    ]
    publish(store, "rejects", rows, REJECTS, tracks)
    assert len(make_report(store).rejected) == 10
    monkeypatch.setattr(stage, "MAX_REJECTED", 5)
    data = make_report(store)
    assert [row["reason"] for row in data.rejected] == ["empty", "silent", "silent", "silent"]
    assert "4 of 10 rejected tracks" in sections(render_report(data))["catalog"]


def test_what_is_heard_is_bounded_and_sections_come_before_the_map(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(excerpts, "MAX_HEARD", 12)
    data = make_report(store)
    heard = {key for key, own in data.tracks.items() if own.clip}
    assert len(heard) == 12
    assert {entry["key"] for entry in data.walks[0]["entries"]} <= heard


def test_three_tracks_without_tags_have_a_report(chain, tmp_path: Path):
    folder = tmp_path / "music"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        tone = np.sin(2 * np.pi * (200 + 300 * i) * np.arange(4 * 22_050) / 22_050) + 0.1 * rng.standard_normal(88_200)
        sf.write(folder / f"{EVIL.replace('/', '')} {i}.wav", 0.4 * tone, 22_050)
    config = chain[1]
    config = config.model_copy(
        update={
            "store": str(tmp_path / "store"),
            "catalog": config.catalog.model_copy(update={"source": str(folder), "min_shards": 1}),
            "train": config.train.model_copy(update={"steps": 2, "batch_size": 2}),
        }
    )
    run_chain(config)
    data = make_report(Store(config.store))
    html = render_report(data)
    found = sections(html)
    assert "<img src=x" not in html
    assert len(data.vectors) == 3
    assert len(data.walks) == 1
    assert len(data.walks[0]["entries"]) == 3
    assert "3 tracks are too few for lists of 10" in found["exposure"]
    assert len([own for own in data.tracks.values() if own.clip]) == 3


def test_the_command_writes_the_page_and_says_where_and_how_large(store: Store, tmp_path: Path):
    out = tmp_path / "new" / "report.html"
    arguments = ["report", "--store", store.root, "--out", str(out), "--budget", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert re.search(r"written: .*report\.html \(0\.\d MB\)", result.stdout.replace("\n", ""))
    assert "audio: done" in result.stderr
    assert list(sections(out.read_text(encoding="utf-8"))) == ANCHORS.split()
    printed = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert printed["bytes"] == out.stat().st_size
    folder = CliRunner().invoke(app, ["report", "--store", store.root, "--out", str(tmp_path)])
    assert isinstance(folder.exception, StoreError)
    assert "choose another file" in str(folder.exception)
