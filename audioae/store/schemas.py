"""The contract of every dataset: its columns, their types and its version. Writing and reading a part both check it.

Conventions
-----------
- A column may be null only if its field says so.
- To change a schema, raise its version and keep `Store` able to read the old one: every version ever written must load
  forever (`tests/golden` holds a sample of each). `added` columns are null when an older part is read, and columns with
  a former type are read as the present one.
- To rename a dataset, add its old name to `former_names`: it is written under its new name, and what an older version
  of audioae wrote is read under the old one.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from audioae.errors import StoreError
from audioae.store.answer_schemas import FINDINGS, MAP, PLAYLISTS, RECOMMENDATIONS, REGIONS, SCREENINGS, SIMILAR
from audioae.store.audio_schemas import EMBEDDINGS, HEALTH, MEL_V1, MELS, NETWORK_VECTORS, REJECTS, RESIDUES, TEMPOS
from audioae.store.catalog_schemas import ALIASES, SCANS, TRACKS
from audioae.store.work_schemas import INDEX_LISTS, RUNS, STEPS


@dataclass(frozen=True)
class Dataset:
    """The contract of one dataset.

    Parameters
    ----------
    version : int
        Of the schema.
    schema : pa.Schema
    added : tuple of str
        Columns that version 1 did not have.
    former_types : mapping of str to pa.DataType
        Columns that had another type in version 1: a fixed number of uint8 in a list is read as as many bytes.
    former_names : tuple of str
        Names under which older versions of audioae wrote this dataset.
    """

    version: int
    schema: pa.Schema
    added: tuple[str, ...] = ()
    former_types: Mapping[str, pa.DataType] = dataclasses.field(default_factory=dict)
    former_names: tuple[str, ...] = ()

    def stored_schema(self, version: int) -> pa.Schema:
        """The types of the columns in a part of schema version `version`, with those that it lacks."""
        former = self.former_types if version == 1 else {}
        return pa.schema([field.with_type(former.get(field.name, field.type)) for field in self.schema])


DATASETS: dict[str, Dataset] = {
    "tracks": Dataset(3, TRACKS, added=tuple(TRACKS.names[TRACKS.names.index("duplicate_of") + 1 :])),
    "mels": Dataset(2, MELS, former_types={"mel": MEL_V1}),
    "health": Dataset(4, HEALTH, added=tuple(HEALTH.names[HEALTH.names.index("hum_db") + 1 :])),
    "rejects": Dataset(2, REJECTS, added=("attempts", "retry_at")),
    "embeddings": Dataset(1, EMBEDDINGS),
    "network_vectors": Dataset(1, NETWORK_VECTORS),
    "recommendations": Dataset(1, RECOMMENDATIONS, former_names=("coldstart",)),
    "findings": Dataset(1, FINDINGS),
    "screenings": Dataset(1, SCREENINGS),
    "similar": Dataset(1, SIMILAR),
    "playlists": Dataset(1, PLAYLISTS),
    "map": Dataset(1, MAP),
    "regions": Dataset(1, REGIONS),
    "tempos": Dataset(1, TEMPOS),
    "aliases": Dataset(1, ALIASES),
    "residues": Dataset(1, RESIDUES),
    "steps": Dataset(1, STEPS),
    "scans": Dataset(1, SCANS),
    "index_lists": Dataset(1, INDEX_LISTS),
    "runs": Dataset(1, RUNS),
}


def schema_of(dataset: str) -> Dataset:
    """The contract of `dataset`. Raises `StoreError` if the dataset is unknown."""
    if dataset not in DATASETS:
        raise StoreError(f"no dataset {dataset!r}; wanted one of: {', '.join(DATASETS)}")
    return DATASETS[dataset]


def names_of(dataset: str) -> tuple[str, ...]:
    """The name of a dataset or artifact, and the names that it had before.

    >>> names_of("recommendations"), names_of("model")
    (('recommendations', 'coldstart'), ('model',))
    """
    return (dataset, *(DATASETS[dataset].former_names if dataset in DATASETS else ()))
