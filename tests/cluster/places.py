"""Where things are kept: what is built in a cache that outlives clusters, what runs in one state folder.

Both are outside the tree, so that a clean clone finds what was built before. Used by every module of this package.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "watchkeeper-cluster"


@dataclass(frozen=True, slots=True)
class Places:
    """The two folders, and what is where in the state folder."""

    cache: Path
    state: Path

    @property
    def certificates(self) -> Path:
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def configs(self) -> Path:
        return self.state / "config"

    @property
    def record(self) -> Path:
        """What `up` decided: level, ports, programs. Its presence says that there is a cluster."""
        return self.state / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.state / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """What the API server was asked to change, by whom: one JSON object a line (audit.k8s.io/v1 Event)."""
        return self.logs / "audit.log"

    @contextmanager
    def locked(self, what: str = "state") -> Iterator[None]:
        """One process at a time; the others wait."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / f"{what}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def of(kubeconfig: Path) -> Places | None:
    """The places of the cluster of ours whose administrator's kubeconfig this is; None for any other kubeconfig."""
    found = Places(default().cache, kubeconfig.resolve().parent)
    return found if found.kubeconfig == kubeconfig.resolve() and found.record.is_file() else None


def default(state: str = "", cache: str = "") -> Places:
    """The usual places, by the XDG base directories; either can be given."""
    home = Path.home()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    states = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return Places(
        Path(cache).resolve() if cache else caches / NAME,
        Path(state).resolve() if state else states / NAME,
    )
