"""Training on several nodes: two processes on this machine that know nothing of each other but an address."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F

from audioae.config import parse_config
from audioae.errors import ConfigError, ModelError
from audioae.model.devices import launch
from audioae.model.losses import gather_pairs, info_nce
from audioae.model.train_config import TrainConfig
from audioae.store.dataset import Store
from tests.conftest import free_port
from tests.pipeline.made_mels import commit_mels_and_tracks

NODE = """
    import sys

    from audioae.model.config import ModelConfig
    from audioae.pipeline.config import TrainStageConfig
    from audioae.pipeline.train import train_model
    from audioae.store.dataset import Store

    if __name__ == "__main__":
        store = Store(sys.argv[1])
        config = TrainStageConfig.model_validate_json(sys.argv[2])
        rows = lambda step, steps, numbers: print(step, numbers, flush=True)
        model = ModelConfig(channels=(2, 4, 4, 8))
        print("model", train_model(store, model, config, store.require("mels"), on_progress=rows))
"""


def test_two_nodes_train_one_model_on_a_stream_and_publish_it_once(tmp_path: Path):
    store = Store(str(tmp_path / "store"))
    commit_mels_and_tracks(store, n_shards=4, tracks_per_shard=50, clips_per_track=4)
    script = tmp_path / "node.py"
    script.write_text("\n".join(line[4:] for line in NODE.splitlines()))
    config = TrainConfig(
        steps=24, batch_size=32, warmup=2, log_every=4, validate_every=12, checkpoint_every=12, num_nodes=2,
        accelerator="cpu", precision="32-true",
    )  # fmt: skip
    settings = {**config.model_dump(mode="json"), "max_clips": None}
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, str(script), store.root, json.dumps(settings)]
    nodes = [
        subprocess.Popen(
            arguments, env={**os.environ, **shared, "NODE_RANK": str(rank), "PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    outputs = [node.communicate(timeout=900) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], outputs
    lines = [output.splitlines() for output, _ in outputs]
    model = store.require("model")
    assert [line[-1] for line in lines] == [f"model {model}"] * 2
    assert len(list(store.versions("model"))) == 1
    assert len(lines[1]) == 1  # only node 0 reports
    train, held_out = (
        [float(line.split("loss ")[1].split(",")[0]) for line in lines[0] if f" {split} " in line]
        for split in ("train", "held_out")
    )
    assert len(train) == 6
    first, last = held_out  # augmented noise is far from the fixed units' codes, and hides what is learned from it
    assert last < 0.9 * first


def test_a_node_must_know_its_number_and_where_node_0_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NODE_RANK", "1")
    for name in ("MASTER_ADDR", "MASTER_PORT"):  # Lightning leaves its port behind
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelError, match=r"num_nodes=2: MASTER_ADDR, MASTER_PORT not set; start the same command once"):
        launch(TrainConfig(num_nodes=2, accelerator="cpu"), lambda fabric: None)


def test_a_batch_is_shared_evenly():
    with pytest.raises(ConfigError, match=r"batch_size 16: wanted a multiple of 12, a pair for each of 3 devices on 2"):
        parse_config(TrainConfig, {"batch_size": 16, "devices": 3, "num_nodes": 2}, where="test")


def _gathered(rank: int, port: int, embedding: torch.Tensor, tracks: torch.Tensor, path: str) -> None:
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    pairs = embedding.shape[0] // 2
    rows = torch.arange(2 * pairs).view(2, -1)[:, rank::2].reshape(-1)
    own = embedding[rows].requires_grad_()
    loss = info_nce(*gather_pairs(own, tracks[rows]), 0.1)
    loss.backward()
    assert own.grad is not None
    torch.save((rows, loss.detach(), own.grad / 2), f"{path}/{rank}")  # DDP takes the mean over processes
    dist.destroy_process_group()


def test_info_nce_of_two_processes_has_loss_and_gradient_of_one(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    embedding, tracks = torch.randn(16, 8, generator=generator), torch.tensor([0, 1, 2, 3, 4, 5, 6, 6]).repeat(2)
    whole = embedding.clone().requires_grad_()
    expected = info_nce(whole, tracks, 0.1)
    expected.backward()
    spawn(_gathered, (free_port(), embedding, tracks, str(tmp_path)), nprocs=2)
    assert whole.grad is not None
    gradient = torch.zeros_like(embedding)
    for rank in (0, 1):
        rows, loss, own = torch.load(tmp_path / str(rank))
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
        gradient[rows] = own
    assert F.mse_loss(gradient, whole.grad).item() < 1e-14
