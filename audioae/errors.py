"""The errors of audioae. Each message says what was got, what was wanted, where, and what to do.

`AudioaeError` is what a caller catches; those below say whose fault it is.
"""


class AudioaeError(Exception):
    """Base of every error that audioae raises on purpose."""


class ConfigError(AudioaeError):
    """A config file, an override or an argument is wrong; nothing was computed."""


class AudioError(AudioaeError):
    """One track cannot be used. It becomes a row in `rejects`, and the stage goes on.

    Parameters
    ----------
    reason : str
        One of `audio.decode.REASONS`: short, stable, to group by.
    detail : str
        What was found and what was wanted, for a person.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self):
        return (AudioError, (self.reason, self.detail))


class StoreError(AudioaeError):
    """The store cannot be read or written, or what it holds does not fit together."""


class ModelError(AudioaeError):
    """A model cannot be built, trained or loaded: parts that do not fit, NaN, a collapsed codebook."""


class SearchError(AudioaeError):
    """A query or an index is wrong: unknown track, mixed models, a gate that was missed."""


class EvaluationError(AudioaeError):
    """Embeddings cannot be evaluated as they are: NaN, an ID that stands twice, tracks that do not fit."""
