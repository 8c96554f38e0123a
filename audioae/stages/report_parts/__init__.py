"""What the report of a store is collected from: sounds, findings, example playlists, listeners."""
