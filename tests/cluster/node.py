"""The node of level `containers`: its bridge, its images, and the removal of all that containers leave behind.

Called by `cluster`. Everything of ours is told apart by the state folder in its path, or by containerd's socket in it.
"""

import contextlib
import os
import subprocess
import time
from pathlib import Path

import psutil

from tests.cluster import components, debian, images
from tests.cluster.saying import Failed, say

_CGROUPS = Path("/sys/fs/cgroup")


def prepare() -> None:
    """The bridge with the node's address; idempotent."""
    if not Path("/sys/class/net", components.BRIDGE).exists():
        _run("ip", "link", "add", components.BRIDGE, "type", "bridge")
    prefix = components.SUBNET.partition("/")[2]
    _run("ip", "address", "replace", f"{components.NODE_ADDRESS}/{prefix}", "dev", components.BRIDGE)
    _run("ip", "link", "set", components.BRIDGE, "up")


def import_images(layout: components.Layout, runtime: debian.Runtime) -> None:
    """The images, into containerd's store."""
    archives = (images.pause(layout.programs / "pause"), images.busybox(runtime.busybox))
    for archive in archives:
        _ctr(layout, runtime, "images", "import", "-", content=archive)


def clear(layout: components.Layout) -> None:
    """Ends all containers, with the kubelet and containerd ended before, and takes their traces away."""
    marks = (str(components.socket(layout)), str(layout.places.state))
    shims = [each for each in _processes() if _is_shim(each, marks)]
    members = [process for shim in shims for process in _tree(shim)]
    for process in (*members, *shims):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([*members, *shims], 10)
    _unmount(layout.places.state)
    for hierarchy in {_CGROUPS, *_CGROUPS.iterdir()}:
        _remove_cgroups(hierarchy / "kubepods")
    if Path("/sys/class/net", components.BRIDGE).exists():
        _run("ip", "link", "delete", components.BRIDGE)


def _processes() -> list[psutil.Process]:
    return list(psutil.process_iter(["name", "cmdline"]))


def _is_shim(process: psutil.Process, marks: tuple[str, ...]) -> bool:
    line = process.info["cmdline"] or []
    return "containerd-shim" in (process.info["name"] or "") and any(part.startswith(marks) for part in line)


def _tree(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _unmount(folder: Path) -> None:
    """All mounts below a folder, the deepest first, and containers' network namespaces that nobody is in any more."""
    mounts = [
        line.split()[1].encode().decode("unicode_escape") for line in Path("/proc/mounts").read_text().splitlines()
    ]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def _remove_cgroups(folder: Path) -> None:
    """A tree of cgroups without members; a member that is still dying is waited for."""
    if not folder.is_dir():
        return
    for path, _, _ in os.walk(folder, topdown=False):
        for _ in range(50):
            try:
                Path(path).rmdir()
                break
            except OSError:
                time.sleep(0.1)


def _ctr(layout: components.Layout, runtime: debian.Runtime, *words: str, content: bytes = b"") -> str:
    command = [str(runtime.ctr), "--address", str(components.socket(layout)), "--namespace", "k8s.io", *words]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"ctr {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"`{' '.join(command)}` said: {done.stderr.strip()}")
        raise Failed(f"{command[0]} failed")
