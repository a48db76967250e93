"""Runs the stories on a real cluster: `python -m tests.cluster test`, which `make test-cluster` calls.

On the cluster of a kubeconfig where one is given; else on our own, which is started for it (and ended after it, unless
it was up before). Stories that disturb all others, marked `alone`, come last and one at a time.

Where a few fail, these are told once more, one at a time and with nothing beside them: a real cluster on a small
machine is late at times, and what is broken fails again. What passed at the second try only is said aloud, and counts
as passed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import levels, places
from tests.cluster.cluster import Cluster
from tests.cluster.saying import Failed, Unsupported, say, timed

FAILED, NO_TESTS = 1, 5
"""pytest's exit codes where tests failed, and where nothing was selected."""
FEW = 3
"""So many may be late by chance; where more fail, something is broken, and nothing is tried again."""
TIMEOUT = 600
"""Seconds for one story: on a real cluster a back-off is waited for, not skipped."""


def run(where: places.Places, kubeconfig: str, workers: int, rest: Sequence[str]) -> int:
    """The exit code. Where CI=true, a level below the best that this machine supports is a failure."""
    if kubeconfig:
        return _pytest(kubeconfig, workers, rest)
    cluster = Cluster(where)
    best, why = levels.supported()
    if best == "none":
        say(f"the stories on a real cluster are SKIPPED: {why['control-plane']}")
        return 0
    was_up = cluster.level() is not None and cluster.healthy()
    try:
        level = cluster.up(best if _in_ci() else None)
        if level == "control-plane":
            say(f"stories that need containers are skipped: {why.get('containers', 'they do not work here')}")
        code = _pytest(str(where.kubeconfig), workers, rest)
    except (Failed, Unsupported) as error:
        if _in_ci():
            raise
        say(f"the stories on a real cluster are SKIPPED: {error}")
        return 0
    finally:
        if not was_up:
            cluster.down()
    if code:
        say(f"the logs of the cluster are kept in {where.logs}")
    return code


def _pytest(kubeconfig: str, workers: int, rest: Sequence[str]) -> int:
    common = [
        sys.executable,
        "-m",
        "pytest",
        f"--kubeconfig={kubeconfig}",
        f"--timeout={TIMEOUT}",
        "--tb=short",
        "--durations=15",
    ]
    parts: tuple[tuple[str, list[str]], ...] = (
        ("real and not alone", ["-n", str(workers), "--dist", "worksteal"]),
        ("real and alone", []),
    )
    codes = []
    for marks, options in parts:
        with timed(f"ran the stories that are {marks}"):
            codes.append(tried([*common, "-m", marks], options, rest))
    ran = [code for code in codes if code != NO_TESTS]
    return max(ran) if ran else NO_TESTS


def tried(command: Sequence[str], options: Sequence[str], rest: Sequence[str]) -> int:
    """The exit code of a command of pytest; of its second try without `options` where no more than `FEW` failed."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-tests-") as folder:
        remembering = [*command, "-o", f"cache_dir={folder}"]
        code = subprocess.run([*remembering, *options, *rest], check=False).returncode
        failed = _failed(Path(folder))
        if code != FAILED or not 0 < len(failed) <= FEW:
            return code
        say(f"{len(failed)} failed, and are tried once more, one at a time")
        again = [*remembering, "--last-failed", "--last-failed-no-failures=none", *rest]
        code = subprocess.run(again, check=False).returncode
        if code == 0:
            say(f"PASSED AT THE SECOND TRY ONLY: {', '.join(sorted(failed))}")
        return code


def _failed(folder: Path) -> frozenset[str]:
    """The ids of the tests that failed, as pytest keeps them: https://docs.pytest.org/en/stable/how-to/cache.html"""
    kept = folder / "v" / "cache" / "lastfailed"
    return frozenset(json.loads(kept.read_text())) if kept.exists() else frozenset()


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"
