"""The machine: Python, packages, codecs, processors, memory, GPU, open files.

Convention: sizes are in GB of 10^9 bytes. In a container, its limit counts, not the machine's memory.
"""

import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from audioae.doctor.result import Result, graded

GB = 1e9
LEAST_MEMORY_GB, LEAST_FILES = (4.0, 1.0), (1024, 256)  # below these: warn, fail
EXTRAS = ("pipeline", "dask", "s3", "serve")
_GPU = ("nvidia-smi", "--query-gpu=name,memory.total,memory.used,driver_version", "--format=csv,noheader")


def check_python() -> Iterator[Result]:
    """The version of Python."""
    wanted, found = metadata("audioae")["Requires-Python"] or "", platform.python_version()
    bounds = {sign: (int(major), int(minor)) for sign, major, minor in re.findall(r"(>=|<)(\d+)\.(\d+)", wanted)}
    is_right = bounds.get(">=", (0, 0)) <= sys.version_info[:2] < bounds.get("<", (99, 0))
    yield Result("python", "ok" if is_right else "fail", found, "" if is_right else f"wanted {wanted}")


def check_packages() -> Iterator[Result]:
    """The packages of every extra: those that are missing, and those of another version than wanted."""
    yield Result("audioae", "ok", version("audioae"))
    for extra in EXTRAS:
        missing, wrong = _unmet(extra)
        name = f"audioae[{extra}]"
        if wrong:
            yield Result(name, "fail", ", ".join(wrong), f"pip install '{name}'")
        elif missing:
            needed = "make a store" if extra == "pipeline" else f"use {extra}"
            yield Result(name, "warn", f"not installed: {_some(missing)}", f"to {needed}: pip install '{name}'")
        else:
            yield Result(name, "ok", "installed")


def check_codecs() -> Iterator[Result]:
    """The decoders of PyAV."""
    try:
        from audioae.audio.codecs import MUSIC, missing_decoders

        missing = missing_decoders()
    except ModuleNotFoundError:
        return  # the line of the packages says so
    if missing:
        found = f"PyAV {version('av')} lacks {', '.join(missing)}"
        yield Result("codecs", "warn", found, "pip install --force-reinstall --only-binary av av")
    else:
        yield Result("codecs", "ok", f"PyAV {version('av')} decodes {', '.join(MUSIC)}")


def check_processors() -> Iterator[Result]:
    """The cores that this process may use."""
    n = len(os.sched_getaffinity(0))
    yield Result("processors", "ok", f"{n} of {os.cpu_count()}")


def check_memory() -> Iterator[Result]:
    """The memory that is free, in the machine and in the container."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit, used = (_cgroup(name) for name in ("memory.max", "memory.current"))
    if limit is not None:
        total, free = min(total, limit), min(free, limit - (used or 0))
    found = f"{free / GB:.1f} of {total / GB:.1f} GB free"
    yield graded("memory", free / GB, *LEAST_MEMORY_GB, found, "end other programs, or lower run.workers")


def check_open_files() -> Iterator[Result]:
    """How many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    remedy = f"ulimit -n {min(65536, hard) if hard > 0 else 65536}"
    yield graded("open files", soft if soft >= 0 else 1e9, *LEAST_FILES, f"{soft} of at most {hard}", remedy)


def check_gpu() -> Iterator[Result]:
    """The NVIDIA GPUs, and whether the installed PyTorch can use them."""
    try:
        answer = subprocess.run(_GPU, capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        yield Result("gpu", "ok", "none; models are trained and run by the processors")
        return
    except subprocess.TimeoutExpired:
        yield Result("gpu", "warn", "nvidia-smi does not answer within 20 s", "check the driver")
        return
    if answer.returncode:
        message = " ".join((answer.stdout + answer.stderr).split())
        yield Result("gpu", "warn", f"nvidia-smi: {message[:200]}", "check the driver")
        return
    for line in answer.stdout.strip().splitlines():
        name, memory, used, driver = (word.strip() for word in line.split(","))
        cpu_only = "+cpu" in _version("torch")
        remedy = "this PyTorch uses no GPU; install torch for CUDA" if cpu_only else ""
        yield Result("gpu", "warn" if cpu_only else "ok", f"{name}, {used} of {memory} used, driver {driver}", remedy)


def _unmet(extra: str) -> tuple[list[str], list[str]]:
    """The packages of an extra that are missing, and those that are installed in another version than wanted."""
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # without the extras, nothing brings it
        return [f"the packages of {extra}"], []
    missing, wrong = [], []
    for line in requires("audioae") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name == "audioae" or not marker or not marker.evaluate({"extra": extra}):
            continue
        found = _version(requirement.name)
        if not found:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found}, wanted {requirement.specifier}")
    return missing, wrong


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cgroup(name: str) -> int | None:
    """A limit of the container, version 2 of cgroups; None if there is none."""
    try:
        text = Path("/sys/fs/cgroup", name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _some(names: list[str], most: int = 4) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
