"""Fixtures of the screening tests."""

from pathlib import Path

import pytest

from audioae.store.dataset import Store
from tests.screening.made import install_fake_check, store_with_copies


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_with_copies(str(tmp_path / "store"))


@pytest.fixture
def fake_calls(monkeypatch) -> list[str]:
    """The calls of the fake check that replaces corrupt."""
    return install_fake_check(monkeypatch)
