"""Entry point of the flow `playlists`: `python -m flows.playlists CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("playlists")  # imports the flow once the config has been checked
else:
    from audioae.flows.playlists import playlists

    __all__ = ["playlists"]
