"""What the schemas of several datasets have in common."""

import pyarrow as pa


def required(name: str, kind: pa.DataType) -> pa.Field:
    """A column without nulls."""
    return pa.field(name, kind, nullable=False)


TEXTS = pa.list_(pa.field("element", pa.string(), nullable=False))
