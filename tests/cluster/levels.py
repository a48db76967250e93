"""What this machine can run, from best to worst: containers, a control plane with played nodes, or nothing.

`supported` looks without changing anything; what it cannot see in advance, `cluster.up` finds out. Called by
`cluster` and by `python -m tests.cluster level`, which `.ci/run` asks what must not be missing.
"""

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Literal

Level = Literal["containers", "control-plane", "none"]
LEVELS: tuple[Level, ...] = ("containers", "control-plane", "none")
_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer")
_CGROUPS = Path("/sys/fs/cgroup")
MEMORY = 3 * 1024**3
"""Bytes that a cluster and its tests need beside what else runs."""


def supported() -> tuple[Level, dict[Level, str]]:
    """The best level, and for each better one why not, in one sentence."""
    why: dict[Level, str] = {}
    if reason := _no_control_plane():
        return "none", {"containers": reason, "control-plane": reason}
    if reason := _no_containers():
        why["containers"] = reason
        return "control-plane", why
    return "containers", why


def _no_control_plane() -> str:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return f"it is built for Linux on amd64 and arm64, this is {sys.platform} on {platform.machine()}"
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    if pages * size < MEMORY:
        return f"it needs {MEMORY // 1024**3} GiB of memory, this machine has {pages * size / 1024**3:.1f}"
    return ""


def _no_containers() -> str:
    if os.geteuid() != 0:
        return "a kubelet needs root: run it as root, or with sudo"
    if not (_unified() or not _missing_controllers()):
        return f"these cgroup controllers are not mounted: {', '.join(_missing_controllers())}"
    if not os.access(_CGROUPS / ("" if _unified() else "memory"), os.W_OK):
        return "the cgroup file system is mounted read-only"
    for name in ("ip", "mount"):
        if shutil.which(name) is None:
            return f"`{name}` was not found (Debian: iproute2, mount)"
    filesystems = Path("/proc/filesystems").read_text()
    if "overlay" not in filesystems.split() and not Path("/lib/modules").exists():
        return "the kernel has no overlayfs"
    if not Path("/proc/sys/net/ipv4/ip_forward").exists():
        return "the kernel has no IPv4 forwarding, which a pod network needs"
    return ""


def _unified() -> bool:
    return (_CGROUPS / "cgroup.controllers").exists()


def _missing_controllers() -> list[str]:
    return [each for each in _CONTROLLERS if not (_CGROUPS / each).is_dir()]
