"""The page of a listening test: it plays three clips, takes a choice, and keeps the answers.

Conventions
-----------
- Blind: nothing that the page shows names a track, and clips are keyed in random order. The page's source does name
  them, because the answers must: who listens should not read it.
- The page loads nothing; its own content security policy forbids it.
- Answers are kept in the browser after each choice, by the name of the test, and saved as a JSON file.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from audioae.pages.markup import package_file, render

FORMAT = "audioae listening test 1"
"""What an answers file says it is."""


def render_listening(
    test: str, store: str, embeddings: str, made: str, trials: Sequence[Mapping[str, Any]], clips: Mapping[str, bytes]
) -> str:
    """The whole page as HTML; write it to a file as UTF-8.

    Parameters
    ----------
    test, store, embeddings, made : str
        As in `listening.make.ListeningTest`; the answers repeat them.
    trials : sequence of mapping
        x, a and b, each with the key of its `clip`; everything else is passed on to the answers.
    clips : mapping of str to bytes
        An MP3 file by the key of each clip.
    """
    head = {"format": FORMAT, "test": test, "store": store, "embeddings": embeddings, "made": made}
    encoded = {key: base64.b64encode(clip).decode() for key, clip in clips.items()}
    page = render(
        "listening",
        n=len(trials),
        style=package_file("colors.css") + package_file("listening.css"),
        data={"head": head, "trials": trials, "clips": encoded},
        script=package_file("listening.js"),
    )
    return str(page)
