"""Datasets and artifacts in a local folder or an object store: parts are written first, the manifest last."""
