"""Unexplained variance and codebook use: worked out by other means, and never on clips that were fitted on."""

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
    """Codes and tracks: "patterns" mix 20 fixed mels that all tracks share, "noise" shares nothing."""
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
    """The answer with some tracks told as held out, and the use of the codes."""
    held_out = np.arange(N_TRACKS) < 6
    return measure(patterns[0], patterns[1], tracks(N_TRACKS, artists=10), patterns[2], held_out=held_out)


def by_key(answer):
    return {metric.key: metric for metric in answer.metrics}


def test_unexplained_variance_by_its_definition(patterns, values):
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


def test_components_explain_what_all_tracks_share(values):
    metrics = by_key(values[0])
    assert metrics[PCA].value < 0.2
    assert metrics[PCA].value < metrics[KEY].value


def test_held_out_tracks_are_those_told(patterns, values):
    metrics = by_key(values[0])
    assert list(metrics) == [KEY, PCA, f"{KEY}, {HELD_OUT}", f"{PCA}, {HELD_OUT}"]
    assert values[0].omitted == ()
    for key in (KEY, PCA):
        held, whole = metrics[f"{key}, {HELD_OUT}"], metrics[key]
        assert held.n == 6
        np.testing.assert_allclose(held.columns[:6], whole.columns[:6])
        assert not held.columns[6:].any()
    codes, track, embedder = patterns
    told = np.ones(N_TRACKS, bool)
    everything, _ = measure(codes, track, tracks(N_TRACKS, artists=10), embedder, held_out=told)
    assert by_key(everything)[f"{KEY}, {HELD_OUT}"].value == by_key(everything)[KEY].value == metrics[KEY].value


def test_components_are_not_measured_on_what_they_were_fitted_on():
    """130 clips of pure noise fit 128 components almost wholly; those of other artists, hardly."""
    codes, track = make_codes(26, 10, "noise")
    answer, _ = measure(codes, track, tracks(26, artists=2), make_embedder(codes))
    assert by_key(answer)[PCA].value > 0.9


def test_copies_by_the_same_artist_are_no_help():
    codes, track = make_codes(26, 5, "noise")
    codes, track = np.concatenate([codes, codes]), np.concatenate([track, track + 26])
    names = [f"artist {i % 26}" for i in range(52)]
    same_artist = make_metadata([str(i) for i in range(52)], artists=names)
    assert by_key(measure(codes, track, same_artist, make_embedder(codes))[0])[PCA].value > 0.9


def test_use_counts_every_clip_in_every_codebook(values):
    use = values[1]
    assert use is not None
    assert use.counts.shape == (1, 16, 256)
    assert (use.counts.sum(axis=2) == N_TRACKS * N_CLIPS).all()
    used = (use.counts > 0).sum(axis=2)
    assert ((use.perplexity > 1 - 1e-9) & (use.perplexity < used + 1e-9)).all()
    assert (use.perplexity[used > 1] > 1).all()
    assert (used > 1).any()
    np.testing.assert_allclose(use.dead_share, (use.counts == 0).sum(axis=2) / 256)


def test_use_by_hand():
    use = CodebookUse(np.array([[[1, 1, 1, 1], [4, 0, 0, 0]], [[2, 2, 0, 0], [3, 1, 0, 0]]]))
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    np.testing.assert_allclose(use.perplexity, [[4, 1], [2, expected]])
    np.testing.assert_allclose(use.dead_share, [[0, 0.75], [0.5, 0.5]])


def test_what_cannot_be_had_is_left_out_with_the_reason(patterns):
    codes, track, embedder = patterns
    few, _ = measure(codes[:40], track[:40], tracks(N_TRACKS), embedder, held_out=np.arange(N_TRACKS) > 20)
    assert [metric.key for metric in few.metrics] == [KEY]
    assert few.omitted == (
        f"{KEY} of PCA: a half of the artists has 20 clips, 129 are needed to fit 128 components",
        f"{KEY}, {HELD_OUT}: none",
    )
    alone, _ = measure(codes, track, tracks(N_TRACKS, artists=1), embedder)
    assert "all clips are of one artist" in alone.omitted[0]
    assert alone.omitted[1] == f"{KEY}, {HELD_OUT}: which those are was not told"


def test_a_model_without_codes_says_so(patterns):
    answer, use = measure(patterns[0], patterns[1], tracks(N_TRACKS), Embedder(PcaModel(), "cpu"))
    assert use is None
    assert answer.omitted[-1] == "codes in use: the model has no codebook"


def test_clips_without_any_variance_have_none_to_explain(patterns):
    silent = np.full((20, 128, 130), 255, np.uint8)
    answer, use = measure(silent, np.arange(20), tracks(20), patterns[2])
    assert (answer.metrics, use) == ((), None)
    assert "all clips are the same constant" in answer.omitted[0]


@pytest.mark.parametrize(
    ("n_clips", "track", "held_out", "message"),
    [
        (0, np.zeros(0, np.int64), None, "got 0 clips and 0 track rows"),
        (4, np.zeros(3, np.int64), None, "got 4 clips and 3 track rows"),
        (2, np.array([0, 5]), None, "got track rows 0 to 5, wanted 0 to 4"),
        (2, np.array([0, 1]), np.array([1, 2]), r"got held_out \(2,\) int64, wanted \(5,\) bool"),
    ],
)
def test_what_does_not_fit_is_refused(patterns, n_clips: int, track, held_out, message: str):
    with pytest.raises(EvaluationError, match=message):
        measure(np.zeros((n_clips, 128, 130), np.uint8), track, tracks(5), patterns[2], held_out=held_out)
