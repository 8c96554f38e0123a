"""What a recorded forward pass gives: the same as the function, for every block and from every thread."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

CODES = np.random.default_rng(0).integers(0, 256, (100, 128, 130), np.uint8)


def embedder(block: int) -> Embedder:
    embedder = Embedder(build_model(ModelConfig(), seed=0), "cuda")
    embedder.block = block
    return embedder


def test_a_recorded_pass_gives_what_the_function_gives():
    recorded, plain = embedder(32), embedder(32)
    plain.gpu = None
    for block in (32, 64):
        recorded.block = plain.block = block
        for found, wanted in zip(recorded.embed(CODES), plain.embed(CODES), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_the_cpu_gives_almost_the_same():
    on_cpu = Embedder(build_model(ModelConfig(), seed=0), "cpu")
    found, wanted = embedder(64).embed(CODES)[0], on_cpu.embed(CODES)[0]
    cosine = (found * wanted).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() > 0.9999


def test_threads_get_their_own_results():
    recorded = embedder(32)
    parts = [CODES[start : start + 40] for start in range(0, 60, 3)] * 5
    wanted = [recorded.embed(part) for part in parts]
    again = embedder(32)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(again.embed, parts))
    for outputs, wanted_outputs in zip(found, wanted, strict=True):
        for output, wanted_output in zip(outputs, wanted_outputs, strict=True):
            np.testing.assert_array_equal(output, wanted_output)
