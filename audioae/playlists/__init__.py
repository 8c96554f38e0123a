"""Playlists: smooth walks over real tracks from one track to another, under rules."""
