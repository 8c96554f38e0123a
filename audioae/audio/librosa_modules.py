"""librosa, whose compiled modules only one process imports at a time; other modules take `librosa` from here.

Why: when some of librosa's modules are first imported, numba compiles functions of theirs (`guvectorize`) and caches
them: `audioae.compiled` says what two processes at once leave.
"""

from audioae.compiled import alone

with alone("librosa"):
    import librosa
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils

__all__ = ["librosa"]
