"""The errors of audioae. Each message says what was got, what was wanted, where, and what to do.

Catch `AudioaeError` for all of them; its subclasses say which part is at fault.
"""


class AudioaeError(Exception):
    """Base of every error that audioae raises on purpose."""


class ConfigError(AudioaeError):
    """A config file, an override or an argument is wrong; nothing was computed."""


class AudioError(AudioaeError):
    """One track cannot be used. It becomes a row in `rejects`, and the stage continues.

    Parameters
    ----------
    reason : str
        One of `audio.decode.REASONS`: short and stable, for grouping.
    detail : str
        What was got and what was wanted, for a human reader.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self):
        return (AudioError, (self.reason, self.detail))


class StoreError(AudioaeError):
    """The store cannot be read or written, or its datasets do not match each other."""


class IncompleteError(StoreError):
    """Some shards of a stage are not computed yet, so it cannot be published."""


class DamageError(StoreError):
    """An object of the store is gone, or is not what its manifest says. `audioae fsck` finds all of these."""


class NotScreenedError(StoreError):
    """The store has no findings yet."""


class NotMappedError(StoreError):
    """The index has no map yet."""


class ModelError(AudioaeError):
    """A model cannot be built, trained or loaded: mismatched parts, NaN, a collapsed codebook."""


class NoCodebookError(ModelError):
    """A model has no codebook, or not the book or the code that is asked for."""


class SearchError(AudioaeError):
    """A query or an index is wrong: an unknown track, mixed models, a failed quality gate."""


class UnknownTrackError(SearchError):
    """A query names a track that the catalog does not have."""


class MapChangedError(SearchError):
    """Rows of a map were named that belong to another map or index than the one that is open."""


class NoMatchError(SearchError):
    """No track passes the filters of a query."""


class EvaluationError(AudioaeError):
    """Embeddings cannot be evaluated: NaN, duplicate IDs, tracks that do not match."""


class ServiceError(AudioaeError):
    """A service cannot be reached, or refuses a request: no valid key, too many or too large requests."""
