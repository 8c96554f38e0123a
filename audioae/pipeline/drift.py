"""Drift: whether the tracks that came since the training of a model differ from those that it was trained on.

Conventions
-----------
- Three first looks: reconstruction errors, the distribution of embeddings (MMD), and rejects. `drift_statistics.py` has
  the statistics, `drift_sample.py` the tracks; both are samples of stated size.
- A second look confirms the first two: a classifier that tells new from training tracks, by artists that it has not
  seen. Only a confirmed alarm recommends to train again (`train.retrain: drift` does so in the next run). Embeddings
  alarm only if they are confirmed: at p <= .05, one look in twenty is chance.
- Rejects speak of the source, not of the model: they alarm, but recommend nothing about training.
- Fewer than 30 new tracks say nothing. The reference is the training's whole catalog, which changes with each training.
- A report is the artifact `drift`: one JSON file, named after the embeddings that it is about.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.drift_sample import TrackSample, sample_tracks
from audioae.pipeline.drift_statistics import discrepancy, least_share, separability, share_above
from audioae.store.artifacts import commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

CODE = 1  # raise it when the same embeddings would give another report
FILE = "drift.json"
TRAINING_SAMPLE, NEW_SAMPLE = 3000, 1500  # tracks
FEWEST_NEW = 30
MOST_ERRORS = 0.05  # of the new tracks above a limit that 0.5 % of the training's tracks are above
P = 0.05
CONFIRMED = 0.8  # AUROC
MORE_REJECTS, FEWEST_REJECTS = 2.0, 5  # times the training's share; new rejects


@dataclass(frozen=True)
class DriftReport:
    """What the new tracks of `embeddings` look like to `model`.

    Attributes
    ----------
    model, embeddings : str
        Versions.
    n_training, n_new : int
        Tracks of the training's catalog, and tracks that came since.
    sampled_training, sampled_new : int
        Tracks that were compared.
    error_limit, error_share : float or None
        99.5th percentile of the training's reconstruction errors; share of new tracks above.
    mmd, mmd_usual, p : float or None
        See `drift_statistics.Discrepancy`.
    auroc : float or None
        Of new against training tracks; None if nothing had to be confirmed, or there is a single new artist.
    reject_share, usual_reject_share : float or None
        Of the new tracks and of the training's.
    reasons : dict of str to int
        New rejects by reason.
    alarms : tuple of str
        A sentence each.
    retrain : bool
        Whether an alarm about the model was confirmed.
    unknown : str
        Why nothing could be measured; empty if it was.
    """

    model: str
    embeddings: str
    n_training: int = 0
    n_new: int = 0
    sampled_training: int = 0
    sampled_new: int = 0
    error_limit: float | None = None
    error_share: float | None = None
    mmd: float | None = None
    mmd_usual: float | None = None
    p: float | None = None
    auroc: float | None = None
    reject_share: float | None = None
    usual_reject_share: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    retrain: bool = False
    unknown: str = ""

    @property
    def summary(self) -> str:
        """One sentence: the alarms, or that there are none.

        >>> DriftReport("model@1", "embeddings@2", n_new=12).summary
        'no drift measured: 12 tracks came since the training of model@1, and 30 are needed'
        """
        if self.unknown:
            return f"no drift measured: {self.unknown}"
        if self.alarms:
            return "; ".join(self.alarms)
        if self.sampled_new < FEWEST_NEW:
            came = f"{self.n_new:,} tracks came since the training of {self.model}"
            return f"no drift measured: {came}, and {FEWEST_NEW} are needed"
        return f"no drift: {self.n_new:,} tracks that came since the training of {self.model} are like those before"

    def facts(self) -> dict[str, Any]:
        """The numbers that are known, and the summary, for tables and logs."""
        values = {name: value for name, value in asdict(self).items() if value not in (None, "", (), {})}
        return {**values, "reasons": json.dumps(self.reasons), "alarms": len(self.alarms), "summary": self.summary}


def update_drift(store: Store, embeddings: DatasetRef) -> DriftReport:
    """The report on `embeddings` against the model that made them; it is measured and published if there is none.

    A store that does not have the training's catalog any more cannot tell; the report says so.
    """
    model = store.manifest(embeddings).parent("model")
    if ref := store.find("drift", _recipe(embeddings, model)):
        return _read(store, store.make_current(ref))
    try:
        report = measure_drift(store, embeddings, model)
    except StoreError as error:
        report = DriftReport(str(model), str(embeddings), unknown=str(error))
    commit_drift(store, report)
    return report


def measure_drift(store: Store, embeddings: DatasetRef, model: DatasetRef) -> DriftReport:
    """Compare the tracks of `embeddings` that came since the training of `model` with those before.

    Raises
    ------
    StoreError
        If `embeddings` are not of `model`, or the catalog that it was trained on is not in the store any more.
    """
    if (own := store.manifest(embeddings).parent("model")) != model:
        raise StoreError(f"{embeddings} were made by {own}, not by {model}; embed with the model first")
    trained = store.manifest(store.manifest(model).parent("mels")).parent("tracks")
    training, new = sample_tracks(store, embeddings, trained, TRAINING_SAMPLE, NEW_SAMPLE)
    sizes = (training.n_tracks, new.n_tracks, len(training.errors), len(new.errors))
    report = DriftReport(str(model), str(embeddings), *sizes)
    if min(len(new.errors), len(training.errors)) < FEWEST_NEW:
        return _with_rejects(report, training, new)
    limit, above = share_above(training.errors, new.errors)
    moved = discrepancy(training.vectors, training.artists, new.vectors)
    worse = least_share(above, len(new.errors)) > MOST_ERRORS
    looked = worse or moved.p <= P
    auroc = separability(training.vectors, training.artists, new.vectors, new.artists) if looked else None
    retrain = auroc is not None and auroc >= CONFIRMED
    alarms = []
    if worse:
        alarms.append(
            f"{above / len(new.errors):.0%} of the new tracks are reconstructed worse than {limit:.3g}, which 0.5 % of "
            "the training's tracks are"
        )
    if moved.p <= P and retrain:
        alarms.append(
            f"the embeddings of the new tracks differ from the training's (MMD {moved.value:.3f}) more than artists of "
            f"the training do among each other ({moved.usual:.3f})"
        )
    values = {"error_limit": limit, "error_share": above / len(new.errors), "auroc": auroc, "retrain": retrain}
    values |= {"mmd": moved.value, "mmd_usual": moved.usual, "p": moved.p}
    alarms += [_verdict(auroc)] if alarms else []
    return _with_rejects(DriftReport(**{**asdict(report), **values, "alarms": tuple(alarms)}), training, new)


def commit_drift(store: Store, report: DriftReport) -> DatasetRef:
    """Publish a report as the current version of `drift`."""
    embeddings, model = DatasetRef.parse(report.embeddings), DatasetRef.parse(report.model)
    content = json.dumps(asdict(report), indent=1).encode()
    recipe = _recipe(embeddings, model)
    return commit_artifact(
        store, "drift", {FILE: content}, derived={}, recipe=recipe, config={}, parents=[embeddings, model]
    )


def last_drift(store: Store, model: DatasetRef) -> DriftReport | None:
    """The newest report, if it is about `model`."""
    latest = store.latest("drift")
    if latest is None or store.manifest(latest).parent("model") != model:
        return None
    return _read(store, latest)


def _read(store: Store, ref: DatasetRef) -> DriftReport:
    content = json.loads(read_artifact(store, ref, FILE))
    return DriftReport(**{**content, "alarms": tuple(content["alarms"])})


def _recipe(embeddings: DatasetRef, model: DatasetRef) -> str:
    return fingerprint([CODE, str(embeddings), str(model)])


def _verdict(auroc: float | None) -> str:
    """What the second look says, and what to do."""
    if auroc is None:
        return "all new tracks are of one artist, so no classifier can confirm it; look at them"
    if auroc < CONFIRMED:
        return f"a classifier does not confirm it (AUROC {auroc:.2f}, wanted {CONFIRMED:g}); look at the new tracks"
    return (
        f"a classifier tells them apart (AUROC {auroc:.2f}): train again (train.retrain: drift does so in the next run)"
    )


def _with_rejects(report: DriftReport, training: TrackSample, new: TrackSample) -> DriftReport:
    """Add the comparison of rejects, which needs no embedded tracks."""
    if not (training.n_decoded and new.n_decoded):
        return report
    n_new, n_training = sum(new.rejects.values()), sum(training.rejects.values())
    share, usual = n_new / new.n_decoded, n_training / training.n_decoded
    alarms = report.alarms
    if n_new >= FEWEST_REJECTS and least_share(n_new, new.n_decoded) > MORE_REJECTS * usual:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(new.rejects.items(), key=lambda row: -row[1]))
        alarms += (f"{share:.1%} of the new tracks were rejected ({reasons}), {usual:.1%} before: look at the source",)
    values = {"reject_share": share, "usual_reject_share": usual, "reasons": dict(new.rejects), "alarms": alarms}
    return DriftReport(**{**asdict(report), **values})
