"""Load from wrk (Debian's package): closed loop, or about a constant rate by think times; its report as numbers.

Conventions
-----------
- Bodies are written to a file beside the script, one a line, and drawn at random.
- A rate is made by the pauses between the requests of many connections, drawn uniformly from 0 to twice their mean. wrk
  itself has no rate; it does not count a pause as latency. A stall longer than a pause delays the requests behind it.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SCRIPT = """
local requests, n = {{}}, 0
for body in io.lines("{folder}/bodies") do
  n = n + 1
  requests[n] = wrk.format("{method}", "{path}", {headers}, body ~= "" and body or nil)
end
request = function() return requests[math.random(n)] end
{delay}
done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format('{{"n":%d,"seconds":%f,"bad":%d,"broken":%d,"p50_ms":%f,"p99_ms":%f,"max_ms":%f}}\\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


class Load(NamedTuple):
    """What came of it: requests answered, seconds, answers that are no 2xx, broken connections, latencies."""

    n: int
    seconds: float
    bad: int
    broken: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> float:
        return self.n / self.seconds


class Wrk:
    """One kind of request to one server.

    Parameters
    ----------
    url : str
        Of the server.
    path : str
    bodies : sequence of str
        JSON; none for GET.
    headers : mapping
    """

    def __init__(self, url: str, path: str, bodies: Sequence[str] = (), headers: Mapping[str, str] | None = None):
        if shutil.which("wrk") is None:
            raise SystemExit("wrk is not installed: apt-get install wrk")
        self._url, self._path, self._bodies = url, path, bodies
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    def run(self, seconds: float, connections: int, rate: float | None = None) -> Load:
        """Load the server; `rate` in requests per second, None: as fast as it answers."""
        with tempfile.TemporaryDirectory() as folder:
            process = self.start(Path(folder), seconds, connections, rate)
            return finish(process)

    def start(self, folder: Path, seconds: float, connections: int, rate: float | None = None) -> subprocess.Popen:
        """As `run`, in the background; `finish` waits for it. `folder` must outlive it."""
        (folder / "bodies").write_text("\n".join(self._bodies) + "\n")
        (folder / "load.lua").write_text(self._script(folder, connections, rate))
        options = ["-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout", "30s"]
        command = ["wrk", *options, "-s", str(folder / "load.lua"), self._url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def _script(self, folder: Path, connections: int, rate: float | None) -> str:
        pause = f"delay = function() return math.random(0, {round(2000 * connections / rate)}) end" if rate else ""
        pairs = ", ".join(f"[{json.dumps(name)}]={json.dumps(value)}" for name, value in self._headers.items())
        method = "POST" if self._bodies else "GET"
        return SCRIPT.format(folder=folder, method=method, path=self._path, headers=f"{{{pairs}}}", delay=pause)


def finish(process: subprocess.Popen) -> Load:
    """Wait for wrk, and read its report."""
    printed, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"wrk ended with {process.returncode}: {printed}")
    return Load(**json.loads(printed.splitlines()[-1]))
