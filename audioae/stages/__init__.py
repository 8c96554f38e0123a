"""Stage functions: read committed datasets, call pure functions, commit one dataset."""
