# pyarrow makes the functions of pyarrow.compute at import, where no type checker can see them.
# This partial stub is merged with the package's own types, so that every other unknown attribute is still an error.
from typing import Any

def __getattr__(name: str) -> Any: ...
