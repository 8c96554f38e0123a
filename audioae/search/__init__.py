"""Embeddings in memory, an index over them, and its quality compared with exact search."""
