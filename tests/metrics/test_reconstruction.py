"""Unexplained variance against its definition, PCA on unseen artists only, and codebook use."""

import numpy as np
import pytest
import torch

from audioae.audio.mel import encode_mel
from audioae.errors import EvaluationError
from audioae.library.track_metadata import TrackMetadata, make_metadata
from audioae.metrics.reconstruction import HELD_OUT, KEY, CodebookUse, measure
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.blocks import mel_db
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.pca import PcaModel

PCA = f"{KEY}, PCA-128"
N_TRACKS, N_CLIPS = 30, 10


def make_codes(n_tracks: int, n_clips: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes and tracks: "patterns" are mixtures of 20 mels that all tracks share, "noise" shares nothing."""
    rng = np.random.default_rng(0)
    track = np.arange(n_tracks, dtype=np.int64).repeat(n_clips)
    db = rng.normal(0, 5, (len(track), 128, 130)) - 40
    if kind == "patterns":
        patterns = rng.normal(0, 3, (20, 128 * 130))
        db = (rng.normal(0, 1, (len(track), 20)) @ patterns).reshape(-1, 128, 130) + 0.1 * (db + 40) - 40
    return encode_mel(db)[0], track


def tracks(n: int, artists: int | None = None) -> TrackMetadata:
    names = [f"artist {i % artists}" for i in range(n)] if artists else None
    return make_metadata([str(i) for i in range(n)], artists=names)


def make_embedder(codes: np.ndarray) -> Embedder:
    model = build_model(ModelConfig(channels=(2, 4, 4, 8)))
    assert isinstance(model, ConvAutoencoder)
    mels = torch.from_numpy(codes[:64])
    model.mel_norm.fit(mels)
    with torch.no_grad():
        model.train()(mels, torch.zeros(len(mels), dtype=torch.int64), torch.Generator().manual_seed(0))
        model.eval().embedding_norm.fit(model.embed(mels))
    return Embedder(model, "cpu")


@pytest.fixture(scope="module")
def patterns() -> tuple[np.ndarray, np.ndarray, Embedder]:
    codes, track = make_codes(N_TRACKS, N_CLIPS, "patterns")
    return codes, track, make_embedder(codes)


@pytest.fixture(scope="module")
def values(patterns):
    """The metrics with six held-out tracks, and the codebook use."""
    held_out = np.arange(N_TRACKS) < 6
    return measure(patterns[0], patterns[1], tracks(N_TRACKS, artists=10), patterns[2], held_out=held_out)


def by_key(result):
    return {metric.key: metric for metric in result.metrics}


def test_unexplained_variance_follows_its_definition(patterns, values):
    codes, _, embedder = patterns
    metric = by_key(values[0])[KEY]
    with torch.no_grad():
        model = embedder.model
        normalized = model.mel_norm(mel_db(torch.from_numpy(codes)))
        error = (model.decoder(model.encode(normalized).z) - normalized).double().square().sum()
        deviation = (normalized - normalized.mean(dim=(0, 2), keepdim=True)).double().square().sum()
    assert metric.value == pytest.approx(float(error / deviation), rel=1e-3)
    assert metric.interval[0] <= metric.value <= metric.interval[1]
    assert metric.higher_is_better is False
    assert metric.n == N_TRACKS


def test_components_explain_shared_patterns(values):
    metrics = by_key(values[0])
    assert metrics[PCA].value < 0.2
    assert metrics[PCA].value < metrics[KEY].value


def test_held_out_metrics_cover_the_held_out_tracks(patterns, values):
    metrics = by_key(values[0])
    assert list(metrics) == [KEY, PCA, f"{KEY}, {HELD_OUT}", f"{PCA}, {HELD_OUT}"]
    assert values[0].omitted == ()
    for key in (KEY, PCA):
        held, whole = metrics[f"{key}, {HELD_OUT}"], metrics[key]
        assert held.n == 6
        np.testing.assert_allclose(held.columns[:6], whole.columns[:6])
        assert not held.columns[6:].any()
    codes, track, embedder = patterns
    all_tracks = np.ones(N_TRACKS, bool)
    everything, _ = measure(codes, track, tracks(N_TRACKS, artists=10), embedder, held_out=all_tracks)
    assert by_key(everything)[f"{KEY}, {HELD_OUT}"].value == by_key(everything)[KEY].value == metrics[KEY].value


def test_components_are_measured_on_other_tracks_than_they_are_fitted_on():
    """128 components explain nearly all of the 130 noise clips they are fitted on, and little of other clips."""
    codes, track = make_codes(26, 10, "noise")
    result, _ = measure(codes, track, tracks(26, artists=2), make_embedder(codes))
    assert by_key(result)[PCA].value > 0.9


def test_copies_by_the_same_artist_do_not_help():
    codes, track = make_codes(26, 5, "noise")
    codes, track = np.concatenate([codes, codes]), np.concatenate([track, track + 26])
    names = [f"artist {i % 26}" for i in range(52)]
    same_artist = make_metadata([str(i) for i in range(52)], artists=names)
    assert by_key(measure(codes, track, same_artist, make_embedder(codes))[0])[PCA].value > 0.9


def test_counts_every_clip_in_every_codebook(values):
    use = values[1]
    assert use is not None
    assert use.counts.shape == (1, 16, 256)
    assert (use.counts.sum(axis=2) == N_TRACKS * N_CLIPS).all()
    used = (use.counts > 0).sum(axis=2)
    assert ((use.perplexity > 1 - 1e-9) & (use.perplexity < used + 1e-9)).all()
    assert (use.perplexity[used > 1] > 1).all()
    assert (used > 1).any()
    np.testing.assert_allclose(use.dead_share, (use.counts == 0).sum(axis=2) / 256)


def test_codebook_use_by_hand():
    use = CodebookUse(np.array([[[1, 1, 1, 1], [4, 0, 0, 0]], [[2, 2, 0, 0], [3, 1, 0, 0]]]))
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    np.testing.assert_allclose(use.perplexity, [[4, 1], [2, expected]])
    np.testing.assert_allclose(use.dead_share, [[0, 0.75], [0.5, 0.5]])


def test_reports_omitted_metrics_with_the_reason(patterns):
    codes, track, embedder = patterns
    few, _ = measure(codes[:40], track[:40], tracks(N_TRACKS), embedder, held_out=np.arange(N_TRACKS) > 20)
    assert [metric.key for metric in few.metrics] == [KEY]
    assert few.omitted == (
        f"{KEY} of PCA: one half of the artists has 20 clips, but 128 components need 129",
        f"{KEY}, {HELD_OUT}: no track was held out",
    )
    alone, _ = measure(codes, track, tracks(N_TRACKS, artists=1), embedder)
    assert "all clips are by one artist" in alone.omitted[0]
    assert alone.omitted[1] == f"{KEY}, {HELD_OUT}: the held-out tracks are unknown"


def test_reports_a_model_without_a_codebook(patterns):
    result, use = measure(patterns[0], patterns[1], tracks(N_TRACKS), Embedder(PcaModel(), "cpu"))
    assert use is None
    assert result.omitted[-1] == "codebook use: the model has no codebook"


def test_reports_constant_clips(patterns):
    silent = np.full((20, 128, 130), 255, np.uint8)
    result, use = measure(silent, np.arange(20), tracks(20), patterns[2])
    assert (result.metrics, use) == ((), None)
    assert "all clips are the same constant" in result.omitted[0]


@pytest.mark.parametrize(
    ("n_clips", "track", "held_out", "message"),
    [
        (0, np.zeros(0, np.int64), None, "got 0 clips and 0 track rows"),
        (4, np.zeros(3, np.int64), None, "got 4 clips and 3 track rows"),
        (2, np.array([0, 5]), None, "got track rows 0 to 5, wanted 0 to 4"),
        (2, np.array([0, 1]), np.array([1, 2]), r"got held_out \(2,\) int64, wanted \(5,\) bool"),
    ],
)
def test_refuses_shapes_that_do_not_match(patterns, n_clips: int, track, held_out, message: str):
    with pytest.raises(EvaluationError, match=message):
        measure(np.zeros((n_clips, 128, 130), np.uint8), track, tracks(5), patterns[2], held_out=held_out)
