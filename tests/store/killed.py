"""Run one operation on a store, and die by SIGKILL just before its n-th change that others can see."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.fsck import check_store, repair
from audioae.store.prune import prune
from audioae.store.upkeep import release, rollback
from tests.store.made import commit


def publish(store: Store) -> None:
    commit(store, a=("t1",), new=("t9",))


def publish_artifact(store: Store, recipe: str = "r") -> None:
    files, derived = {"index.faiss": b"vectors"}, {"gate.json": os.urandom(8).hex().encode()}
    commit_artifact(store, "index", files, derived=derived, recipe=recipe, config={}, parents=[])


OPERATIONS: dict[str, Callable[[Store], object]] = {
    "publish": publish,
    "publish_artifact": publish_artifact,
    "prune": lambda store: prune(store, keep=1, grace=timedelta(seconds=-5)),
    "rollback": lambda store: rollback(store, "rejects"),
    "release": lambda store: release(store, "rejects"),
    "repair": lambda store: repair(store, check_store(store)),
}


def dying(act: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """The same function, but the process dies before the call that counts `left` down to zero."""

    def call(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*arguments, **options)

    return call


if __name__ == "__main__":
    root, operation, n = sys.argv[1], sys.argv[2], [int(sys.argv[3])]
    store = Store(root)
    for owner, name in ((Path, "replace"), (os, "utime")):
        setattr(owner, name, dying(getattr(owner, name), n))
    store.storage.delete = dying(store.storage.delete, n)
    OPERATIONS[operation](store)
