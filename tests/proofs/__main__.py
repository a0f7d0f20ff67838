"""Run a proof by its name: `make proof ARGS=schemas`, or a tenth of it: `ARGS="schemas --tenth"`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from .examples import RANDOM, VARIABLE

PROOFS = {
    "schemas": ("tests/proofs/test_schemas.py", 100_000),
    "analysis": ("tests/proofs/test_analysis.py", 10_000_000),
    "requests": ("tests/proofs/test_requests.py", 100_000),
    "connections": ("tests/proofs/test_connections.py", 10_000),
    "defences": ("tests/proofs/test_defences.py", 100),
    "chaos": ("tests/proofs/test_chaos.py tests/proofs/test_chaos_on_redis.py", 200),
}
"""Name -> the files of its tests, and how many examples each of them draws; of an analysis they are rows, of
requests the requests of one server, of defences how many are removed at most, of chaos the runs at once."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make proof", description=__doc__)
    parser.add_argument("name", choices=PROOFS)
    parser.add_argument("--tenth", action="store_true", help="with a tenth of the examples")
    parser.add_argument("--examples", type=int, help="with so many, the same ones each time")
    given = parser.parse_args()
    file, examples = PROOFS[given.name]
    examples = given.examples or (examples // 10 if given.tenth else examples)
    command = [sys.executable, "-m", "pytest", "-q", "-o", "faulthandler_timeout=0", "--durations=0", *file.split()]
    print(f"{given.name}: {examples} examples of each test")
    random = {} if given.tenth or given.examples else {RANDOM: "1"}
    return subprocess.run(command, env={**os.environ, VARIABLE: str(examples), **random}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
