"""The command `audioae files`: where the parts of a dataset are, for tools that read Parquet."""

from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, show


def files(
    dataset: Annotated[
        str, typer.Argument(help="A dataset, such as embeddings or tracks; or one version, such as tracks@3f2a91c0.")
    ],
    sql: Annotated[
        bool, typer.Option("--sql", help="Print one line of quoted, comma-separated paths for SQL.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Print the Parquet files of the current version of a dataset, one per line.

    Other tools read them directly. The files of a version never change.
    """
    from audioae.store.manifest import DatasetRef

    paths = open_store(store).files(DatasetRef.parse(dataset) if "@" in dataset else dataset)
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    show(as_json, paths, [quoted] if sql else [*paths])
