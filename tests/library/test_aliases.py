"""The IDs of other systems, in both directions."""

from pathlib import Path

import pyarrow as pa
import pytest

from audioae.errors import UnknownTrackError
from audioae.library.aliases import Aliases
from audioae.library.generation import Generation
from audioae.pipeline.alias_namespaces import Namespace, update_namespaces
from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS
from tests.stores import made_store

ROWS = [("b", "t01"), ("é", "t02"), ("a", "t01"), ("gone", "t99"), ("x" * 4000, "t00")]


def import_rows(store: Store, namespace: str, rows: list[tuple[str, str]]) -> None:
    """Publish aliases as an import does: sorted by ID, in parts."""
    values = [(namespace, external_id, track_id, "path") for external_id, track_id in sorted(rows)]
    names = []
    for half in (values[:2], values[2:]):
        columns = [pa.array(column, pa.string()) for column in zip(*half, strict=True)]
        names.append(f"{namespace}-{half[0][1]}")
        store.write_part("aliases", names[-1], pa.Table.from_arrays(columns, schema=DATASETS["aliases"].schema))
    update_namespaces(store, {namespace: Namespace(parts=tuple(names), rows=len(rows), tracks="tracks@1")})


def opened(store: Store) -> Aliases:
    return Generation(store).aliases


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = made_store(tmp_path_factory.mktemp("store"), 6, same_bytes={3: 2})
    import_rows(store, "navidrome", ROWS)
    import_rows(store, "jellyfin", [("a", "t03"), ("b", "t04"), ("c", "t05")])
    return store


def test_ids_lead_to_tracks(store: Store):
    aliases = opened(store)
    assert aliases.namespaces == ("jellyfin", "navidrome")
    known = [external_id for external_id, _ in ROWS if external_id != "gone"]
    found = {external_id: aliases.track_id("navidrome", external_id) for external_id in known}
    assert found == {"a": "t01", "b": "t01", "é": "t02", "x" * 4000: "t00"}
    assert aliases.track_id("jellyfin", "a") == "t03", "an alias of a copy names the copy"


def test_tracks_lead_to_ids_the_first_in_order(store: Store):
    aliases = opened(store)
    asked = ["t02", "t01", "nobody", "t00", "t05", "t01"]
    assert aliases.external_ids("navidrome", asked) == ["é", "a", None, "x" * 4000, None, "a"]
    assert aliases.external_ids("navidrome", []) == []
    assert aliases.external_ids("nothing", asked) == [None] * 6


def test_the_tracks_of_a_namespace(store: Store):
    aliases = opened(store)
    assert aliases.rows("navidrome").tolist() == [0, 1, 2]  # not the one that is gone
    assert aliases.rows("jellyfin").tolist() == [3, 4, 5]
    assert aliases.rows("nothing").tolist() == []


def test_a_mapped_namespace_answers_like_one_in_memory(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path))
    for _ in range(2):
        aliases = opened(Store(store.root, verify=False))
        aliases.warm()
        assert aliases.external_ids("navidrome", ["t02", "t01", "nobody"]) == ["é", "a", None]
        assert (aliases.track_id("navidrome", "é"), aliases.rows("navidrome").tolist()) == ("t02", [0, 1, 2])
    assert len([path for path in tmp_path.iterdir() if path.name.startswith("aliases-1")]) == 2


def test_a_generation_keeps_its_aliases_and_is_no_longer_current(tmp_path: Path):
    store = made_store(tmp_path, 4)
    library = Generation(store)
    import_rows(store, "navidrome", [("a", "t01"), ("b", "t02"), ("c", "t03")])
    assert library.aliases.namespaces == ()
    assert not library.is_current()
    later = Generation(store)
    assert (later.is_current(), later.aliases.track_id("navidrome", "a")) == (True, "t01")
    later.warm()


@pytest.mark.parametrize(
    ("namespace", "external_id", "message"),
    [
        ("navidrome", "zzz", "no alias 'zzz' in the namespace 'navidrome', which has 5"),
        ("navidrome", "", "no alias ''"),
        ("navidrome", "\ud800", "no alias"),
        ("navidrome", "gone", "an alias of a track that was removed from the catalog; import the namespace again"),
        ("plex", "a", "no namespace 'plex' of aliases: the store has the namespaces 'jellyfin', 'navidrome'"),
    ],
)
def test_what_is_unknown_is_said(store: Store, namespace: str, external_id: str, message: str):
    with pytest.raises(UnknownTrackError, match=message):
        opened(store).track_id(namespace, external_id)


def test_a_store_without_aliases_has_none(tmp_path: Path):
    aliases = opened(made_store(tmp_path, 2))
    assert (aliases.namespaces, aliases.external_ids("a", ["t00"])) == ((), [None])
    with pytest.raises(UnknownTrackError, match="has none yet; `audioae aliases import` adds one"):
        aliases.track_id("a", "b")
