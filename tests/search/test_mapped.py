"""A loaded index is mapped from its file: its answers, its memory, and files that are deleted while in use."""

import json
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pyarrow.parquet as pq
import pytest

from audioae.search.index import SearchIndex
from tests.search.made import FACTORIES, clustered, save_and_load, untuned_index

# Tracks in an index of about 60 MB. Loading may allocate a fifth of that; but FAISS needs 4-bit codes aligned in
# memory and therefore copies them: 64 of 204 bytes per embedding with Refine(SQ8).
LARGE = {"Flat": 120_000, "HNSW32": 80_000, "IVF64,SQ8": 400_000, "RR,IVF64,RaBitQ5": 500_000}
LARGE |= {"IVF64,PQ128x4fs,RFlat": 100_000, "IVF64,PQ128x4fs,Refine(SQ8)": 300_000}

# The memory that a call allocates, if only for a moment. Pages of a mapped file (RssFile) are not counted: the system
# shares them between processes and may drop them at any time. `resident` counts them too.
MEASURED = """
import json, sys
from pathlib import Path
import pyarrow.parquet as pq
from audioae.search.index import SearchIndex

def memory(*names):
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return [1024 * int(lines[name].split()[0]) for name in names]

def growth(call):
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts at the current value
    resident, mapped = memory("VmRSS", "RssFile")
    result = call()
    peak, still_mapped = memory("VmHWM", "RssFile")
    return result, {"allocated": peak - resident - max(still_mapped - mapped, 0), "resident": peak - resident}

folders = [Path(folder) for folder in sys.argv[1:]]
small, large = ([folder / name for name in SearchIndex.FILES] for folder in folders[:2])
SearchIndex.load(*small).search([[1.0] * 128], 1)  # imports everything
pq.read_table(large[1])["track_id"].combine_chunks()  # Arrow keeps this memory for the IDs, which are not counted
index, loading = growth(lambda: SearchIndex.load(*large))
_, saving = growth(lambda: index.save(folders[2]))
print(json.dumps([loading, saving]))
"""


@pytest.fixture(scope="module", params=FACTORIES)
def index(request) -> SearchIndex:
    return untuned_index(request.param, clustered(12_000, seed=3))


def answers(index: SearchIndex) -> list[np.ndarray]:
    queries, allowed = clustered(70, seed=9), np.arange(0, len(index), 3)
    batches = [*index.search(queries, 10), *index.search(queries, 10, allowed)]
    return [*batches, *index.search(queries[:1], 10), index.embeddings(np.array([5, 11_999, 0]))]


def answer_alike(index: SearchIndex, other: SearchIndex) -> bool:
    return all(np.array_equal(*pair) for pair in zip(answers(index), answers(other), strict=True))


def test_a_mapped_index_answers_like_the_one_in_memory(index: SearchIndex, tmp_path: Path):
    mapped = save_and_load(index, tmp_path / "first")
    assert answer_alike(mapped, index)
    assert answer_alike(save_and_load(mapped, tmp_path / "second"), index)
    first, second = ((tmp_path / name / "index.faiss").read_bytes() for name in ("first", "second"))
    assert first == second


def test_a_mapped_index_outlives_its_files(index: SearchIndex, tmp_path: Path):
    """`prune` may delete a version, or another file may take its place, while a process still answers from it."""
    mapped = save_and_load(index, tmp_path / "index")
    for path in (tmp_path / "index").iterdir():
        (tmp_path / "other").write_bytes(b"other content")
        (tmp_path / "other").replace(path)
    assert answer_alike(mapped, index)
    for path in (tmp_path / "index").iterdir():
        path.unlink()
    assert answer_alike(mapped, index)


@pytest.mark.parametrize("factory", ["IVF64,SQ8", "RR,IVF64,RaBitQ5"])
def test_an_index_stored_without_its_table_of_rows_can_decode_them(factory: str, tmp_path: Path):
    """Older versions of audioae stored it that way."""
    index = untuned_index(factory, clustered(12_000, seed=3))
    vectors, ids = index.save(tmp_path).values()
    old = faiss.read_index(str(vectors))
    faiss.extract_index_ivf(old).make_direct_map(False)
    faiss.write_index(old, str(vectors))
    recorded = json.loads((pq.read_schema(ids).metadata or {})[b"audioae"])["sha256"]
    loaded = SearchIndex.load(vectors, ids, sha256=recorded)
    assert answer_alike(loaded, index)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize("factory", LARGE)
def test_loading_and_saving_allocate_little_memory(factory: str, tmp_path: Path):
    n = LARGE[factory]
    embeddings = np.random.default_rng(0).standard_normal((n, 128), np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    folders = [tmp_path / name for name in ("small", "large", "saved")]
    for folder in folders:
        folder.mkdir()
    untuned_index(factory, embeddings[:10_000]).save(folders[0])
    untuned_index(factory, embeddings).save(folders[1])
    run = [sys.executable, "-c", MEASURED, *map(str, folders)]
    process = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    loading, saving = json.loads(process.stdout)
    size = (folders[1] / "index.faiss").stat().st_size
    assert size > 55e6
    assert loading["allocated"] < (0.45 if "Refine(SQ8)" in factory else 0.2) * size
    assert saving["allocated"] < 0.3 * size
    if factory == "Flat":
        assert loading["resident"] < 0.2 * size
