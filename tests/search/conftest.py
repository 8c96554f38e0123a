"""The embeddings that most tests of search use."""

import pytest

from audioae.search.embeddings import EmbeddingTable
from tests.search.made import clustered, make_table


@pytest.fixture(scope="session")
def table() -> EmbeddingTable:
    """8,000 embeddings."""
    return make_table(clustered(8_000, seed=1))
