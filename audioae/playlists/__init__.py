"""Playlists that walk through the embeddings, over real tracks, under rules."""
