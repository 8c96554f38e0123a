"""Datasets and artifacts: parts first, manifest last, on a local folder or an object store."""
