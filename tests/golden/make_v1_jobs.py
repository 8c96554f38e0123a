"""Add the datasets of the jobs to the golden sample of store format v1: `python -m tests.golden.make_v1_jobs`.

Existing datasets are kept, because they must load forever; only missing ones are written. The sample of the dataset
`recommendations` was written under its former name, `coldstart`.
"""

import json

import pyarrow as pa

from audioae.store.audio_schemas import RESIDUE_DIM
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS
from tests.golden.make_v1 import FOLDER, TRACK_IDS


def main() -> None:
    store = Store(str(FOLDER))

    def commit(dataset: str, rows: list[dict], *parents: DatasetRef) -> DatasetRef:
        if existing := store.latest(dataset):
            return existing
        store.write_part(dataset, "golden", pa.Table.from_pylist(rows, schema=DATASETS[dataset].schema))
        return store.commit(dataset, ["golden"], recipe="golden", config={"golden": 1}, parents=parents)

    tracks, embeddings, index = (store.require(dataset) for dataset in ("tracks", "embeddings", "index"))
    recommended = {"listener_id": "anna", "score": 1.5, "fit": 2.5, "taste": 1, "because": TRACK_IDS[1:2]}
    rows = [
        {**recommended, "rank": rank, "track_id": t, "others": others}
        for rank, t, others in ((1, TRACK_IDS[0], None), (2, TRACK_IDS[2], 0.5))
    ]
    commit("recommendations", rows, embeddings, tracks)
    result = {"check": "corrupt", "threshold": 0.5, "measured": json.dumps({"auroc": 0.97}), "omitted": ["a sentence"]}
    screenings = commit("screenings", [result], index, embeddings, tracks)
    evidence = json.dumps({"why": "hum of 12 dB", "listen_s": 1.5, "rules": [{"rule": "hum_db", "value": 12.0}]})
    sure = {"score": 0.25, "group": "album: C", "suggestion": "mend it", "confidence": 0.75, "evidence": evidence}
    rows = [
        {"track_id": TRACK_IDS[0], "check": "corrupt", "is_issue": True, **sure},
        {"track_id": TRACK_IDS[1], "check": "corrupt", "is_issue": False},
    ]
    commit("findings", rows, index, embeddings, tracks, screenings)
    pair = {"track_id": TRACK_IDS[0], "rank": 1, "neighbor": TRACK_IDS[1], "score": 0.75}
    commit("similar", [pair], index, embeddings, tracks)
    entry = {"playlist": "evening", "waypoint": True, "gave_way": ["energy"]}
    entries = [
        {**entry, "position": 1, "track_id": TRACK_IDS[0], "step": None},
        {**entry, "position": 2, "track_id": TRACK_IDS[1], "step": 0.5},
    ]
    commit("playlists", entries, index, embeddings, tracks)
    commit("tempos", [{"content_hash": "ff" * 16, "tempo": 120.5}, {"content_hash": "fe" * 16, "tempo": None}])
    residue = [float("nan"), *(i / 4 for i in range(1, RESIDUE_DIM))]
    commit("residues", [{"track_id": TRACK_IDS[0], "residue": residue}], tracks)


if __name__ == "__main__":
    main()
