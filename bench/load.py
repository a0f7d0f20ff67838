"""h2load: so many calls at once, a fixed number of them, and the sum of the bytes as the proof that all were answered.

A status is not looked at here: h2load 1.52 does not see that of an HTTP/1.1 answer without a reason phrase. What a
right answer is was checked before, in full, on one; `sizes` is how many bytes it may have.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .dialects import Call, WrongAnswer

LOAD_SECONDS = 60
"""A run is planned for a second; one that takes a minute is stuck."""


@dataclass(frozen=True)
class Load:
    """One run of h2load."""

    calls: int
    seconds: float
    """From the first call's start to the last one's end."""
    body_bytes: int
    milliseconds: tuple[float, ...]
    """How long each call took, sorted."""

    def percentile(self, part: float) -> float:
        """The time, in ms, below which this part of all calls was done."""
        return self.milliseconds[min(len(self.milliseconds) - 1, int(part * len(self.milliseconds)))]


def connections(at_once: int, tls: bool) -> tuple[int, int]:
    """Connections, and streams on each: HTTP/1.1 has one call per connection, HTTP/2 up to 32 in up to 8."""
    if not tls:
        return at_once, 1
    count = 1 if at_once <= 32 else 8
    return count, at_once // count


def run(url: str, call: Call, at_once: int, calls: int, sizes: tuple[int, int]) -> Load:
    """Make the calls. Raises WrongAnswer when not every one was answered, and in full."""
    tls = url.startswith("https")
    count, streams = connections(at_once, tls)
    with tempfile.TemporaryDirectory(prefix="mcp-app-bench-load-") as name:
        body, log = Path(name) / "body", Path(name) / "log"
        body.write_bytes(call.body)
        command = ["h2load", "-n", str(calls), "-c", str(count), "-m", str(streams), "-d", str(body)]
        command += ["--log-file", str(log), *([] if tls else ["--h1"])]
        command += [part for field, value in call.headers for part in ("-H", f"{field}: {value}")]
        done = subprocess.run([*command, url], capture_output=True, text=True, timeout=LOAD_SECONDS, check=True)
        return judged(done.stdout, log.read_text().splitlines(), calls, sizes)


def judged(printed: str, log: Sequence[str], calls: int, sizes: tuple[int, int]) -> Load:
    """What h2load printed and logged, if it is `calls` right answers. Raises WrongAnswer."""
    requests = re.search(
        r"^requests: (\d+) total, .* (\d+) done, .* (\d+) errored, (\d+) timeout", printed, re.MULTILINE
    )
    data = re.search(r"\((\d+)\) data$", printed, re.MULTILINE)
    if requests is None or data is None:
        raise WrongAnswer(f"h2load said something else: {printed[-500:]}")
    total, answered, errored, late = (int(each) for each in requests.groups())
    if (total, answered, errored, late) != (calls, calls, 0, 0):
        raise WrongAnswer(f"{answered} of {total} calls were answered, {errored} with an error, {late} too late")
    least, most = (calls * each for each in sizes)
    body_bytes = int(data[1])
    if not least <= body_bytes <= most:
        raise WrongAnswer(f"{body_bytes} bytes in {calls} answers; right are {least} to {most}")
    rows = [(int(start), int(took)) for start, _, took in (line.split("\t")[:3] for line in log)]
    if len(rows) != calls:
        raise WrongAnswer(f"{len(rows)} calls in h2load's log; there were {calls}")
    seconds = (max(start + took for start, took in rows) - min(start for start, _ in rows)) / 1e6
    return Load(calls, seconds, body_bytes, tuple(sorted(took / 1000 for _, took in rows)))
