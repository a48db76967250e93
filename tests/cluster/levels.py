"""What this machine can run, from best to worst: containers, a control plane with played nodes, or nothing.

`supported` looks without changing anything; what it cannot see in advance, `cluster.up` finds out. Called by
`cluster` and by `python -m tests.cluster level`, which `.ci/run` asks what must not be missing.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["containers", "control-plane", "none"]
LEVELS: tuple[Level, ...] = ("containers", "control-plane", "none")
_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer")
MEMORY = 3 * 1024**3
"""Bytes that a cluster and its tests need beside what else runs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is looked at."""

    system: str
    architecture: str
    memory: int
    """Bytes, of all."""
    user: int
    """The effective user id."""
    root: Path = Path("/")
    """Where /sys, /proc and /lib are."""
    which: Callable[[str], str | None] = shutil.which

    @property
    def cgroups(self) -> Path:
        return self.root / "sys" / "fs" / "cgroup"


def here() -> Machine:
    """This machine."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(sys.platform, platform.machine(), memory, os.geteuid())


def supported(machine: Machine | None = None) -> tuple[Level, dict[Level, str]]:
    """The best level, and for each better one why not, in one sentence."""
    looked_at = machine or here()
    if reason := _no_control_plane(looked_at):
        return "none", {"containers": reason, "control-plane": reason}
    if reason := _no_containers(looked_at):
        return "control-plane", {"containers": reason}
    return "containers", {}


def _no_control_plane(machine: Machine) -> str:
    if machine.system != "linux" or machine.architecture not in ("x86_64", "aarch64"):
        return f"it is built for Linux on amd64 and arm64, this is {machine.system} on {machine.architecture}"
    if machine.memory < MEMORY:
        return f"it needs {MEMORY // 1024**3} GiB of memory, this machine has {machine.memory / 1024**3:.1f}"
    return ""


def _no_containers(machine: Machine) -> str:
    if machine.user != 0:
        return "a kubelet needs root: run it as root, or with sudo"
    unified = (machine.cgroups / "cgroup.controllers").exists()
    if not unified and (missing := [each for each in _CONTROLLERS if not (machine.cgroups / each).is_dir()]):
        return f"these cgroup controllers are not mounted: {', '.join(missing)}"
    if not os.access(machine.cgroups / ("" if unified else "memory"), os.W_OK):
        return "the cgroup file system is mounted read-only"
    for name in ("ip", "mount"):
        if machine.which(name) is None:
            return f"`{name}` was not found (Debian: iproute2, mount)"
    filesystems = (machine.root / "proc" / "filesystems").read_text()
    if "overlay" not in filesystems.split() and not (machine.root / "lib" / "modules").exists():
        return "the kernel has no overlayfs"
    if not (machine.root / "proc" / "sys" / "net" / "ipv4" / "ip_forward").exists():
        return "the kernel has no IPv4 forwarding, which a pod network needs"
    return ""
