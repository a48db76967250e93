"""`kubectl get pods -A -o json`, timed: what a person would type to get at the same pods. Called by `benchmarks.sweep`.

The kubectl of the PATH, else the one that was built for the tests on a real cluster; where there is neither, none.
"""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks import pages_server
from tests.cluster import places


def found() -> Path | None:
    """The program, as an absolute path; nothing is built for it."""
    named = shutil.which("kubectl")
    if named:
        return Path(named)
    built = sorted(places.default().cache.glob("programs-*/kubectl"))
    return built[-1] if built else None


async def seconds(program: Path, port: int, page: int) -> float:
    """How long it takes to list all pods of the page server, in its pages, with its output thrown away.

    Raises AssertionError where it fails: then it has not listed them.
    """
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        arguments = (
            f"--kubeconfig={pages_server.kubeconfig(Path(folder), port)}",
            f"--cache-dir={folder}/cache",
            *("get", "pods", "-A", "-o", "json", f"--chunk-size={page}"),
        )
        environment = {"HOME": folder, "PATH": os.environ.get("PATH", "")}
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        took = time.perf_counter() - started
    assert process.returncode == 0, f"kubectl failed: {said.decode(errors='replace')[:500]}"
    return took
