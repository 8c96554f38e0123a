"""audioae: a catalog of audio files becomes 128-d embeddings, and the embeddings become answers.

Importing this package loads none of the heavy ones (torch, faiss, librosa, prefect).
"""

__version__ = "0.1.0"
