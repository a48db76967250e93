"""The programs that a node needs beside the kubelet: containerd, runc, the CNI plugins and busybox.

On Debian and Ubuntu they are downloaded as packages and unpacked into the cache: nothing is installed, no service of
the system is started or disturbed. Elsewhere what is installed is used. Called by `cluster`.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.saying import Unsupported, say, timed

PACKAGES = ("containerd", "runc", "containernetworking-plugins", "busybox-static")
_PLUGINS = ("usr/lib/cni", "opt/cni/bin", "usr/libexec/cni")
_NEEDED = ("bridge", "host-local", "loopback")


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the programs of the container runtime are."""

    containerd: Path
    ctr: Path
    runc: Path
    plugins: Path
    """The folder with the CNI plugins."""
    busybox: Path
    """A statically linked one, for images."""

    @property
    def path(self) -> str:
        """PATH for containerd, which looks for its shim there."""
        return os.pathsep.join([str(self.containerd.parent), str(self.runc.parent), os.environ.get("PATH", "")])


def runtime(places: Places) -> Runtime:
    """The runtime's programs; fetches them where that is possible. Unsupported names what is missing."""
    unpacked = places.cache / "runtime"
    with places.locked("runtime"):
        if not unpacked.is_dir() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
            _unpack(places, unpacked)
    roots = [unpacked, Path("/")] if unpacked.is_dir() else [Path("/")]
    for root in roots:
        found = _found(root)
        if not isinstance(found, str):
            return found
    raise Unsupported(
        f"{_found(Path('/'))} was not found; install containerd, runc, the CNI plugins and a static busybox "
        f"(Debian: apt-get install {' '.join(PACKAGES)})"
    )


def _found(root: Path) -> Runtime | str:
    """The runtime below a root folder, or the name of the first thing that is not there."""
    programs: dict[str, Path] = {}
    for name in ("containerd", "ctr", "runc", "busybox", "containerd-shim-runc-v2"):
        places = (root / folder / name for folder in ("usr/bin", "usr/sbin", "bin", "usr/local/bin", "usr/local/sbin"))
        path = next((each for each in places if os.access(each, os.X_OK)), None)
        if path is None:
            return name
        programs[name] = path
    for folder in _PLUGINS:
        if all(os.access(root / folder / name, os.X_OK) for name in _NEEDED):
            plugins = root / folder
            return Runtime(programs["containerd"], programs["ctr"], programs["runc"], plugins, programs["busybox"])
    return "the CNI plugins"


def _unpack(places: Places, target: Path) -> None:
    with (
        timed(f"unpacked {', '.join(PACKAGES)} from Debian's packages"),
        tempfile.TemporaryDirectory(dir=places.cache, prefix="packages-") as folder,
    ):
        if not _downloaded(folder) and os.geteuid() == 0:
            say("the package lists are missing or old: apt-get update")
            subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
            _downloaded(folder)
        packages = sorted(Path(folder).glob("*.deb"))
        if len(packages) < len(PACKAGES):
            return  # what is installed may do; `runtime` says what is missing if it does not
        root = Path(folder, "root")
        for package in packages:
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
        shutil.copytree(root, target, symlinks=True)


def _downloaded(folder: str) -> bool:
    command = ["apt-get", "download", "-qq", *PACKAGES]
    done = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0
