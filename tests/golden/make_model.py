"""Write the golden sample of a model with the default head: `python -m tests.golden.make_model`. It must load forever.

Its weights are multiples of 1/64, so that the compressed file is small. The clips have three kinds of motion over time:
fast, slow, and none.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import torch

from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.weights import model_to_bytes

FOLDER = Path(__file__).parent / "model-v1"
MODEL, EMBEDDINGS = FOLDER / "model.safetensors.gz", FOLDER / "embeddings.json"
STEP = 64
CONFIG = {"channels": (2, 2, 2, 2), "bottleneck": {"kind": "vq", "groups": 16, "codebook_size": 2}}


def golden_clips() -> np.ndarray:
    """Codes (3, 128, 130) uint8 of a fast sawtooth, a slow one, and bands that do not change."""
    band, frame = np.arange(128)[:, None], np.arange(130)[None]
    return np.stack([(40 * frame + 3 * band) % 256, (3 * frame + 5 * band) % 256, 2 * band + 0 * frame]).astype(
        np.uint8
    )


def main() -> None:
    if FOLDER.exists():
        raise SystemExit(f"{FOLDER} exists; a golden sample is written once")
    model = build_model(ModelConfig.model_validate(CONFIG), seed=1)
    assert isinstance(model, ConvAutoencoder)
    clips = torch.from_numpy(golden_clips())
    with torch.no_grad():
        model.mel_norm.fit(clips)
        for _ in range(20):  # statistics of the batch norms
            model.train().encode(model.mel_norm(clips / 255 * 80 - 80))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                least = 1 / STEP if "var" in name or "std" in name else -np.inf
                value.copy_((torch.round(value * STEP) / STEP).clamp(min=least))
        embeddings = model.eval().embed(clips)
    FOLDER.mkdir()
    MODEL.write_bytes(gzip.compress(model_to_bytes(model), 9, mtime=0))
    rows = [[round(value, 5) for value in row] for row in embeddings.tolist()]
    EMBEDDINGS.write_text("[" + ",\n".join(json.dumps(row) for row in rows) + "]\n")


if __name__ == "__main__":
    main()
