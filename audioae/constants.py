"""The numbers that every stage agrees on: what a clip, a mel and an embedding are.

Conventions
-----------
- Rates in Hz, times in seconds, levels in dB; `_SAMPLES`, `_LENGTH` and `N_FFT` count samples at `SAMPLE_RATE`.

Why here: stored data has these shapes, so one number in two places could change in one of them alone. A change of any
of them makes every stored mel and every model useless.
"""

SAMPLE_RATE = 22_050
CLIP_S = 3.0
CLIP_SAMPLES = 66_150

N_FFT = 2048
HOP_LENGTH = 512
N_MELS = 128
N_FRAMES = 130
PADDED_FRAMES = 144  # in the network: 9 x 16
N_BINS = N_MELS * N_FRAMES
FRAME_S = HOP_LENGTH / SAMPLE_RATE

FLOOR_DB = -80.0
"""The quietest value of a mel, relative to the clip's maximum."""

EMBEDDING_DIM = 128
