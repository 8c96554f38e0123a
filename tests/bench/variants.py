"""Many variants of the model on several catalogs, trained in parallel on one GPU: the figures behind the default.

    python -m tests.bench.variants clips STORE CLIPS.npz           # here: the stored clips and names of a catalog
    python -m tests.bench.variants train CLIPS.npz ... OUT.npz     # on a GPU: torch, numpy and pydantic are enough
    python -m tests.bench.variants measure OUT.npz CLIPS.npz ...   # here: the table; results/variants-gpu.json

Conventions
-----------
- Every variant changes one thing of the model `BASE`, is trained for `STEPS` steps with seed 0, and is measured on the
  tracks that it was trained on, whose labels it never saw.
- At most 10 clips of a track are used: the catalogs then fit into one transfer to a bare machine.
- The demo has its true labels here: its store is made from truth.csv, with `catalog.columns={label: true_label}`.
- "Unexplained" is the mean squared error of reconstructed mels divided by their mean square, both normalized per band.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet, PairSampler
from audioae.model.fitting import prepare
from audioae.model.pooling import to_unit
from audioae.model.train_config import TrainConfig, learning_rate

RESULTS = Path(__file__).parent / "results" / "variants-gpu.json"
STEPS, PER_TRACK, PROCESSES = 300, 10, 12
MSE, COMMITMENT = {"kind": "mse"}, {"kind": "commitment", "weight": 0.25}


def pairs(temperature: float) -> dict[str, Any]:
    return {"terms": [MSE, COMMITMENT, {"kind": "info_nce", "temperature": temperature}]}


STATS: dict[str, Any] = {"head": {"kind": "stats", "modulation": 16}, "augment": {"crop_share": 0.75, "roll_mels": 3}}
BASE: dict[str, Any] = {**pairs(0.15), "head": {"kind": "fused", "weight": 0.75}, "augment": STATS["augment"]}
DEFAULT, ROLL_6 = ModelConfig().model_dump(), {"crop_share": 1.0, "roll_mels": 6}
ALL_BANDS = {**DEFAULT, **pairs(0.2), "head": {"kind": "fused"}, "augment": {"crop_share": 1.0, "roll_mels": 4}}
VARIANTS: dict[str, dict[str, Any]] = {
    "stats head": {**pairs(0.15), **STATS},
    "stats head, VICReg": {**STATS, "terms": [MSE, COMMITMENT, {"kind": "vicreg"}]},
    "stats head, no equalizer": {**pairs(0.15), **STATS, "augment": {**STATS["augment"], "eq_db": 0}},
    "stats head, no background": {**pairs(0.15), **STATS, "augment": {**STATS["augment"], "background_share": 0}},
    "stats head, single clips only lightly augmented": {
        **pairs(0.15),
        **STATS,
        "augment": {**STATS["augment"], "light_share": 1.0},
    },
    "fused": BASE,
    "fused, hidden 256": {**BASE, "head": {"kind": "fused", "weight": 0.75, "hidden": 256}},
    "fused, hidden 1024": {**BASE, "head": {"kind": "fused", "weight": 0.75, "hidden": 1024}},
    "fused, temperature .2": {**BASE, **pairs(0.2)},
    "fused, temperature .3": {**BASE, **pairs(0.3)},
    "fused, roll of 6 mels": {**BASE, "augment": {"crop_share": 0.75, "roll_mels": 6}},
    "fused, no roll": {**BASE, "augment": {"crop_share": 0.75, "roll_mels": 0}},
    "fused, all clips cropped": {**BASE, "augment": {"crop_share": 1.0, "roll_mels": 3}},
    "fused, twice the channels": {**BASE, "channels": (32, 64, 128, 256)},
    "fused, no consistency": {**BASE, "terms": [MSE, COMMITMENT]},
    "fused, no VQ": {**BASE, "bottleneck": {"kind": "linear"}, "terms": [MSE, pairs(0.15)["terms"][2]]},
    "default": DEFAULT,
    "all bands": ALL_BANDS,
    "all bands, roll of 6 mels": {**ALL_BANDS, "augment": ROLL_6},
    "all bands, roll of 6 mels, temperature .25": {**ALL_BANDS, **pairs(0.25), "augment": ROLL_6},
    "all bands, roll of 6 mels, temperature .3": {**ALL_BANDS, **pairs(0.3), "augment": ROLL_6},
}
LENGTHS = {"fused, 100 steps": 100, "fused, 1,000 steps": 1000, "fused, 3,000 steps": 3000}


@cache
def read_clips(path: str) -> ClipSet:
    content = np.load(path)
    return ClipSet(content["codes"], content["peak_db"], content["track"])


def write_clips(store_path: str, out: str) -> None:
    """Save the stored clips of a catalog with labels, artists and folds, for a machine without the store."""
    from audioae.library.track_vectors import vectors_from_store
    from audioae.pipeline.training_clips import load_clips
    from audioae.store.dataset import Store

    store = Store(store_path)
    embeddings = store.require("embeddings")
    mels = store.manifest(store.manifest(embeddings).parent("model")).parent("mels")
    clips, names = load_clips(store, mels, max_clips=200_000)
    metadata = vectors_from_store(store, embeddings, 10_000).metadata
    rows = np.concatenate([np.flatnonzero(names == track)[:PER_TRACK] for track in metadata.ids])
    counts = [min((names == track).sum(), PER_TRACK) for track in metadata.ids]
    columns = {name: getattr(metadata, name).astype(str) for name in ("ids", "labels", "artists", "albums", "folds")}
    track = np.repeat(np.arange(metadata.n), counts)
    np.savez_compressed(out, codes=clips.codes[rows], peak_db=clips.peak_db[rows], track=track, **columns)


def train(clips: ClipSet, model_config: ModelConfig, steps: int, device: str) -> ConvAutoencoder:
    """Train as `fit` does, without Lightning, logs and checkpoints."""
    config = TrainConfig(steps=steps)
    model, (rows, _) = build_model(model_config, seed=0), clips.split(config.held_out)
    assert isinstance(model, ConvAutoencoder)
    prepare(model, clips, rows, seed=0)
    model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": config.weight_decay}]
    groups += [{"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
    optimizer, sampler = torch.optim.AdamW(groups), PairSampler(clips.track, rows, seed=0)
    codes, track = torch.from_numpy(clips.codes).to(device), torch.from_numpy(clips.track).to(device)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, steps, step)
        batch = torch.from_numpy(sampler.rows(step, config.batch_size // 2)).to(device)
        model.train()
        losses, _ = model(codes[batch], track[batch], torch.Generator(device=device).manual_seed(step))
        optimizer.zero_grad()
        model.total(losses, step).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
    return model.eval()


@torch.no_grad()
def embed(model: ConvAutoencoder, clips: ClipSet, device: str) -> tuple[np.ndarray, float]:
    """Embeddings of the tracks, (n, 128), and the unexplained variance."""
    blocks = [torch.from_numpy(clips.codes[i : i + 512]).to(device) for i in range(0, len(clips.codes), 512)]
    values, errors = zip(*(model.embed_and_score(block) for block in blocks), strict=True)
    model.embedding_norm.fit(torch.cat(values))
    squares = torch.cat([model.mel_norm(block.float() * (80 / 255) - 80).square().mean(dim=(1, 2)) for block in blocks])
    vectors = model.embedding_norm(torch.cat(values)).cpu().numpy().astype(np.float64)
    sums = np.zeros((int(clips.track.max()) + 1, vectors.shape[1]))
    np.add.at(sums, clips.track, vectors)
    counts, head = np.bincount(clips.track)[:, None], model.config.head
    single, longer = (to_unit(sums / counts, head.track_parts(n)) for n in (1, 2))
    pooled = np.where(counts == 1, single, longer)
    return pooled.astype(np.float16), float(torch.cat(errors).mean() / squares.mean())


def run(path: str, name: str, variant: Mapping[str, Any], steps: int) -> tuple[str, np.ndarray, float, float]:
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clips, started = read_clips(path), time.perf_counter()
    model = train(clips, ModelConfig.model_validate(variant), steps, device)
    return (f"{name}|{Path(path).stem}", *embed(model, clips, device), time.perf_counter() - started)


def train_all(paths: list[str], out: str, processes: int, limit_s: float) -> None:
    """Train every variant on every catalog; what is not done after `limit_s` seconds is left out, and said."""
    jobs = [(path, name, variant, STEPS) for name, variant in VARIANTS.items() for path in paths]
    jobs += [(path, name, BASE, steps) for name, steps in LENGTHS.items() for path in paths]
    results: dict[str, Any] = {}
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    try:
        for future in as_completed([pool.submit(run, *job) for job in jobs], timeout=limit_s):
            key, vectors, unexplained, seconds = future.result()
            results |= {key: vectors, f"{key}|unexplained": np.float32(unexplained)}
            print(f"{key}: {seconds:.0f} s", flush=True)
    except TimeoutError:
        print(f"stopped after {limit_s:g} s: {len(results) // 2} of {len(jobs)} trainings are done")
    np.savez_compressed(out, **results)
    pool.shutdown(wait=False, cancel_futures=True)


def measured(out: str, paths: list[str]) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Variant, catalog and figures of each training."""
    from audioae.library.track_metadata import TrackMetadata
    from audioae.metrics import retrieval

    vectors = np.load(out)
    for path in paths:
        content = np.load(path)
        columns = {name: content[name].astype(object) for name in ("labels", "artists", "albums", "folds")}
        metadata = TrackMetadata(content["ids"].astype(object), **columns)
        for key in vectors.files:
            name, catalog, *rest = key.split("|")
            if catalog != Path(path).stem or rest:
                continue
            values = vectors[key].astype(np.float32)
            unit = values / np.linalg.norm(values, axis=1, keepdims=True)
            found = {metric.key: metric.value for metric in retrieval.measure(unit, metadata).metrics}
            filtered = any("by label, other artists" in metric for metric in found)
            by = "by label, other artists" if filtered else "by label"
            figures = {"mAP": found[f"mAP {by}"], "kNN": found[f"kNN {by}"]}
            yield name, catalog, {**figures, "unexplained": float(vectors[f"{key}|unexplained"])}


def measure(out: str, paths: list[str], machine: str) -> None:
    """Print the table of variants and catalogs, and write it to `RESULTS`."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name, catalog, figures in measured(out, paths):
        table.setdefault(name, {})[catalog] = {key: round(value, 3) for key, value in figures.items()}
    for name, catalogs in table.items():
        print(f"{name:28}", " | ".join(f"{c}: {' '.join(f'{v:.3f}' for v in f.values())}" for c, f in catalogs.items()))
    head = {"date": date.today().isoformat(), "machine": machine, "steps": STEPS, "seeds": 1}
    RESULTS.write_text(json.dumps({**head, "variants": table}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.variants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("clips", "train", "measure"))
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--limit-s", type=float, default=3600.0)
    parser.add_argument("--machine", default="one H100 80GB", help="the card, for the results")
    options = parser.parse_args()
    if options.what == "clips":
        write_clips(*options.paths)
    elif options.what == "train":
        train_all(options.paths[:-1], options.paths[-1], options.processes, options.limit_s)
    else:
        measure(options.paths[0], options.paths[1:], options.machine)


if __name__ == "__main__":
    main()
