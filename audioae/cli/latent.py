"""The command `audioae latent`: what the decoder makes of places in the latent space, as a picture."""

from typing import TYPE_CHECKING, Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, show
from audioae.errors import SearchError
from audioae.output import write_whole

if TYPE_CHECKING:
    from audioae.api import Library
    from audioae.explore.latent import Places

MAX_STEPS = 225
MAX_CODES = 64


def latent(
    out: Annotated[str, typer.Argument(help="The PNG to write.")],
    tracks: Annotated[
        list[str] | None, typer.Argument(help="One track to sweep, or two to go from one to the other.")
    ] = None,
    dimension: Annotated[int, typer.Option(min=0, max=127, help="Which dimension to sweep.")] = 0,
    steps: Annotated[int, typer.Option(min=2, max=MAX_STEPS, help="How many mels.")] = 9,
    linear: Annotated[bool, typer.Option("--linear", help="Along the straight line, not the arc.")] = False,
    grid: Annotated[bool, typer.Option("--grid", help="The plane of a two-dimensional VAE (model: vae_2d).")] = False,
    book: Annotated[int | None, typer.Option(min=0, help="The codes of this book, the most used first.")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Draw what the model decodes: a sweep of one dimension, the way between two tracks, a grid, or a codebook.

    A sweep goes from percentile 1 to 99 of the dimension over the catalog. Codes are drawn as differences from the mean
    of their book. The picture is an illustration: no track sounds like it.

    \b
    Examples:
      audioae latent sweep.png "Night Drive" --dimension 12
      audioae latent way.png "Night Drive" "Blue Rain" --steps 7
      audioae latent codes.png --book 0
    """
    from audioae.api import Library
    from audioae.explore.latent_picture import latent_picture

    tracks = tracks or []
    if (len(tracks) in (1, 2)) + grid + (book is not None) != 1 or len(tracks) > 2:
        raise SearchError(f"got {len(tracks)} tracks, wanted 1 to sweep or 2 to go between; or --grid; or --book N")
    library = Library(open_store(store))
    if book is not None:
        mels, labels, columns = _codes(library, book)
        heading = f"Codes of book {book}: red adds, blue takes away, up to 10 dB"
    else:
        places = _places(library, tracks, dimension, steps, linear)
        mels, columns = places.decode(library), places.columns
        labels = [] if places.values is None else [f"{value:.2f}" for value in places.values.tolist()]
        titles = [library.find(track).title or track for track in tracks]
        heading = " to ".join(titles) if len(titles) != 1 else f"{titles[0]}: dimension {dimension}"
    picture = latent_picture(mels, columns, heading or "The latent plane", labels)
    try:
        write_whole(out, picture)
    except OSError as error:
        raise SearchError(f"{out}: cannot be written ({error}); choose another file") from error
    result = {"path": out, "model": str(library.model_ref), "mels": len(mels), "labels": labels}
    show(as_json, result, [f"written: {out} ({len(mels)} mels that {library.model_ref} decoded)"])


def _places(library: "Library", tracks: list[str], dimension: int, steps: int, linear: bool) -> "Places":
    from audioae.explore.latent import between, grid, sweep

    ids = [str(library.find(track).track_id) for track in tracks]
    if not ids:
        return grid(library)
    if len(ids) == 1:
        return sweep(library, ids[0], dimension, steps)
    return between(library, ids[0], ids[1], steps, "linear" if linear else "spherical")


def _codes(library: "Library", book: int):
    """What the most used codes add to the mel of the means, their shares, and how many are in a row."""
    import numpy as np

    from audioae.explore.codebook import codes_of
    from audioae.explore.codes import check_book
    from audioae.explore.decoding import decode_one_code

    check_book(library, book)
    counts = codes_of(library).counts
    order = np.argsort(-counts[book], kind="stable")[:MAX_CODES]
    order = order[counts[book][order] > 0]
    mels = [decode_one_code(library, counts, book, int(code)).astype(np.int16) for code in order]
    shares = counts[book] / counts[book].sum()
    labels = [f"{code}: {shares[code]:.1%}" for code in order.tolist()]
    return np.stack([with_code - means for with_code, means in mels]), labels, 8
