"""Drift: whether the tracks that came since the training of a model differ from those that it was trained on."""

from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def last_drift(store: Store, model: DatasetRef):
    """The newest report on `model`; None without one."""
    return
