"""Which extra of the package has a module that is not installed.

Why: the base installs what a query needs (about 310 MB). PyTorch, Prefect and the decoders, which make a store, come
with `audioae[pipeline]`. A command that misses one says so in one line.
"""

# The module to import -> the extra that installs it. tests/packaging checks this table against pyproject.toml.
EXTRA_OF = {
    "av": "pipeline",
    "duckdb": "pipeline",
    "graspologic_native": "pipeline",
    "jinja2": "pipeline",
    "librosa": "pipeline",
    "lightning": "pipeline",
    "markupsafe": "pipeline",
    "matplotlib": "pipeline",
    "mutagen": "pipeline",
    "numba": "pipeline",
    "PIL": "pipeline",
    "prefect": "pipeline",
    "safetensors": "pipeline",
    "scipy": "pipeline",
    "sklearn": "pipeline",
    "soundfile": "pipeline",
    "soxr": "pipeline",
    "tensorboard": "pipeline",
    "torch": "pipeline",
    "torchaudio": "pipeline",
    "umap": "pipeline",
    "uvicorn": "pipeline",
    "dask": "dask",
    "prefect_dask": "dask",
    "onnxruntime": "onnx",
    "boto3": "s3",
    "botocore": "s3",
    "fastapi": "serve",
    "fastapi_swagger": "serve",
    "httptools": "serve",
    "orjson": "serve",
    "prometheus_client": "serve",
    "python_multipart": "serve",
    "starlette": "serve",
    "uvloop": "serve",
    "httpx": "client",
}


def explain_missing(error: ModuleNotFoundError, command: str) -> str | None:
    """One line that says which extra `command` needs; None if the missing module is of no extra.

    >>> explain_missing(ModuleNotFoundError("No module named 'torch'", name="torch"), "audioae run")
    "audioae run needs the extra: pip install 'audioae[pipeline]' (torch is not installed)"
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRA_OF:
        return None
    return f"{command} needs the extra: pip install 'audioae[{EXTRA_OF[module]}]' ({module} is not installed)"
