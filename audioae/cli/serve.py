"""The commands `audioae serve`, which answers over HTTP, and `audioae serve-key`, which makes keys for it."""

import sys
from typing import Annotated, Literal

import typer

from audioae.cli.show import safe


def serve(
    store: Annotated[
        str | None,
        typer.Option(
            envvar="AUDIOAE_STORE", show_default="data", help="Root of the store: a folder or s3://bucket/prefix."
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(show_default="127.0.0.1", help="Address to listen on. Others than this machine's own need keys."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(show_default="8000", min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(show_default="1", min=1, help="Processes; they share the port and the index. One per core."),
    ] = None,
    follow: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            show_default="only when told to",
            help="Look for a newer index every so many seconds. A new one takes over without a failed request.",
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(show_default="the current one", help="Serve this version (index@3f2a91c0) and stay with it."),
    ] = None,
    keys_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="API keys, a line each: name:hash[:role]. `audioae serve-key NAME` prints such a line. Read again on "
            "SIGHUP. AUDIOAE_API_KEYS may hold entries as well, separated by commas.",
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Let pages of this origin call the service from a browser; repeatable."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="IDs of AudioMuse and OpenSubsonic clients are aliases in this namespace (`audioae aliases`); "
            "default: they are track_ids.",
        ),
    ] = None,
    audio: Annotated[
        Literal["none", "clips", "files"] | None,
        typer.Option(
            show_default="clips", help="What can be heard: clips of up to a minute, whole files as well, or nothing."
        ),
    ] = None,
    warm_decoders: Annotated[
        bool | None,
        typer.Option(
            "--warm-decoders/--no-warm-decoders",
            help="Start the decoding processes with the server: the first uploaded file is then as fast as later ones.",
        ),
    ] = None,
    access_log: Annotated[
        bool | None, typer.Option("--access-log/--no-access-log", help="One JSON line per request on stdout.")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="YAML with these and further settings; options win over it.",
        ),
    ] = None,
) -> None:
    """Answer questions over HTTP: similar tracks, playlists, recommendations; for programs, Qdrant and music servers.

    Prints one line when it is ready. Without keys, it serves this machine only. SIGTERM and Ctrl-C end it after the
    requests in flight; SIGHUP reads the keys again and serves the newest index.

    \b
    Examples:
      audioae serve --store data
      curl -s localhost:8000/v1/similar -d '{"seeds": [{"track_id": "b36df8f65ba0489b"}], "k": 10}'
      audioae serve --workers 4 --follow 10 --host 0.0.0.0 --keys-file keys.txt
    """
    from audioae.config import load_config, parse_config
    from audioae.serve.config import ServeConfig
    from audioae.serve.server import run

    options = {
        "store": store,
        "host": host,
        "port": port,
        "workers": workers,
        "follow_s": follow,
        "index": index,
        "keys_file": keys_file,
        "cors": cors or None,
        "namespace": namespace,
        "audio": audio,
        "warm_decoders": warm_decoders,
        "access_log": access_log,
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    written = load_config(ServeConfig, config).model_dump() if config else {}
    settings = parse_config(ServeConfig, {**written, **chosen}, "audioae serve")
    if error := run(settings, lambda line: print(safe(line), file=sys.stderr, flush=True)):
        sys.exit(safe(error))


def serve_key(
    name: Annotated[str, typer.Argument(help="Whose key it is: letters, digits, . _ -. It appears in the access log.")],
    judge: Annotated[bool, typer.Option("--judge", help="The key may also save verdicts.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="The key may also reload the index.")] = False,
) -> None:
    """Make an API key for `audioae serve`: prints it once, and the line for the key file, which holds only its hash."""
    from audioae.serve.auth import Keys, hash_key, make_key

    key = make_key()
    entry = f"{name}:{hash_key(key)}:{'admin' if admin else 'judge' if judge else 'read'}"
    Keys.parse(entry, "serve-key")
    print(f"key, for the client (shown only now):\n  {key}\nline, for the key file of the server:\n  {entry}")
