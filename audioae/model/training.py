"""Training: one loop, to be read from top to bottom, on a CPU, a GPU, several GPUs or several nodes.

Conventions
-----------
- The batch of a step and every random draw in it are functions of (seed, step). A run that is killed at any moment and
  resumed ends with bit-identical weights, on a CPU with the same number of threads.
- Weights depend on the clock only if `max_minutes` is set: it ends the run, and it anneals the learning rate by the
  share of the time used where that is ahead of the share of the steps.
- Whole tracks are held out, never single clips. The held-out loss uses the term weights of the last step, so schedules
  do not change it.
- The result is the last model, or the best one after an early stop.
- Every process takes its share of every batch; the consistency terms compare clips across all of them. What decides
  about the run (time, held-out loss) is decided by process 0.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from audioae.errors import ModelError
from audioae.model.alarms import Patience, check_codebook, check_finite
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.batches import Share, open_batches
from audioae.model.checkpoints import Checkpoints, pack, unpack
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet, ClipStream, PairSampler
from audioae.model.devices import launch, relayed
from audioae.model.fitting import examples, fit_embedding, fit_pca, pca_error, prepare
from audioae.model.logs import Logs
from audioae.model.pace import Pace
from audioae.model.pca import PcaModel
from audioae.model.train_config import TrainConfig, compiles, learning_rate, n_steps

if TYPE_CHECKING:
    from lightning.fabric import Fabric

VALIDATION_BATCHES = 4


@dataclass(frozen=True)
class TrainResult:
    """`metrics` has one row per logged step and split; `originals` and `reconstructions` are dB, (k, 128, 130)."""

    model: ConvAutoencoder | PcaModel
    metrics: list[dict[str, Any]]
    steps: int
    stopped_because: Literal["steps", "patience", "max_minutes"]
    originals: np.ndarray
    reconstructions: np.ndarray


OnRow = Callable[[dict[str, Any]], None]
"""Called with each row of metrics: step, split, and a number per name."""


def fit(
    model_config: ModelConfig,
    train_config: TrainConfig,
    clips: ClipSet | ClipStream,
    *,
    checkpoints: Checkpoints | None = None,
    log_dir: Path | None = None,
    on_progress: OnRow | None = None,
    say: Callable[[str], None] | None = None,
) -> TrainResult:
    """Train a model on `clips`, or resume from `checkpoints`.

    Parameters
    ----------
    model_config, train_config : ModelConfig, TrainConfig
    clips : ClipSet or ClipStream
        The PCA baseline is fitted to the sample of a stream.
    checkpoints : Checkpoints, optional
        Read at the start, and written every `checkpoint_every` steps.
    log_dir : Path, optional
        TensorBoard's folder; a resumed run appends to it.
    on_progress : callable, optional
        Called with each row of metrics when it is logged.
    say : callable, optional
        Called with a sentence on how long training will take, after the first steps.

    Raises
    ------
    ModelError
        If there are no clips, a loss is not finite, a codebook collapses, or the checkpoint belongs to another run.
    """
    in_memory = clips.sample if isinstance(clips, ClipStream) else clips
    if len(in_memory.codes) == 0:
        raise ModelError("training: got 0 clips, wanted at least 1; were all tracks rejected? See `audioae coverage`")
    if model_config.kind == "pca":
        return _fit_pca(train_config, in_memory, on_progress)
    with relayed(train_config, on_progress=on_progress, say=say) as callbacks:
        run = partial(
            _train,
            model_config=model_config,
            config=train_config,
            clips=clips,
            in_memory=in_memory,
            checkpoints=checkpoints,
            log_dir=log_dir,
            **callbacks,
        )
        return launch(train_config, run)


def _train(
    fabric: "Fabric",
    model_config: ModelConfig,
    config: TrainConfig,
    clips: ClipSet | ClipStream,
    in_memory: ClipSet,
    checkpoints: Checkpoints | None,
    log_dir: Path | None,
    on_progress: OnRow | None,
    say: Callable[[str], None] | None,
) -> TrainResult | None:
    """Train in this process; only process 0 returns the result."""
    started = time.monotonic()
    steps = n_steps(config, clips.n_clips)
    train_rows, held_rows = in_memory.split(config.held_out)
    share = Share(fabric.global_rank, fabric.world_size, fabric.device)
    options = {"batch_size": config.batch_size, "held_out": config.held_out, "seed": config.seed}
    run = {"model": model_config.model_dump_json(), "train": config.model_dump_json(), "clips": clips.digest}

    model = build_model(model_config, config.seed)
    assert isinstance(model, ConvAutoencoder)
    prepare(model, in_memory, train_rows, config.seed)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": others, "weight_decay": 0.0}],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    net, optimizer = fabric.setup(model, optimizer)
    if compiles(config):
        model.encoder.compile()
        model.decoder.compile()

    step, spent, metrics, best_weights = 0, 0.0, [], None
    patience = Patience(config.patience)
    content = checkpoints.load() if checkpoints else None
    if content is not None:
        state = unpack(content, run)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent, metrics, best_weights = state["step"], state["spent"], state["metrics"], state["best_weights"]
        patience = Patience(config.patience, **state["patience"])

    batches = open_batches(clips, train_rows, share=share, **options)
    logs = Logs(metrics, log_dir, on_progress, first_step=step, active=fabric.is_global_zero)
    pace = Pace(say if fabric.is_global_zero else None, step, steps, config.max_minutes)
    stopped_because: Literal["steps", "patience", "max_minutes"] = "steps"
    while step < steps:
        minutes = (spent + time.monotonic() - started) / 60
        if patience.exhausted:
            stopped_because = "patience"
            break
        if step and config.max_minutes is not None and fabric.broadcast(minutes >= config.max_minutes):
            stopped_because = "max_minutes"
            break
        rate = learning_rate(config, steps, step, minutes)
        for group in optimizer.param_groups:
            group["lr"] = rate

        net.train()
        mels, tracks = batches.at(step)
        losses, stats = net(mels, tracks, _generator(fabric, config.seed, step))
        loss = model.total(losses, step)
        optimizer.zero_grad()
        fabric.backward(loss)
        norm, *_ = (torch.nn.utils.clip_grad_norm_(part, config.clip_norm) for part in model.independent_parameters())
        optimizer.step()
        step += 1
        pace.after(step, loss.detach())

        last = step == steps
        saving = last or step % config.checkpoint_every == 0
        if last or saving or step % config.log_every == 0:
            row = _numbers({**stats, **losses, "loss": loss, "grad_norm": norm})
            check_finite(row, step)
            if "perplexity" in row:
                check_codebook(row["perplexity"], model.codebook_size, step, config.collapse_grace)
            logs.train(step, {**row, "learning_rate": rate}, config.batch_size)
        if len(held_rows) and (last or step % config.validate_every == 0):
            row = _validate(fabric, model, in_memory, held_rows, config, steps)
            logs.held_out(step, row)
            if patience.update(row["loss"], step):
                best_weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        if checkpoints and saving and fabric.is_global_zero:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "spent": spent + time.monotonic() - started,
                "metrics": logs.rows,
                "best_weights": best_weights,
                "patience": patience.state(),
            }
            checkpoints.save(pack(run, state))
    if stopped_because == "max_minutes" and len(held_rows) and step % config.validate_every:
        logs.held_out(step, _validate(fabric, model, in_memory, held_rows, config, steps))
    logs.close()
    batches.close()

    if not fabric.is_global_zero:
        return None
    trained = build_model(model_config)
    trained.load_state_dict(best_weights if stopped_because == "patience" and best_weights else model.state_dict())
    trained.eval()
    fit_embedding(trained, in_memory, train_rows)
    shown = examples(trained, in_memory, held_rows if len(held_rows) else train_rows)
    return TrainResult(trained, logs.rows, step, stopped_because, *shown)


def _generator(fabric: "Fabric", seed: int, step: int) -> torch.Generator:
    """Seed the source of all random draws of one step in one process."""
    (state,) = np.random.SeedSequence((seed, step, fabric.global_rank)).generate_state(1, np.uint64)
    return torch.Generator(fabric.device).manual_seed(int(state) >> 1)


def _numbers(values: dict[str, Tensor]) -> dict[str, float]:
    return {key: float(value.detach()) for key, value in values.items()}


def _validate(
    fabric: "Fabric", model: ConvAutoencoder, clips: ClipSet, rows: np.ndarray, config: TrainConfig, steps: int
) -> dict[str, float]:
    """Average every term over a few fixed held-out batches, without augmentation or corruption."""
    sampler = PairSampler(clips.track, rows, seed=0)
    pairs = min(config.batch_size // 2, len(sampler.starts))
    model.eval()
    totals: dict[str, float] = {}
    for batch in range(VALIDATION_BATCHES):
        drawn = sampler.rows(batch, pairs)
        mels, tracks = torch.from_numpy(clips.codes[drawn]), torch.from_numpy(clips.track[drawn].astype(np.int64))
        with torch.set_grad_enabled(model.input_gradient), fabric.autocast():
            generator = torch.Generator(fabric.device).manual_seed(batch)
            losses, _ = model(mels.to(fabric.device), tracks.to(fabric.device), generator)
        for key, value in _numbers({**losses, "loss": model.total(losses, steps)}).items():
            totals[key] = totals.get(key, 0.0) + value / VALIDATION_BATCHES
    return fabric.broadcast(totals)


def _fit_pca(config: TrainConfig, clips: ClipSet, on_progress: OnRow | None) -> TrainResult:
    """Fit the PCA baseline, and log its error on training and held-out tracks."""
    train_rows, held_rows = clips.split(config.held_out)
    model = fit_pca(clips, train_rows, config.seed)
    logs = Logs([], None, on_progress, first_step=0)
    for split, rows in (("train", train_rows), ("held_out", held_rows)):
        if len(rows):
            error = pca_error(model, clips, rows)
            logs.add({"step": 1, "split": split, "mse": error, "loss": error})
    shown = examples(model, clips, held_rows if len(held_rows) else train_rows)
    return TrainResult(model, logs.rows, 1, "steps", *shown)
