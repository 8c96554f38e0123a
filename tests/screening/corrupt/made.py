"""Evidence of a healthy catalog, made of numbers."""

import numpy as np

from audioae.audio.health import HEALTH_COLUMNS

N = 600


def evidence(n: int = N, seed: int = 0) -> dict[str, np.ndarray]:
    """A healthy catalog: stereo mp3 at 128 kb/s."""
    rng = np.random.default_rng(seed)
    usual = {"sample_rate": 44_100, "channels": 2, "bit_rate": 128_000, "claimed_s": 30, "duration_s": 30}
    usual |= {"peak": 0.8, "rms_dbfs": -18, "flat_fraction": 5e-4, "cutoff_hz": 16_000, "bandwidth_hz": 15_000}
    usual |= {"channel_difference_db": 1, "correlation": 0.7, "noise_floor_dbfs": -40, "hum_db": 5, "fall_db": 18}
    usual |= {"burst_db": 15, "click_db": 8, "repeat": 0.2, "hum_line_db": 4, "edge_db": 25, "flatness_db": 15}
    usual |= {"flicker_db": 20, "distinct_fraction": 1}
    names = [name for name, kind in HEALTH_COLUMNS.items() if kind is not str]
    made = {name: usual.get(name, 0) * (1 + 0.03 * rng.standard_normal(n)) for name in names}
    made |= {"sample_rate": np.full(n, 44_100.0), "claimed_s": made["duration_s"] + 0.02}
    return made | {"reconstruction_error": rng.normal(0.3, 0.02, n), "spread": rng.normal(0.1, 0.01, n)}
