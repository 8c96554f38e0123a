"""A store with everything that a report shows, and its report."""

import shutil

import pytest

from audioae.pages.layout import pca_layout
from audioae.pages.report_page import ReportData
from audioae.report.build import make_report
from audioae.store.dataset import Store
from tests.report.made import publish_findings, publish_recommendations


@pytest.fixture(autouse=True)
def quick_map(monkeypatch: pytest.MonkeyPatch):
    """t-SNE takes seconds and has its own tests."""
    monkeypatch.setattr("audioae.pages.map_sections.tsne_layout", lambda vectors: pca_layout(vectors)[0])


@pytest.fixture(scope="package")
def store(chain, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with everything; tests must not change it."""
    root = tmp_path_factory.mktemp("report") / "store"
    shutil.copytree(chain[1].store, root)
    store = Store(str(root))
    embeddings = store.require("embeddings")
    publish_recommendations(store, embeddings, publish_findings(store, embeddings))
    return store


@pytest.fixture(scope="package")
def data(store: Store) -> ReportData:
    return make_report(store)
