"""The choice of an index by size, memory and recall; wrong configs are rejected when they are read."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from audioae.config import load_config
from audioae.errors import ConfigError, SearchError
from audioae.search.factory import IndexConfig, choose_factory, fill_in

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "index").glob("*.yaml"))


@pytest.mark.parametrize(
    ("n", "bytes_each", "recall_target", "factory"),
    [
        (1, None, 0.95, "Flat"),
        (50_000, None, 0.99, "Flat"),
        (50_000, 300, 0.9, "IVF256,PQ128x4fs,Refine(SQ8)"),
        (1_000_000, None, 0.95, "IVF1024,PQ128x4fs,RFlat"),
        (1_000_000, 220, 0.95, "IVF1024,PQ128x4fs,Refine(SQ8)"),
        (1_000_000, 150, 0.95, "IVF1024,SQ8"),
        (1_000_000, 120, 0.95, "RR,IVF1024,RaBitQ5"),
        (10_000_000, None, 0.999, "IVF4096,PQ128x4fs,RFlat"),
        (100_000_000, 150, 0.95, "IVF8192,SQ8"),
    ],
)
def test_the_choice_follows_size_memory_and_recall(n: int, bytes_each: int | None, recall_target: float, factory: str):
    choice = choose_factory(n, 128, bytes_each and bytes_each * n, recall_target)
    assert choice.factory == factory
    assert f"{n:,} embeddings" in choice.reason
    assert bytes_each is None or choice.bytes_per_vector <= bytes_each


def test_the_message_about_too_little_memory_says_how_much_is_needed():
    with pytest.raises(SearchError, match=r"memory_bytes=1000: the smallest takes 1\d\d,\d{3},\d{3}; raise the memory"):
        choose_factory(1_000_000, 128, 1000, 0.95)


def test_the_number_of_lists_is_filled_in_only_if_it_is_missing():
    assert fill_in("RR,IVF,RaBitQ5", 100_000) == "RR,IVF256,RaBitQ5"
    assert fill_in("IVF37,SQ8", 100_000) == "IVF37,SQ8"
    assert fill_in("IVF,SQ8", 1) == "IVF1,SQ8"
    assert fill_in("HNSW32", 100_000) == "HNSW32"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_file_reads(path: Path):
    assert load_config(IndexConfig, path).recall_target == 0.95


def test_config_files_exist():
    assert {"auto", "flat", "hnsw", "ivf_sq8", "ivf_pq_refine", "ivf_rabitq"} <= {path.stem for path in CONFIGS}


@pytest.mark.parametrize("factory", ["HNSW", "flat", "IVF4096", "IVF,SQ8,Refine", "", "IVF,SQ8; rm"])
def test_an_unknown_factory_is_rejected_when_the_config_is_read(factory: str, tmp_path: Path):
    path = tmp_path / "index.yaml"
    path.write_text(f"factory: '{factory}'\n")
    with pytest.raises(ConfigError, match=r"index.yaml.*\n.*factory: got .*wanted auto or a factory string"):
        load_config(IndexConfig, path)


def test_values_out_of_range_are_rejected():
    with pytest.raises(ValidationError, match="recall_target"):
        IndexConfig(recall_target=1.5)
    with pytest.raises(ValidationError, match="nprobe"):
        IndexConfig(nprobe=0)
