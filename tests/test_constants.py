"""The shared numbers fit together."""

from audioae.constants import CLIP_S, CLIP_SAMPLES, HOP_LENGTH, N_FRAMES, SAMPLE_RATE


def test_clip_mel_and_rate_agree():
    assert CLIP_SAMPLES == CLIP_S * SAMPLE_RATE
    assert N_FRAMES == 1 + CLIP_SAMPLES // HOP_LENGTH  # centered frames
