"""Tags that try to be markup, in a file of the catalog."""

from pathlib import Path

TITLE = "<img src=x onerror=\"document.title='taken'\">"
ARTIST = "\"><script>document.title='taken'</script>"
LABEL = "<b>Bold</b> & <i>cheap</i>"


def hostile_tags(catalog: Path) -> None:
    """Give one FLAC file of the catalog these tags."""
    import mutagen

    path = min(catalog.rglob("*.flac"))
    file = mutagen.File(path, easy=True)  # pyright: ignore[reportPrivateImportUsage]
    assert file is not None
    file["title"], file["artist"], file["genre"] = TITLE, ARTIST, LABEL
    file.save()
