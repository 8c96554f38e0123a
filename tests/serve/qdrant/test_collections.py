"""The collection, its key, and what the client finds out about the server."""

import warnings

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.serve.conftest import ADMIN_KEY, READ_KEY
from tests.serve.qdrant.conftest import NAME, connect
from tests.serve.serving import Server


def test_the_client_finds_a_version_that_it_is_compatible_with(served: Server):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = connect(served.url, check_compatibility=True)
        assert client.info().version == "1.20.0"
    client.close()


def test_there_is_one_collection(client: QdrantClient):
    assert client.get_collections().collections == [models.CollectionDescription(name=NAME)]
    assert client.collection_exists(NAME)
    assert not client.collection_exists("other")


def test_the_collection_says_what_it_holds(served: Server, client: QdrantClient):
    info = client.get_collection(NAME)
    assert info.config.params.vectors == models.VectorParams(size=128, distance=models.Distance.COSINE)
    assert (info.status, info.optimizer_status) == (models.CollectionStatus.GREEN, models.OptimizersStatusOneOf.OK)
    assert info.points_count == info.indexed_vectors_count == 57
    assert info.config.metadata is not None
    assert info.config.metadata["index"] == str(served.library.index_ref)
    assert info.config.metadata["model"] == str(served.library.model_ref)
    schema = {key: (entry.data_type, entry.points) for key, entry in info.payload_schema.items()}
    tracks = served.library.tracks.slice(0, 57)
    assert schema["label"] == (models.PayloadSchemaType.KEYWORD, 57)
    assert schema["album"] == (models.PayloadSchemaType.KEYWORD, 57 - tracks["album"].null_count)
    assert schema["year"] == (models.PayloadSchemaType.INTEGER, 57 - tracks["year"].null_count)
    assert schema["duration_s"][0] == models.PayloadSchemaType.FLOAT
    assert schema["added_at"][0] == models.PayloadSchemaType.DATETIME


def test_the_collection_has_the_name_of_the_configuration(served: Server, serve):
    client = connect(serve(served.store, collection="tracks").url)
    assert client.count("tracks").count == 57
    assert not client.collection_exists(NAME)
    client.close()


def test_a_key_is_wanted_where_keys_are_set(locked: Server):
    for key in (READ_KEY, ADMIN_KEY):
        client = connect(locked.url, api_key=key)
        assert client.count(NAME).count == 57
        client.close()
    for options in ({}, {"api_key": "a wrong key"}):
        client = connect(locked.url, **options)
        with pytest.raises(UnexpectedResponse) as error:
            client.count(NAME)
        assert error.value.status_code == 401
        client.close()
