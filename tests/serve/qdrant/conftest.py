"""Qdrant's own client, against the served catalog and against an in-memory Qdrant that holds the same points."""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from qdrant_client import QdrantClient, models

from tests.bench.made_catalog import million
from tests.serve.serving import Server, in_thread

NAME = "audioae"


def connect(url: str, **options) -> QdrantClient:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a key without TLS
        return QdrantClient(url=url, prefer_grpc=False, **{"check_compatibility": False, **options})


class Both(NamedTuple):
    """A server over 404 tracks with IDs of 16 hexadecimal digits, its client, and an in-memory Qdrant of its points."""

    server: Server
    client: QdrantClient
    qdrant: QdrantClient


@pytest.fixture(scope="package")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with in_thread(million(tmp_path_factory.mktemp("qdrant"), 400)) as server:
        client, qdrant = connect(server.url), QdrantClient(":memory:")
        vectors = client.get_collection(NAME).config.params.vectors
        assert isinstance(vectors, models.VectorParams)
        qdrant.create_collection(NAME, vectors_config=vectors)
        points, after = client.scroll(NAME, limit=1000, with_vectors=True)
        assert after is None
        qdrant.upsert(NAME, [models.PointStruct(id=p.id, vector=p.vector, payload=p.payload) for p in points])  # pyright: ignore[reportArgumentType]
        yield Both(server, client, qdrant)
        client.close()


@pytest.fixture
def client(served: Server) -> Iterator[QdrantClient]:
    """A client of the catalog of 60 tracks, whose track_ids are strings to Qdrant."""
    with_client = connect(served.url)
    yield with_client
    with_client.close()
