"""The cluster's processes: started apart from whoever starts them, known by id and start time, and ended by that.

A process id alone may have been given to another program since; with the start time it is this process or none.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.cluster.places import Places
from tests.cluster.saying import Failed

TERM_WAIT = 20.0
"""Seconds that a process has to end by itself."""
_CHILDREN: list["subprocess.Popen[bytes]"] = []
"""Those that this process started and that run: they may outlive it, and a forgotten Popen of one would complain."""


class Processes:
    """The processes of one state folder: `<state>/run/<name>.json` and `<state>/logs/<name>.log` each."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._folder = places.state / "run"

    def start(self, name: str, command: Sequence[str | Path], environ: Mapping[str, str] | None = None) -> None:
        """Start it unless it runs. Its command is kept, so that `again` can start it alike."""
        if self.alive(name):
            return
        arguments, own = [str(part) for part in command], dict(environ or {})
        self._folder.mkdir(parents=True, exist_ok=True)
        self._places.logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._places.state,
                env=_environ() | own,
                start_new_session=True,
            )
        _CHILDREN.append(process)
        identity = {"pid": process.pid, "started": psutil.Process(process.pid).create_time()}
        self._file(name).write_text(json.dumps({**identity, "command": arguments, "environ": own}))

    def again(self, name: str) -> None:
        """Start what was stopped, as it was started before."""
        kept = json.loads(self._file(name).read_text())
        self.start(name, kept["command"], kept["environ"])

    def stop(self, name: str, *, kill: bool = False, within: float = TERM_WAIT) -> None:
        """End it: by SIGTERM, and by SIGKILL where that does not help in time. Nothing where it does not run."""
        for forced in (True,) if kill else (False, True):
            process = self._process(name)
            if process is None:
                break
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill() if forced else process.terminate()
            until = time.monotonic() + within
            while self.alive(name) and time.monotonic() < until:
                time.sleep(0.05)
        _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]

    def alive(self, name: str) -> bool:
        return self._process(name) is not None

    def names(self) -> list[str]:
        """All that were ever started, alive or not."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def log(self, name: str) -> Path:
        return self._places.logs / f"{name}.log"

    def wait(self, name: str, ready: Callable[[], bool], within: float) -> None:
        """Wait until `ready()` is true; Failed with the end of its log when it ended or is late."""
        until = time.monotonic() + within
        while not ready():
            if not self.alive(name):
                raise Failed(f"{name} ended at once; its log {self.log(name)} ends with\n{self.tail(name)}")
            if time.monotonic() > until:
                raise Failed(f"{name} is not ready after {within:g} s; its log {self.log(name)}\n{self.tail(name)}")
            time.sleep(0.1)

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of its log."""
        if not self.log(name).exists():
            return ""
        return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-lines:])

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _process(self, name: str) -> psutil.Process | None:
        try:
            kept = json.loads(self._file(name).read_text())
            process = psutil.Process(kept["pid"])
            same = abs(process.create_time() - kept["started"]) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None


def _environ() -> dict[str, str]:
    """What every component gets: no proxy, no credentials, no settings of whoever starts it."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
