"""An S3 bucket as a filesystem: its timeouts and retries, a missing bucket, and uploads that nobody finished.

Conventions
-----------
- A connection that sends nothing for `TIMEOUT_S` is given up, and the call is tried again, `ATTEMPTS` times in all.
- An object of up to 10 MB is one request, and what is larger a multipart upload.
- Listing and aborting unfinished uploads needs boto3 (pyarrow cannot); without it a bucket's lifecycle rule
  `AbortIncompleteMultipartUpload` does the same.
"""

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from pyarrow import fs as pafs

from audioae.errors import StoreError

TIMEOUT_S = 10.0
ATTEMPTS = 3


def open_s3(uri: str) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a URI, and the path in it; on S3 with timeouts and retries."""
    filesystem, path = pafs.FileSystem.from_uri(uri)
    if not isinstance(filesystem, pafs.S3FileSystem):
        return filesystem, path
    (options,) = filesystem.__reduce__()[1]  # as given by the URI and the environment; pickling keeps no retries
    options |= {"connect_timeout": TIMEOUT_S, "request_timeout": TIMEOUT_S, "allow_delayed_open": True}
    return pafs.S3FileSystem(**options, retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS)), path


def no_bucket(where: str) -> str:
    """The message for a bucket that does not exist."""
    return f"{where}: no such bucket; create it, or check its name, the endpoint and the region"


def explain(where: str, error: OSError) -> str | None:
    """The message for what only S3 answers: there is no such bucket, or nobody answers. None for everything else."""
    text = str(error)
    if "NO_SUCH_BUCKET" in text or "bucket does not exist" in text:
        return no_bucket(where)
    if "NETWORK_CONNECTION" in text:
        return (
            f"{where}: no answer from the server after {ATTEMPTS} attempts, given up after {TIMEOUT_S:g} s of silence "
            f"each ({text.rpartition('; Details: ')[2]}); check the network and the endpoint, then run again"
        )
    return None


def abort_uploads(root: str, oldest: datetime, *, dry_run: bool) -> list[str] | None:
    """Abort the unfinished uploads below `root` that began before `oldest`; returns their keys, or None without boto3.

    Parameters
    ----------
    root : str
        `s3://bucket/prefix`, with its query.
    oldest : datetime
        Younger uploads may still be in progress.
    dry_run : bool
        Only list them.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return None
    parts = urlsplit(root)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    endpoint = query.get("endpoint_override")
    client = boto3.client(
        "s3",
        endpoint_url=f"{query.get('scheme', 'https')}://{endpoint}" if endpoint else None,
        region_name=query.get("region"),
        aws_access_key_id=parts.username,
        aws_secret_access_key=parts.password,
    )
    bucket, prefix = parts.netloc.rpartition("@")[2], parts.path.strip("/")
    prefix = f"{prefix}/" if prefix else ""
    try:
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        old = [upload for page in pages for upload in page.get("Uploads", []) if upload["Initiated"] < oldest]
        for upload in () if dry_run else old:
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except (BotoCoreError, ClientError) as error:
        raise StoreError(
            f"{root}: unfinished uploads cannot be listed and aborted ({error}); allow it, or let a lifecycle rule of "
            "the bucket do it"
        ) from error
    return [str(upload["Key"]).removeprefix(prefix) for upload in old]
