"""Files on a real S3 server and a real HTTP server are decoded like files on disk; what fails may be tried again."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioae.audio import remote
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.extract import extract
from audioae.audio.workers import close_workers, imap_killable
from audioae.errors import AudioError

SETTINGS = ClipConfig(), DecodeConfig()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of noise as FLAC."""
    path = tmp_path_factory.mktemp("remote") / "a tune.flac"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(8 * 22_050), 22_050)
    return path


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, file: Path) -> Iterator[str]:
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    remote.forget_filesystems()
    close_workers()  # those of earlier tests know another endpoint
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="music")
    client.upload_file(str(file), "music", "folder/a tune.flac")
    yield "s3://music"
    remote.forget_filesystems()
    close_workers()


@pytest.fixture
def site(file: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_object_of_a_bucket_is_decoded_like_the_file(bucket: str, file: Path):
    there, here = (decode_track(path, *SETTINGS) for path in (f"{bucket}/folder/a tune.flac", file))
    np.testing.assert_array_equal(there.clips, here.clips)
    assert there.health == here.health


def test_a_file_of_a_web_server_is_decoded_like_the_file(site: str, file: Path):
    there, here = (decode_track(path, *SETTINGS) for path in (f"{site}/a%20tune.flac", file))
    np.testing.assert_array_equal(there.clips, here.clips)


def test_worker_processes_fetch_for_themselves(bucket: str, file: Path):
    items = [(path, (path, *SETTINGS)) for path in (f"{bucket}/folder/a tune.flac", str(file))]
    (_, there), (_, here) = imap_killable(extract, items, workers=2, timeout_s=60)
    np.testing.assert_array_equal(there.codes, here.codes)


def test_a_missing_object_or_bucket_is_a_failure_of_the_moment(bucket: str, site: str):
    for uri, words in (
        (f"{bucket}/none.flac", "none.flac"),
        ("s3://no-such-bucket-at-all/none.flac", "none.flac"),
        (f"{site}/none.flac", "the server answered 404 File not found"),
        ("http://127.0.0.1:9/none.flac", "refused"),
    ):
        with pytest.raises(AudioError, match=words) as error:
            decode_track(uri, *SETTINGS)
        assert error.value.reason == "unreadable", uri


def test_a_uri_may_not_carry_credentials_or_an_endpoint():
    with pytest.raises(AudioError, match="AWS_ENDPOINT_URL"):
        decode_track("s3://music/a.flac?endpoint_override=127.0.0.1:9&access_key=x", *SETTINGS)


def test_a_file_above_the_limit_is_not_fetched_whole(site: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "LARGEST", 1000)
    with pytest.raises(AudioError, match="more than") as error, remote.local_file(f"{site}/a%20tune.flac"):
        pass
    assert error.value.reason == "too_large"


def test_the_copy_is_gone_after_use(site: str):
    with remote.local_file(f"{site}/a%20tune.flac") as path:
        assert path.stat().st_size > 1000
    assert not path.exists()
