"""The report of a whole store, of three tracks without tags, of a catalog alone, and of a store whose audio is gone."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from typer.testing import CliRunner

from audioae.catalog.scan import CatalogConfig
from audioae.cli import app
from audioae.errors import StoreError
from audioae.library.catalog_columns import CatalogColumns
from audioae.pages.report_page import ReportData, render_report
from audioae.pipeline.tracks import update_tracks
from audioae.report import build
from audioae.report.build import make_report
from audioae.report.excerpts import PageTracks
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import REJECTS
from tests.chain import run_chain
from tests.pages.made import EVIL, check_page, sections_of, text_of
from tests.report.made import publish, publish_findings

ANCHORS = "catalog training reconstructions map findings neighbors playlists exposure index recommendations"


def shown(html: str) -> list[str]:
    """Anchors of the sections that have something to show."""
    return [name for name, body in sections_of(html).items() if "Not available" not in body]


def test_store_with_everything_has_every_section_and_a_small_page(data: ReportData):
    html = render_report(data)
    check_page(html)
    assert shown(html) == list(sections_of(html)) == ANCHORS.split()
    assert len(html) < 2e6
    assert "precision</th>" in sections_of(html)["findings"]
    assert data.metrics
    assert data.error is not None
    assert data.gate is not None
    assert data.gate["recall"] >= data.limits["min_recall"]


def test_budget_is_the_number_of_findings_per_check(store: Store):
    checks = make_report(store, budget=1).checks
    assert [len(check["findings"]) for check in checks] == [1, 1, 1]
    assert checks[0]["n_findings"] == 2


def test_findings_of_other_embeddings_are_named_as_outdated(chain, tmp_path: Path):
    root = tmp_path / "store"
    shutil.copytree(chain[1].store, root)
    store = Store(str(root))
    publish_findings(store, DatasetRef("embeddings", "0123456789ab"))
    data = make_report(store, budget=1)
    assert re.search(r"findings@\w+ was made from embeddings@0123456789ab, not from embeddings@", data.omitted[0])
    assert "run screen" in sections_of(render_report(data))["omitted"]


def test_store_without_screening_and_play_log_gives_reasons(chain):
    html = render_report(make_report(chain[0]))
    assert [name for name in ANCHORS.split() if name not in shown(html)] == ["findings", "recommendations"]
    assert "this store was not screened" in sections_of(html)["findings"]
    assert "which need a play log" in sections_of(html)["recommendations"]


def test_stored_mels_are_shown_if_the_audio_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch):
    class Gone(PageTracks):
        def __init__(self, columns: CatalogColumns, ids=()):
            tracks = columns.tracks
            uris = pa.array([f"/gone{uri}" for uri in tracks["uri"].to_pylist()])
            super().__init__(CatalogColumns.of(tracks.set_column(tracks.column_names.index("uri"), "uri", uris)), ids)

    monkeypatch.setattr(build, "PageTracks", Gone)
    data = make_report(store)
    html = render_report(data)
    assert not [track for track in data.tracks.values() if track.clip]
    assert len([track for track in data.tracks.values() if track.mel is not None]) >= len(data.vectors) > 0
    assert data.reconstructions is not None
    start_s = data.tracks[data.checks[1]["findings"][0]["members"][0]["key"]].start_s
    assert start_s == pytest.approx(2.5, abs=0.76)  # of the nearest stored clip
    assert re.search(r"audio of (\d+) of \1 excerpts cannot be read any more", text_of(html))
    assert "no audio" in sections_of(html)["findings"]


def test_catalog_alone_is_reported_as_far_as_possible(tiny_audio: Path, tmp_path: Path):
    store = Store(str(tmp_path / "store"))
    with pytest.raises(StoreError, match="tracks"):
        make_report(store)
    update_tracks(store, CatalogConfig(source=str(tiny_audio), min_shards=6))
    html = render_report(make_report(store))
    assert shown(html) == ["catalog"]
    assert "<td>24</td>" in sections_of(html)["catalog"]
    assert "no model is published" in sections_of(html)["training"]
    assert "fewer than two tracks have an embedding" in sections_of(html)["map"]


def test_frequent_reason_does_not_hide_the_others(tiny_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path / "store"))
    tracks = update_tracks(store, CatalogConfig(source=str(tiny_audio), min_shards=1))
    ids = store.read(tracks)["track_id"].to_pylist()
    reasons = ["silent"] * 9 + ["empty"]
    rows = [
        {"track_id": track_id, "stage": "mels", "reason": reason, "detail": EVIL}
        for track_id, reason in zip(ids, reasons, strict=False)
    ]
    publish(store, "rejects", rows, REJECTS, tracks)
    assert len(make_report(store).rejected) == 10
    monkeypatch.setattr(build, "MAX_REJECTED", 5)
    data = make_report(store)
    assert [row["reason"] for row in data.rejected] == ["empty", "silent", "silent", "silent"]
    assert "4 of 10 rejected tracks" in sections_of(render_report(data))["catalog"]


def test_a_track_that_is_tried_again_is_shown_as_pending(tiny_audio: Path, tmp_path: Path):
    store = Store(str(tmp_path / "store"))
    tracks = update_tracks(store, CatalogConfig(source=str(tiny_audio), min_shards=6))
    row = {"track_id": store.read(tracks)["track_id"][0].as_py(), "stage": "mels", "detail": "made to fail"}
    row |= {"reason": "out_of_memory", "attempts": 2, "retry_at": datetime.now(UTC)}
    publish(store, "rejects", [row], REJECTS, tracks)
    text = text_of(sections_of(render_report(make_report(store)))["catalog"])
    assert "pending: failed 2 times (out of memory)1" in text
    assert "out of memory, tried againmade to fail" in text


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
    check_page(html)
    assert len(data.vectors) == 3
    assert [len(walk["entries"]) for walk in data.walks] == [3]
    assert "3 tracks are too few for lists of 10" in sections_of(html)["exposure"]
    assert len([track for track in data.tracks.values() if track.clip]) == 3


def test_command_writes_the_page_and_prints_its_size(store: Store, tmp_path: Path):
    out = tmp_path / "new" / "report.html"
    arguments = ["report", "--store", store.root, "--out", str(out), "--budget", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert re.search(r"written: .*report\.html \(0\.\d MB\)", result.stdout.replace("\n", ""))
    assert "audio: done" in result.stderr
    assert list(sections_of(out.read_text(encoding="utf-8"))) == ANCHORS.split()
    printed = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert printed["bytes"] == out.stat().st_size
    folder = CliRunner().invoke(app, ["report", "--store", store.root, "--out", str(tmp_path)])
    assert isinstance(folder.exception, StoreError)
    assert "choose another file" in str(folder.exception)
