"""Embeddings in memory, the index over them, and how good it is against exact search."""
