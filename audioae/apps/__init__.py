"""The four jobs: similarity, cold start, screening, playlists."""
