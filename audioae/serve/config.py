"""The settings of the service. Importing this module loads no web framework."""

from typing import Literal

from pydantic import Field

from audioae.config import Config

MIB = 1 << 20


class Limits(Config):
    """What one request may cost. Anything above is refused with a 4xx, and nothing of it is computed.

    Parameters
    ----------
    body_bytes, body_s : int, float
        A request's body, and the seconds in which it must arrive.
    upload_bytes, upload_s : int, float
        The same of an uploaded file.
    idle_s : float
        The longest pause of a body.
    decode_s, decode_memory_mb : float, int
        Seconds and memory to decode and embed an uploaded file.
    clip_s : float
        Seconds to cut a clip, or to draw a spectrogram.
    audio_s, sample_rate, channels : float, int, int
        What an uploaded file may contain.
    uploads : int
        Uploaded files that arrive or wait at the same time in each worker; each may need twice `upload_bytes` of disk.
    queue : int
        Requests of one kind that wait while others of it are computed.
    """

    body_bytes: int = Field(default=16 * MIB, ge=1024)
    body_s: float = Field(default=30.0, gt=0)
    upload_bytes: int = Field(default=256 * MIB, ge=1024)
    upload_s: float = Field(default=300.0, gt=0)
    idle_s: float = Field(default=10.0, gt=0)
    decode_s: float = Field(default=30.0, gt=0)
    decode_memory_mb: int = Field(default=1024, ge=256)
    clip_s: float = Field(default=15.0, gt=0)
    audio_s: float = Field(default=14_400.0, gt=0)
    sample_rate: int = Field(default=384_000, ge=8_000)
    channels: int = Field(default=32, ge=1)
    uploads: int = Field(default=16, ge=1)
    queue: int = Field(default=64, ge=1)


class ServeConfig(Config):
    """How a store is served.

    Parameters
    ----------
    store : str
        A folder, or `s3://bucket/prefix`.
    index : str or None
        Serve this version of the index, and stay with it; None: the current one.
    follow_s : float or None
        Look for a newer index every so many seconds; None: only when told to (`POST /v1/index:reload`, SIGHUP).
    workers : int
        Processes. They share the port and the mapped index.
    threads, decoders : int
        Searches, and decoding processes for uploaded files, at the same time in each worker. One search is best: a
        second thread fights with it for Python's lock, which costs half as much again; for more, take more workers.
    clip_decoders : int
        Decoding processes for clips and spectrograms, at the same time in each worker.
    clip_cache_mb : int
        Disk for clips and spectrograms that were made, for all workers together.
    audio : str
        What can be heard: "clips" of up to a minute, whole "files" as well, or "none". Whoever hears clips can put a
        track together from them.
    warm_decoders : bool
        Start the decoding processes with the server, not with the first uploaded file.
    keys_file : str or None
        A file of keys, as `serve.auth` describes it.
    cors : tuple of str
        Origins whose pages may call the service from a browser.
    access_log : bool
        Whether each request is a line on stdout.
    namespace : str or None
        IDs of AudioMuse and OpenSubsonic clients are aliases in this namespace; None: they are track_ids.
    collection : str
        The name of the catalog for Qdrant clients.
    """

    store: str = "data"
    index: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=1, ge=1, le=64)
    decoders: int = Field(default=2, ge=1, le=64)
    clip_decoders: int = Field(default=2, ge=1, le=64)
    clip_cache_mb: int = Field(default=512, ge=16)
    audio: Literal["none", "clips", "files"] = "clips"
    warm_decoders: bool = False
    follow_s: float | None = Field(default=None, gt=0)
    keys_file: str | None = None
    cors: tuple[str, ...] = ()
    access_log: bool = True
    namespace: str | None = None
    collection: str = "audioae"
    limits: Limits = Limits()
