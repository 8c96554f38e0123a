"""The memory that an index may take: of the machine, of its container, or set."""

import os

import pytest

from audioae.errors import SearchError
from audioae.search import memory
from audioae.search.build import choose
from audioae.search.factory import IndexConfig


def test_the_machine_has_what_the_kernel_says(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "none")
    with open("/proc/meminfo") as stream:
        total = int(next(line for line in stream if line.startswith("MemTotal")).split()[1]) * 1024
    assert memory.machine_memory() == pytest.approx(total, rel=0.01)


@pytest.mark.parametrize(("stated", "wanted"), [("1073741824\n", 1 << 30), ("max\n", None), (str(1 << 60), None)])
def test_a_container_may_have_less(stated: str, wanted: int | None, tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(stated)
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "memory.max")
    assert memory.machine_memory() == (wanted or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


@pytest.mark.parametrize(
    ("gib", "n", "kind"),
    [
        (2, 1_000_000, "PQ128x4fs,RFlat"),
        (1, 1_000_000, "PQ128x4fs,Refine(SQ8)"),
        (16, 10_000_000, "PQ128x4fs,RFlat"),
        (8, 10_000_000, "PQ128x4fs,Refine(SQ8)"),
        (8, 100_000_000, "RaBitQ5"),  # 12 GB: nothing fits, and the smallest is taken
    ],
)
def test_auto_looks_at_the_machine(gib: int, n: int, kind: str, monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: gib << 30)
    factory, reason = choose(n, 128, IndexConfig())
    assert factory.endswith(kind)
    assert f"half of this machine's memory, {gib / 2:.1f} GiB" in reason
    assert ("larger than" in reason) == (n == 100_000_000)


def test_a_limit_that_is_set_counts_instead(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 1 << 30)
    factory, reason = choose(10_000_000, 128, IndexConfig(memory_bytes=8 << 30))
    assert factory.endswith("RFlat")
    assert "index.memory_bytes, 8.0 GiB" in reason
    with pytest.raises(SearchError, match="no index of 100,000,000 embeddings"):
        choose(100_000_000, 128, IndexConfig(memory_bytes=1 << 30))


def test_a_small_index_says_nothing_about_memory():
    assert choose(100, 128, IndexConfig()) == ("Flat", "100 embeddings of 512 bytes: exact, and fast enough")
