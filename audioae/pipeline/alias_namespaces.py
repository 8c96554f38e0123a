"""The namespaces of the dataset `aliases`: which parts belong to which, and publishing a change of some of them.

Conventions
-----------
- A namespace has one name and any number of parts. The manifest's config lists them, so that a change of one namespace
  neither reads nor rewrites another.
- A version also records which namespaces it changed. Whoever publishes looks afterwards for versions that others
  published meanwhile, and publishes their changes and its own together until nothing is missing. If two change the
  same namespace, the later one counts.

Why not a lock: the store has none, so that it works on every medium. Of several writers the one that writes LATEST
last looks last, and then sees the manifests of all the others.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pydantic import TypeAdapter

from audioae.config import Config, fingerprint
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

ALIASES = "aliases"


class Namespace(Config):
    """One namespace of a version of `aliases`.

    parts : fingerprints of its parts.
    rows : its number of aliases.
    tracks : the version of `tracks` that it was matched with.
    imported_at : when, in ISO 8601.
    """

    parts: tuple[str, ...]
    rows: int
    tracks: str
    imported_at: str | None = None


Namespaces = dict[str, Namespace]
_NAMESPACES = TypeAdapter(Namespaces)


def read_namespaces(store: Store, ref: DatasetRef | None) -> Namespaces:
    """The namespaces of a version of `aliases` by name; none if there is no version."""
    return _NAMESPACES.validate_python(store.manifest(ref).config["namespaces"]) if ref else {}


def update_namespaces(store: Store, changes: Mapping[str, Namespace | None]) -> DatasetRef:
    """Publish `aliases` with some namespaces replaced, or removed (None); the others stay as they are.

    Parameters
    ----------
    store : Store
    changes : mapping of str to Namespace or None
        Their parts must exist.

    Returns
    -------
    DatasetRef
        The version that is current afterwards; it has these changes, and those that others published meanwhile.
    """
    pointer, base = store.pointer(ALIASES), store.latest(ALIASES)
    times = dict(store.versions(ALIASES))
    # A rollback leaves newer versions behind, which must not come back; else what is newer is just being published.
    pinned = pointer is not None and pointer.pin is not None
    earlier = {ref for ref, time in times.items() if base and (pinned or time <= times[base])}
    start = read_namespaces(store, base)
    _publish(store, _apply(start, changes), changes)
    while True:
        state, changed = start, set[str]()
        for ref in reversed(store.whole_versions(ALIASES)):
            if ref not in earlier:
                theirs, names = read_namespaces(store, ref), store.manifest(ref).config["changed"]
                state = _apply(state, {name: theirs.get(name) for name in names})
                changed.update(names)
        current = store.require(ALIASES)
        if read_namespaces(store, current) == state:
            return current
        _publish(store, state, changed)


def _apply(state: Namespaces, changes: Mapping[str, Namespace | None]) -> Namespaces:
    changed = {**state, **changes}
    return {name: changed[name] for name in sorted(changed) if changed[name]}  # pyright: ignore[reportReturnType]


def _publish(store: Store, state: Namespaces, changed: Iterable[str]) -> None:
    config = {
        "namespaces": {name: namespace.model_dump(mode="json") for name, namespace in state.items()},
        "changed": sorted(changed),
        "published_at": datetime.now(UTC).isoformat(),  # so that no two versions are one
    }
    parts = [part for namespace in state.values() for part in namespace.parts]
    store.commit(ALIASES, parts, recipe=fingerprint(config), config=config)
