"""The training loop: resuming after a kill, alarms, early stopping, time limits, callers in threads."""

import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audioae.errors import ModelError
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.train_config import TrainConfig
from audioae.model.training import TrainResult, fit
from audioae.model.weights import model_to_bytes

SHORT = TrainConfig(
    steps=12, batch_size=16, warmup=2, log_every=1, validate_every=4, checkpoint_every=3, accelerator="cpu"
)


class InMemory:
    """Checkpoints of one run, in memory."""

    def __init__(self):
        self.content: bytes | None = None
        self.saved = 0

    def load(self) -> bytes | None:
        return self.content

    def save(self, content: bytes) -> None:
        self.content = content
        self.saved += 1


class Interrupted(Exception):  # noqa: N818 - stands for a kill, not for an error
    pass


def stop_at(step: int):
    """Make a callback that interrupts the run when `step` is logged."""

    def on_row(row: dict[str, Any]) -> None:
        if row["step"] == step:
            raise Interrupted

    return on_row


def rows_of(result: TrainResult, split: str) -> list[dict[str, Any]]:
    return [row for row in result.metrics if row["split"] == split]


@pytest.fixture(scope="module")
def undisturbed(tiny: ModelConfig, clips: ClipSet) -> TrainResult:
    return fit(tiny, SHORT, clips)


@pytest.mark.parametrize("step", [1, 3, 4, 8, 11, 12])
def test_a_run_interrupted_at_any_step_ends_with_the_same_weights(
    tiny: ModelConfig, clips: ClipSet, undisturbed: TrainResult, step: int
):
    checkpoints = InMemory()
    with pytest.raises(Interrupted):
        fit(tiny, SHORT, clips, checkpoints=checkpoints, on_progress=stop_at(step))
    resumed = fit(tiny, SHORT, clips, checkpoints=checkpoints)
    assert model_to_bytes(resumed.model) == model_to_bytes(undisturbed.model)
    wanted = [{k: v for k, v in row.items() if k != "clips_per_s"} for row in undisturbed.metrics]
    assert [{k: v for k, v in row.items() if k != "clips_per_s"} for row in resumed.metrics] == wanted


def test_variants_with_random_bottlenecks_resume_exactly(clips: ClipSet):
    config = ModelConfig.model_validate(
        {
            "channels": [2, 4],
            "head": {"kind": "flat"},
            "bottleneck": {"kind": "gaussian"},
            "corruption": {"kind": "gaussian"},
            "terms": [{"kind": "mse"}, {"kind": "kl"}, {"kind": "contractive", "weight": 0.001}],
        }
    )
    checkpoints = InMemory()
    with pytest.raises(Interrupted):
        fit(config, SHORT, clips, checkpoints=checkpoints, on_progress=stop_at(8))
    resumed = fit(config, SHORT, clips, checkpoints=checkpoints)
    assert model_to_bytes(resumed.model) == model_to_bytes(fit(config, SHORT, clips).model)


CHILD = """
    import sys
    from pathlib import Path

    import torch

    sys.path.insert(0, sys.argv[1])
    from conftest import make_clips

    from audioae.model.config import ModelConfig
    from audioae.model.train_config import TrainConfig
    from audioae.model.training import fit

    folder = Path(sys.argv[2])


    class OnDisk:
        def load(self):
            return None

        def save(self, content):
            (folder / "temporary").write_bytes(content)
            (folder / "temporary").replace(folder / "checkpoint")


    torch.set_num_threads(1)
    config = TrainConfig.model_validate_json(sys.argv[3])
    on_row = lambda row: print(row["step"], flush=True)
    fit(ModelConfig(channels=(2, 4, 4, 8)), config, make_clips(), checkpoints=OnDisk(), on_progress=on_row)
"""


def test_another_process_resumes_a_killed_run_exactly(tmp_path: Path, tiny: ModelConfig, clips: ClipSet):
    script = tmp_path / "child.py"
    script.write_text(textwrap.dedent(CHILD))
    arguments = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path), SHORT.model_dump_json()]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 8:
            child.send_signal(signal.SIGKILL)
            break
    assert child.wait() == -signal.SIGKILL
    checkpoints = InMemory()
    checkpoints.content = (tmp_path / "checkpoint").read_bytes()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resumed, whole = fit(tiny, SHORT, clips, checkpoints=checkpoints), fit(tiny, SHORT, clips)
    finally:
        torch.set_num_threads(threads)
    assert model_to_bytes(resumed.model) == model_to_bytes(whole.model)


def test_a_finished_run_trains_no_further(tiny: ModelConfig, clips: ClipSet, undisturbed: TrainResult):
    checkpoints = InMemory()
    fit(tiny, SHORT, clips, checkpoints=checkpoints)
    rows: list[dict[str, Any]] = []
    second = fit(tiny, SHORT, clips, checkpoints=checkpoints, on_progress=rows.append)
    assert rows == []
    assert model_to_bytes(second.model) == model_to_bytes(undisturbed.model)


def test_a_checkpoint_of_another_run_is_refused(tiny: ModelConfig, clips: ClipSet):
    checkpoints = InMemory()
    fit(tiny, SHORT, clips, checkpoints=checkpoints)
    with pytest.raises(ModelError, match=r"belongs to another run \(different: train\); delete it"):
        fit(tiny, SHORT.model_copy(update={"seed": 1}), clips, checkpoints=checkpoints)
    checkpoints.content = b"half a checkpoint"
    with pytest.raises(ModelError, match="17 bytes cannot be read"):
        fit(tiny, SHORT, clips, checkpoints=checkpoints)


def test_a_run_in_a_thread_gives_the_same_model_and_changes_no_global_state(
    tiny: ModelConfig, clips: ClipSet, undisturbed: TrainResult
):
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    numpy_before = np.random.get_state(legacy=False)
    results: list[TrainResult] = []
    thread = threading.Thread(target=lambda: results.append(fit(tiny, SHORT, clips)))
    thread.start()
    thread.join()
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_equal(np.random.get_state(legacy=False), numpy_before)
    assert torch.get_num_threads() == threads
    assert model_to_bytes(results[0].model) == model_to_bytes(undisturbed.model)


def test_metrics_have_a_row_per_step_and_validation(undisturbed: TrainResult):
    train, held = rows_of(undisturbed, "train"), rows_of(undisturbed, "held_out")
    assert [row["step"] for row in train] == list(range(1, 13))
    assert [row["step"] for row in held] == [4, 8, 12]
    assert set(train[0]) == {
        "step", "split", "loss", "mse", "commitment", "info_nce", "perplexity", "dead_codes",
        "grad_norm", "learning_rate", "clips_per_s",
    }  # fmt: skip
    assert set(held[0]) == {"step", "split", "loss", "mse", "commitment", "info_nce"}
    assert undisturbed.originals.shape == undisturbed.reconstructions.shape
    assert undisturbed.originals.shape[1:] == (128, 130)
    assert undisturbed.stopped_because == "steps"


def test_embeddings_are_centered_and_scaled_over_training_clips(undisturbed: TrainResult, clips: ClipSet):
    train_rows, _ = clips.split(SHORT.held_out)
    with torch.no_grad():
        embeddings = undisturbed.model.embed(torch.from_numpy(clips.codes[train_rows]))
    assert embeddings.mean(dim=0).abs().max() < 1e-3
    assert embeddings.square().mean().item() == pytest.approx(1, abs=1e-3)


def test_a_resumed_run_continues_its_tensorboard_log(tiny: ModelConfig, clips: ClipSet, tmp_path: Path):
    checkpoints = InMemory()
    with pytest.raises(Interrupted):
        fit(tiny, SHORT, clips, checkpoints=checkpoints, log_dir=tmp_path, on_progress=stop_at(8))
    fit(tiny, SHORT, clips, checkpoints=checkpoints, log_dir=tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss/train")] == list(range(1, 13))
    assert [event.step for event in events.Scalars("mse/held_out")] == [4, 8, 12]


def test_early_stop_returns_the_best_model(tiny: ModelConfig, clips: ClipSet):
    config = TrainConfig(
        steps=400, batch_size=16, learning_rate=1.0, warmup=0, validate_every=2, patience=2, log_every=100,
        clip_norm=1e3, accelerator="cpu",
    )  # fmt: skip
    linear = ModelConfig.model_validate(
        {"channels": [2, 4], "bottleneck": {"kind": "linear"}, "terms": [{"kind": "mse"}], "augment": None}
    )
    result = fit(linear, config, clips)
    losses = [row["loss"] for row in rows_of(result, "held_out")]
    assert result.stopped_because == "patience"
    assert result.steps == 2 * len(losses) < 400
    assert losses.index(min(losses)) == len(losses) - 3


def test_max_minutes_ends_a_run(tiny: ModelConfig, clips: ClipSet):
    result = fit(tiny, SHORT.model_copy(update={"steps": 100_000, "max_minutes": 0.01}), clips)
    assert result.stopped_because == "max_minutes"
    assert 0 < result.steps < 100_000


def test_one_step_is_made_however_short_the_time(tiny: ModelConfig, clips: ClipSet):
    result = fit(tiny, SHORT.model_copy(update={"max_minutes": 1e-9}), clips)
    assert (result.steps, result.stopped_because) == (1, "max_minutes")


def test_bfloat16_and_float32_reach_a_similar_loss(tiny: ModelConfig, clips: ClipSet):
    runs = [fit(tiny, SHORT.model_copy(update={"precision": p}), clips) for p in ("32-true", "bf16-mixed")]
    losses = [rows_of(run, "held_out")[-1]["loss"] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_pca_is_fitted_by_the_same_function(clips: ClipSet):
    result = fit(ModelConfig(kind="pca"), SHORT, clips)
    held = rows_of(result, "held_out")
    assert 0 < held[0]["mse"] < 1
    assert model_to_bytes(result.model) == model_to_bytes(fit(ModelConfig(kind="pca"), SHORT, clips).model)


def test_a_diverging_loss_stops_the_run(tiny: ModelConfig, clips: ClipSet):
    config = SHORT.model_copy(update={"learning_rate": 1e30, "warmup": 0, "clip_norm": 1e30, "precision": "32-true"})
    with pytest.raises(
        ModelError, match=r"training step \d+: .*(nan|inf), wanted finite numbers; lower train.learning"
    ):
        fit(tiny, config, clips)


def test_a_collapsed_codebook_stops_the_run(tiny: ModelConfig, clips: ClipSet):
    silent = ClipSet(np.zeros_like(clips.codes), clips.peak_db, clips.track)
    config = ModelConfig.model_validate(
        {
            "channels": [2, 4],
            "bottleneck": {"kind": "vq", "decay": 0.5},
            "terms": [{"kind": "mse"}, {"kind": "commitment"}],
            "augment": None,
        }
    )
    with pytest.raises(ModelError, match=r"codebook collapse, perplexity [1-4]\.\d of 256 codes, wanted at least 5\.1"):
        fit(config, TrainConfig(steps=50, batch_size=8, log_every=5, collapse_grace=20, accelerator="cpu"), silent)


def test_training_without_clips_is_an_error(tiny: ModelConfig):
    empty = ClipSet(np.zeros((0, 128, 130), np.uint8), np.zeros(0, np.float32), np.zeros(0, np.int64))
    with pytest.raises(ModelError, match="got 0 clips"):
        fit(tiny, SHORT, empty)
