"""The file of an index that is written from entries: byte for byte what FAISS writes after `add`."""

import faiss
import numpy as np
import pytest

from audioae.errors import SearchError
from audioae.search import engine
from audioae.search.entries import Entries, coarse_distances, encode_entries, keeps_embeddings
from audioae.search.index_file import write_index_file
from tests.search.made import clustered

FACTORIES = (
    "IVF64,Flat",
    "IVF64,SQ8",
    "IVF64,PQ64x4fs",
    "IVF64,PQ128x4fs,RFlat",
    "IVF64,PQ128x4fs,Refine(SQ8)",
    "IVF64_HNSW32,PQ128x4fs,Refine(SQ8)",
    "RR,IVF64,RaBitQ5",
    "RR,IVF64,PQ128x4fs,RFlat",
)
BLOCK = 700


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    return clustered(3_000, seed=1)


def trained(factory: str, embeddings: np.ndarray):
    index = engine.empty_index(factory, 128)
    engine.train(index, embeddings[:1_000], factory)
    return index


def write(path, factory: str, embeddings: np.ndarray) -> None:
    index = trained(factory, embeddings)
    blocks = []
    for start in range(0, len(embeddings), BLOCK):
        block = embeddings[start : start + BLOCK]
        entries = encode_entries(index, block)
        if keeps_embeddings(index):
            entries = entries._replace(refined=block.view(np.uint8))
        blocks.append(entries)
    lists = np.concatenate([block.lists for block in blocks])
    write_index_file(path, index, np.bincount(lists, minlength=64), lambda: blocks)


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_file_is_what_faiss_writes(factory: str, embeddings, tmp_path):
    write(tmp_path / "index.faiss", factory, embeddings)
    index = trained(factory, embeddings)
    for start in range(0, len(embeddings), BLOCK):  # another size rounds the rotation otherwise
        engine.add(index, embeddings[start : start + BLOCK])
    engine.finish(index)
    engine.write(index, tmp_path / "theirs.faiss")
    assert (tmp_path / "index.faiss").read_bytes() == (tmp_path / "theirs.faiss").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.faiss", "theirs.faiss"], "nothing is left over"


@pytest.mark.parametrize("factory", ["IVF64,SQ8", "IVF64,PQ128x4fs,RFlat"])
def test_empty_lists_are_written_as_faiss_does(factory: str, embeddings, tmp_path):
    """Ten rows fill less than half of the lists."""
    index = trained(factory, embeddings)
    entries = encode_entries(index, embeddings[:10])
    if keeps_embeddings(index):
        entries = entries._replace(refined=embeddings[:10].view(np.uint8))
    write_index_file(tmp_path / "a", index, np.bincount(entries.lists, minlength=64), lambda: [entries])
    index = trained(factory, embeddings)
    engine.add(index, embeddings[:10])
    engine.finish(index)
    engine.write(index, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_full_disk_is_reported(embeddings, tmp_path, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "memmap", full)
    with pytest.raises(SearchError, match=r"the index cannot be written .*No space left.*free space"):
        write(tmp_path / "index.faiss", "IVF64,SQ8", embeddings)


def test_the_distance_to_the_nearest_center_is_that_of_the_quantizer(embeddings):
    for factory in ("IVF64,SQ8", "RR,IVF64,RaBitQ5"):
        index = trained(factory, embeddings)
        ivf = faiss.extract_index_ivf(index)
        centers = ivf.quantizer.reconstruct_n(0, 64)
        rotated = embeddings
        if factory.startswith("RR"):
            rotation = faiss.downcast_index(index).chain.at(0)  # pyright: ignore[reportAttributeAccessIssue]
            rotated = faiss.downcast_VectorTransform(rotation).apply(embeddings)
        wanted = ((rotated[:50, None] - centers[None]) ** 2).sum(-1).min(1)
        assert np.allclose(coarse_distances(index, embeddings[:50]), wanted, atol=1e-4)


def test_entries_are_those_of_single_rows(embeddings):
    index = trained("IVF64,PQ128x4fs,Refine(SQ8)", embeddings)
    together = encode_entries(index, embeddings[:20])
    alone = [encode_entries(index, embeddings[row : row + 1]) for row in range(20)]
    for name in Entries._fields:
        assert np.array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in alone]))
