"""Parts written block by block, in a local folder and on an S3 server alike."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from audioae.errors import StoreError
from audioae.store.dataset import Store
from audioae.store.parquet import GROUP_ROWS, encode
from audioae.store.schemas import MELS
from audioae.store.storage import UNFINISHED, Storage
from tests.store.made import commit, rejects

N = 2 * GROUP_ROWS["mels"] + 100


def mels(n: int) -> pa.Table:
    """Rows of `mels`, of one track each, with different noise."""
    codes = np.random.default_rng(1).integers(0, 256, (n, 16640), np.uint8)
    mel_type = MELS.field("mel").type
    if pa.types.is_fixed_size_binary(mel_type):
        mel = pa.FixedSizeBinaryArray.from_buffers(mel_type, n, [None, pa.py_buffer(codes)])
    else:
        mel = pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), type=mel_type)
    columns = [[f"t{i:05d}" for i in range(n)], [0] * n, [1.5] * n, [-3.0] * n, [False] * n]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, list(MELS)[:-1], strict=True)]
    return pa.Table.from_arrays([*arrays, mel], schema=MELS)


@pytest.mark.parametrize("cut", [1, 700, 3000])
def test_blocks_of_any_size_give_the_bytes_of_the_whole(store_root, cut: int):
    store, table = Store(store_root), mels(N if cut > 1 else 5)
    with store.part_writer("mels") as writer:
        for start in range(0, table.num_rows, cut):
            writer.write(table.slice(start, cut))
        assert (writer.rows, store.part_fingerprints("mels")) == (table.num_rows, set())
        writer.finish("a")
    whole = encode("mels", table)
    assert store.storage.read("mels/parts/a.parquet") == whole.to_pybytes()
    assert store.read_part("mels", "a").equals(table)
    blocks = list(store.part_blocks("mels", "a", ["track_id"], rows=500))
    assert [block.num_rows for block in blocks] == [min(500, table.num_rows - s) for s in range(0, table.num_rows, 500)]
    assert pa.concat_tables(blocks)["track_id"].equals(table["track_id"])


def test_a_part_without_rows_has_the_bytes_of_an_empty_table(store_root):
    store = Store(store_root)
    with store.part_writer("mels") as writer:
        writer.finish("none")
    assert store.storage.read("mels/parts/none.parquet") == encode("mels", MELS.empty_table()).to_pybytes()
    assert [block.num_rows for block in store.part_blocks("mels", "none")] == []


def write(store: Store, *tables: pa.Table) -> None:
    with store.part_writer("rejects") as writer:
        for table in tables:
            writer.write(table)
        writer.finish("a")


def test_what_is_not_finished_leaves_nothing(store_root):
    store = Store(store_root)
    with pytest.raises(StoreError, match="wrong columns"):
        write(store, rejects("t1"), rejects("t2").drop_columns(["detail"]))
    with store.part_writer("rejects") as writer:
        writer.write(rejects("t1"))
    assert (store.storage.list("rejects"), store.storage.list_unfinished("rejects")) == ({}, {})


def test_an_existing_part_is_not_overwritten(store_root):
    store = Store(store_root)
    store.write_part("rejects", "a", rejects("t1"))
    with store.part_writer("rejects") as writer:
        writer.write(rejects("t2"))
        writer.finish("a")
    assert store.read_part("rejects", "a")["track_id"].to_pylist() == ["t1"]


def test_a_wrong_table_is_rejected(store_root):
    store = Store(store_root)
    with pytest.raises(StoreError, match=r"missing \['detail'\]"), store.part_writer("rejects") as writer:
        writer.write(rejects("t1").drop_columns(["detail"]))
    assert store.part_fingerprints("rejects") == set()


def test_a_lost_part_that_comes_out_differently_gives_up_its_version(store_root):
    store = Store(store_root)
    ref = commit(store, a=("t1",))
    store.storage.delete("rejects/parts/a.parquet")
    again = Store(store_root)
    with again.part_writer("rejects") as writer:
        writer.write(rejects("t2"))
        writer.finish("a")
    assert not again.has_version(ref)
    assert again.read_part("rejects", "a")["track_id"].to_pylist() == ["t2"]


def test_blocks_of_a_damaged_part_are_not_given(store_root):
    store = Store(store_root)
    commit(store, a=("t1",))
    content = bytearray(store.storage.read("rejects/parts/a.parquet"))
    content[30] ^= 4
    store.storage.write("rejects/parts/a.parquet", bytes(content))
    with pytest.raises(StoreError, match=r"a\.parquet: content differs from the manifest"):
        next(Store(store_root).part_blocks("rejects", "a"))


def test_memory_is_that_of_a_group(tmp_path: Path):
    """300 MB of mels go through 1,024 rows at a time."""
    code = (
        "import resource, sys\n"
        "from audioae.store.dataset import Store\n"
        "from tests.store.test_part_writer import mels\n"
        "store, block = Store(sys.argv[1]), mels(512)\n"
        "with store.part_writer('mels') as writer:\n"
        "    for i in range(int(sys.argv[2])):\n"
        "        writer.write(block)\n"
        "    writer.finish('a')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    peaks = []
    for blocks in (4, 36):
        command = [sys.executable, "-c", code, str(tmp_path / str(blocks)), str(blocks)]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] < peaks[0] + 60, f"{peaks} MiB at the peak, of 34 and 306 MB"


def test_a_failed_upload_leaves_no_object(s3_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Closing pyarrow's stream completes the upload; half a file must not become a part."""
    storage, source = Storage(s3_root), tmp_path / "source"
    source.write_bytes(bytes(3 << 20))
    monkeypatch.setattr("audioae.store.storage.BLOCK", 1 << 20)
    reads = []

    class Failing:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.stream.close()

        def read(self, n: int) -> bytes:
            reads.append(n)
            if len(reads) > 2:
                raise KeyboardInterrupt
            return self.stream.read(n)

    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r": Failing(opened(path, mode)))
    with pytest.raises(KeyboardInterrupt):
        storage.move_file("parts/a", source)
    assert len(reads) == 3
    assert not storage.exists("parts/a")
    monkeypatch.undo()
    storage.move_file("parts/a", source)
    assert hashlib.sha256(storage.read("parts/a")).digest() == hashlib.sha256(bytes(3 << 20)).digest()
    assert UNFINISHED not in "".join(storage.list("parts"))
