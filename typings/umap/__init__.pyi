# What the project uses of umap-learn. The package has no types, and a type checker needs longer to infer those of its
# functions, through Numba and SciPy, than for all other files of a folder.
from typing import Any

UMAP: Any
