"""A made catalog with a map and findings, opened."""

import pytest

from audioae.api import Library
from tests.explore.made_map import add_findings, add_map
from tests.serve.serving import catalog_store

FINDINGS = [
    ("t03", "corrupt", 0.3, True),
    ("t03", "mislabeled", 0.05, True),
    ("t04", "corrupt", 0.01, False),
    ("t07", "corrupt", None, False),
    ("t12", "corrupt", 0.2, True),
    ("t57", "corrupt", 0.2, True),
]


@pytest.fixture(scope="session")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of 60 tracks, 55 of which are on its map."""
    store = catalog_store(tmp_path_factory.mktemp("mapped"))
    add_map(store)
    add_findings(store, FINDINGS)
    return Library(store)
