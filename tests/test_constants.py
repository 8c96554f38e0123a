"""The shared numbers fit together."""

from audioae.constants import CLIP_S, CLIP_SAMPLES, HOP_LENGTH, N_FFT, N_FRAMES, SAMPLE_RATE


def test_a_clip_has_whole_samples_and_all_frames_that_are_centered_in_it():
    assert CLIP_SAMPLES == CLIP_S * SAMPLE_RATE
    padded = CLIP_SAMPLES + N_FFT
    assert 1 + (padded - N_FFT) // HOP_LENGTH == N_FRAMES
