"""The command `audioae latent`: what the decoder makes of places in the latent space, as a picture."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioae.cli.show import JsonOption, StoreOption, local_workers, open_store, progress_line, rows_table, show
from audioae.errors import SearchError
from audioae.output import write_whole

if TYPE_CHECKING:
    from audioae.api import Library
    from audioae.explore.latent import Places

MAX_STEPS = 225
MAX_CODES = 64
COLORS = "red adds, blue takes away, up to 10 dB"
WHAT = {
    "drawn": "samples",
    "real": "real clips of other artists",
    "rebuilt": "the same, encoded and decoded",
    "noise": "white noise",
}


def latent(
    out: Annotated[str, typer.Argument(help="The PNG to write.")],
    tracks: Annotated[
        list[str] | None, typer.Argument(help="One track to sweep, or two to go from one to the other.")
    ] = None,
    dimension: Annotated[int, typer.Option(min=0, max=127, help="Which dimension to sweep.")] = 0,
    steps: Annotated[int, typer.Option(min=2, max=MAX_STEPS, help="How many mels.")] = 9,
    linear: Annotated[bool, typer.Option("--linear", help="Along the straight line, not the arc.")] = False,
    grid: Annotated[bool, typer.Option("--grid", help="The plane of a two-dimensional VAE (model: vae_2d).")] = False,
    sample: Annotated[
        int, typer.Option(min=0, max=MAX_STEPS, help="Draw as many mels from a VAE's prior, or from the codes' shares.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other samples.")] = 0,
    book: Annotated[int | None, typer.Option(min=0, help="The codes of this book, the most used first.")] = None,
    events: Annotated[int | None, typer.Option(min=0, help="The same of a grid of codes (model: vqvae_grid).")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Draw what the model decodes: a sweep of one dimension, the way between two tracks, a grid, samples, a codebook.

    A sweep goes from percentile 1 to 99 of the dimension over the catalog. Codes are drawn as differences from the mean
    of their book. The picture is an illustration: no track sounds like it. With samples come their Fréchet distance to
    the catalog's clips by the model's own embedding, and that of real clips, rebuilt clips and white noise.

    \b
    Examples:
      audioae latent sweep.png "Night Drive" --dimension 12
      audioae latent way.png "Night Drive" "Blue Rain" --steps 7
      audioae latent codes.png --book 0
      audioae latent samples.png --sample 16
    """
    from audioae.api import Library
    from audioae.explore.latent_picture import latent_picture

    tracks = tracks or []
    chosen = (len(tracks) in (1, 2), grid, book is not None, events is not None, sample > 0)
    if sum(chosen) != 1 or len(tracks) > 2:
        wanted = "wanted 1 to sweep or 2 to go between; or --grid; or --book N; or --events N; or --sample N"
        raise SearchError(f"got {len(tracks)} tracks, {wanted}")
    library = Library(open_store(store))
    distances: dict[str, Any] = {}
    if book is not None:
        mels, labels, columns = _codes(library, book)
        heading = f"Codes of book {book}: {COLORS}"
    elif events is not None:
        mels, labels, columns = _grid_codes(library, events)
        heading = f"Codes of book {events} of the grid, in every place: {COLORS}"
    elif sample:
        mels, distances = _samples(library, sample, seed)
        labels, columns, heading = [], math.ceil(math.sqrt(sample)), f"{sample} samples of {library.model_ref}"
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
    result = {"path": out, "model": str(library.model_ref), "mels": len(mels), "labels": labels, **distances}
    written = f"written: {out} ({len(mels)} mels that {library.model_ref} decoded)"
    show(as_json, result, [*_distance_lines(distances), written])


def _places(library: "Library", tracks: list[str], dimension: int, steps: int, linear: bool) -> "Places":
    from audioae.explore.latent import between, grid, sweep

    ids = [str(library.find(track).track_id) for track in tracks]
    if not ids:
        return grid(library)
    if len(ids) == 1:
        return sweep(library, ids[0], dimension, steps)
    return between(library, ids[0], ids[1], steps, "linear" if linear else "spherical")


def _samples(library: "Library", n: int, seed: int) -> tuple[Any, dict[str, Any]]:
    """Drawn mels, and how far such mels are from the catalog's clips."""
    from audioae.evaluation.generation import N_CLIPS, draw_and_measure

    with progress_line() as progress:
        drawn = draw_and_measure(library, max(n, N_CLIPS), seed, workers=local_workers(), progress=progress)
    if len(drawn.mels) < n:
        raise SearchError(f"--sample {n}: the catalog has clips to compare {len(drawn.mels)} samples with; draw fewer")
    return drawn.mels[:n], {name: drawn.document[name] for name in ("n", "distances", "notes")}


def _distance_lines(found: dict[str, Any]) -> list[Any]:
    """The distances as a table, and what to know about them."""
    if not found:
        return []
    rows = [{"": WHAT[name], "distance": value} for name, value in found["distances"].items()]
    title = f"Fréchet distance to {found['n']} clips of the catalog, by the model's own embedding"
    return [rows_table(rows, ("", "distance"), title), *found["notes"]]


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


def _grid_codes(library: "Library", book: int):
    """The same for a book of the grid; the shares are those at the end of the training."""
    from audioae.explore.decoding import decode_grid_codes

    codes, shares, mels = decode_grid_codes(library, book, MAX_CODES)
    labels = [f"{code}: {share:.1%}" for code, share in zip(codes.tolist(), shares.tolist(), strict=True)]
    return mels[:, 0].astype("int16") - mels[:, 1], labels, 8
