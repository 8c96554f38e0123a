"""Plugins of Navidrome, Jellyfin and Lyrion ask for what sounds alike, as they ask an AudioMuse-AI server."""
