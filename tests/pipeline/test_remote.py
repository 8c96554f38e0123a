"""A catalog of a bucket and a manifest of URIs through catalog, mels and back: no file is copied to a disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC

from audioae.audio import remote
from audioae.audio.workers import close_workers
from audioae.catalog.sources import CatalogConfig
from audioae.errors import ConfigError
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.pipeline.shards import shard_numbers
from audioae.pipeline.tracks import update_tracks
from audioae.store.dataset import Store


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(4):
        path = folder / f"{number}.flac"
        soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(5 * 22_050), 22_050)
        tags = FLAC(path)
        tags["title"] = f"Title {number}"
        tags.save()
    return folder


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, music: Path, request) -> Iterator[str]:
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    remote.forget_filesystems()
    close_workers()  # those of earlier tests know another endpoint
    client = boto3.client("s3", endpoint_url=s3_server)
    name = f"catalog-{abs(hash(request.node.name)) % 10**8}-{os.getpid()}"
    client.create_bucket(Bucket=name)
    for path in music.iterdir():
        client.upload_file(str(path), name, f"music/{path.name}")
    yield f"s3://{name}"
    remote.forget_filesystems()
    close_workers()


def mels_of(store: Store, config: CatalogConfig):
    tracks = update_tracks(store, config)
    compute_mels(store, MelsConfig(), tracks, shard_numbers(store, tracks), Workers())
    return tracks, commit_mels(store, MelsConfig(), tracks, max_reject_rate=0.0)


def test_a_bucket_gives_the_titles_and_mels_of_the_folder(bucket: str, music: Path, tmp_path: Path):
    there, here = Store(str(tmp_path / "there")), Store(str(tmp_path / "here"))
    remote_tracks, remote_mels = mels_of(there, CatalogConfig(source=f"{bucket}/music"))
    tracks, mels = mels_of(here, CatalogConfig(source=str(music)))
    columns = ["track_id", "title", "duration_s", "size_bytes"]
    assert there.read(remote_tracks, columns) == here.read(tracks, columns)
    assert sorted(there.read(remote_tracks)["uri"].to_pylist()) == [f"{bucket}/music/{i}.flac" for i in range(4)]
    assert there.read(remote_mels).sort_by("track_id").equals(here.read(mels).sort_by("track_id"))


def test_a_manifest_may_mix_uris_and_paths(bucket: str, music: Path, tmp_path: Path):
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"path,title\n{bucket}/music/0.flac,Far\n{music}/1.flac,Near\n{bucket}/music/gone.flac,Gone\n")
    store = Store(str(tmp_path / "store"))
    tracks = update_tracks(store, CatalogConfig(source=str(manifest)))
    rows = store.read(tracks, ["title", "size_bytes", "content_hash"]).sort_by("title").to_pylist()
    assert [(row["title"], row["size_bytes"] is None, row["content_hash"] is None) for row in rows] == [
        ("Far", False, False),
        ("Gone", True, True),
        ("Near", False, False),
    ]


def test_an_unchanged_bucket_is_listed_and_nothing_else(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, config = Store(str(tmp_path / "store")), CatalogConfig(source=f"{bucket}/music")
    tracks, _ = mels_of(store, config)
    monkeypatch.setattr("audioae.catalog.scan.read_files", lambda *_: pytest.fail("a file was read again"))
    assert update_tracks(store, config) == tracks
    assert not pending_mels(store, MelsConfig(), tracks)


def test_a_changed_object_is_decoded_again(bucket: str, music: Path, tmp_path: Path):
    import boto3

    store, config = Store(str(tmp_path / "store")), CatalogConfig(source=f"{bucket}/music")
    before, _ = mels_of(store, config)
    soundfile.write(music / "0.flac", 0.1 * np.random.default_rng(9).standard_normal(6 * 22_050), 22_050)
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.upload_file(str(music / "0.flac"), bucket.removeprefix("s3://"), "music/0.flac")
    after = update_tracks(store, config)
    assert after != before
    assert len(pending_mels(store, MelsConfig(), after)) == 1


def test_a_manifest_in_a_bucket_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigError, match="a manifest must be on this machine; copy it here"):
        update_tracks(Store(str(tmp_path / "store")), CatalogConfig(source="s3://bucket/list.csv"))
