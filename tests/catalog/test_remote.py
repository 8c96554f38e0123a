"""Buckets and web servers are listed like folders, without opening a file."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutagen.flac import FLAC

from audioae.audio import remote as remote_files
from audioae.audio.workers import close_workers
from audioae.catalog.remote import list_remote
from audioae.catalog.sources import CatalogConfig
from audioae.catalog.tag_config import TagLimits
from audioae.catalog.tag_workers import read_all_tags
from audioae.errors import ConfigError
from tests.catalog.made import write

FILES = {
    "b/two.flac": 2,
    "b/inner/three words.mp3": 3,
    "a/one.wav": 1,
    "a/cover.jpg": 9,
    ".hidden/x.mp3": 9,
    "b/.x.mp3": 9,
    "Podcasts/talk.mp3": 9,
    "__MACOSX/x.mp3": 9,
}
WANTED = [("a/one.wav", 1), ("b/inner/three words.mp3", 3), ("b/two.flac", 2)]


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    remote_files.forget_filesystems()
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="listing")
    for name, size in FILES.items():
        client.put_object(Bucket="listing", Key=f"music/{name}", Body=b"x" * size)
    client.put_object(Bucket="listing", Key="elsewhere/a.mp3", Body=b"x")
    yield "s3://listing"
    remote_files.forget_filesystems()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    for name, size in FILES.items():
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_prefix_of_a_bucket_is_listed_like_a_folder(bucket: str):
    files = list(list_remote(CatalogConfig(source=f"{bucket}/music/", exclude=("Podcasts",))))
    assert sorted((file.relative, file.size_bytes) for file in files) == WANTED
    assert {file.uri for file in files} == {f"{bucket}/music/{name}" for name, _ in WANTED}
    assert all(file.modified_ns for file in files)


def test_a_page_of_links_is_listed_like_a_folder(site: str):
    files = list(list_remote(CatalogConfig(source=f"{site}/music", exclude=("Podcasts",))))
    assert sorted((file.relative, file.size_bytes) for file in files) == WANTED
    assert {file.uri for file in files} >= {f"{site}/music/b/inner/three%20words.mp3"}
    assert all(file.modified_ns for file in files)


@pytest.mark.parametrize("source", ["s3://no-such-bucket-here/music", "http://127.0.0.1:9/music"])
def test_a_source_that_cannot_be_listed_says_what_to_check(source: str, bucket: str):
    with pytest.raises(ConfigError, match=f"catalog.source: {source} cannot be listed: .*AWS_ENDPOINT_URL"):
        list(list_remote(CatalogConfig(source=source)))


def test_tags_of_an_object_are_those_of_the_file(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import boto3

    file = FLAC(write(tmp_path / "a.flac"))
    file["title"] = "Night Drive"
    file.save()
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).upload_file(
        str(tmp_path / "a.flac"), "listing", "tagged.flac"
    )
    close_workers()  # those of earlier tests know another endpoint
    there, here, missing = next(
        read_all_tags([[f"{bucket}/tagged.flac", str(tmp_path / "a.flac"), f"{bucket}/none.flac"]], TagLimits())
    )
    assert (there.tags, there.tags.title) == (here.tags, "Night Drive")
    assert missing.may_pass
    assert "none.flac" in str(missing.problem)
