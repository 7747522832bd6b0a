"""How fast records are logged to a server and loaded from it: a process of its own on loopback, and the client here.

python -m bench.http                       100,000 records
python -m bench.http --database postgresql://user@host/database

The records are those of `bench.store`. The processor time is that of both ends together, since one waits for the other.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tunesmith.records as rg

from . import records
from .store import PACKAGES, RESULTS, best, made

LOG, LOAD = 4_000, 6_000


@contextmanager
def served(database: str) -> Iterator[tuple[int, str, str]]:
    """(process, address, key) of a server that the command line starts."""
    command, there = [sys.executable, "-m", "tunesmith"], ["--database", database]
    created = [*command, "users", "create", f"bench-{os.getpid()}", "--role", "owner", *there]
    key = subprocess.run(created, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    started = [*command, "records", "server", "--port", "0", *there]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
            assert found is not None
            yield process.pid, found[0], key.strip()
        finally:
            process.terminate()


def processor(process: int) -> float:
    """Seconds of processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rates(database: str, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Records a second, as in `bench.store.rates`, and the processor seconds of each end in the best round."""
    batch = list(made(count))
    found: dict[str, dict[str, float]] = {}
    with served(database) as (process, address, key):
        rg.init(api_url=address, api_key=key)
        for number in range(rounds):
            name = f"rates {number}"
            verbs: dict[str, Callable[[], Any]] = {
                "log": lambda name=name: rg.log(batch, name),
                "load": lambda name=name: len(rg.load(name)) == count or sys.exit("not all came back"),
            }
            for verb, work in verbs.items():
                ours, theirs, begin = time.process_time(), processor(process), time.perf_counter()
                work()
                took = time.perf_counter() - begin
                client, server = time.process_time() - ours, processor(process) - theirs
                best(found.setdefault(verb, {}), count, took, client + server, client=client, server=server)
            rg.delete(name)
        rg.close()
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.http", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="logged and loaded")
    parser.add_argument("--rounds", type=int, default=3, help="of logging and loading")
    parser.add_argument("--database", help="a URL or a path; a new SQLite file without")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        url = options.database or str(Path(folder, "records.db"))
        rate = rates(url, options.records, options.rounds)
    met = {each: rate["log"][each] >= LOG and rate["load"][each] >= LOAD for each in ("clock", "processor")}
    found = {
        "what": "http",
        "database": url.partition(":")[0] if "://" in url else "sqlite",
        "records": options.records,
        "rates": rate,
        "goal": {"log": LOG, "load": LOAD, "met": met},
        **records.circumstances(*PACKAGES),
    }
    records.append(found, options.results)
    for verb, goal in (("log", LOG), ("load", LOAD)):
        each = rate[verb]
        print(
            f"{verb} over HTTP {each['clock']:,} records/s (goal {goal:,}); {each['processor']:,} a second of processor"
            f" time (client {each['client']} s, server {each['server']} s)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
