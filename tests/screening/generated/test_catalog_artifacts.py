"""The decoder artifacts of a catalog: what is known for a track's audio is not measured again."""

import numpy as np

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from tests.pipeline.daily import Daily, retag, write_track


def measure(daily: Daily) -> tuple[dict[str, bytes], list[str]]:
    """The artifacts by track_id, and the files that were decoded for them."""
    library = Generation(daily.store, embeddings=daily.run().version)
    ids = library.tracks["track_id"].combine_chunks()
    daily.decoded = []
    artifacts, omitted = measure_artifacts(library, ids, 1, Workers(), lambda *_: None)
    assert omitted == ()
    return {track_id: row.tobytes() for track_id, row in zip(ids.tolist(), artifacts, strict=True)}, daily.decoded


def test_only_new_audio_is_measured(tmp_path, monkeypatch):
    daily = Daily(tmp_path, monkeypatch, n=8)
    monkeypatch.setattr("audioae.screening.generated.catalog_artifacts.imap_killable", daily._decode)
    before, decoded = measure(daily)
    assert len(decoded) == 8
    assert np.isfinite(np.frombuffer(before[min(before)], np.float32)).any()
    retag(daily.music / "a00.mp3", "new")
    (daily.music / "a03.mp3").unlink()
    (daily.music / "a04.mp3").rename(daily.music / "b.mp3")
    write_track(daily.music / "c.mp3", 90)
    after, decoded = measure(daily)
    assert decoded == ["c.mp3"]
    assert len(after.keys() & before.keys()) == 7
    assert {t: row for t, row in after.items() if t in before} == {t: row for t, row in before.items() if t in after}
    assert measure(daily)[1] == []
