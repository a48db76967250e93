"""The images of the cluster, made here: no registry is reached, so an image that is not among these cannot be pulled.

`pause` holds a pod's namespaces; `busybox` is a root file system with all of busybox's commands, under several tags, so
that a rollout from one tag to another is one. Docker's archive format, which `ctr images import` and `kind load
image-archive` take. Called by `cluster`.
"""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

REPOSITORY = "watchkeeper.test/busybox"
TAGS = ("v1", "v2", "v3")
PAUSE = "watchkeeper.test/pause:v1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
}


def busybox(program: Path) -> bytes:
    """An archive with the image under all of its tags."""
    commands = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var", 0o755)):
            _add(tar, folder, kind=tarfile.DIRTYPE, mode=mode)
        _add(tar, "bin/busybox", program.read_bytes(), mode=0o755)
        for command in sorted(set(commands) - {"busybox"}):
            _add(tar, f"bin/{command}", kind=tarfile.SYMTYPE, target="busybox")
        for name, text in _FILES.items():
            _add(tar, name, text.encode())
    return _archive([f"{REPOSITORY}:{tag}" for tag in TAGS], layer.getvalue(), {"Cmd": ["/bin/sh"]})


def pause(program: Path) -> bytes:
    """An archive with the image of the static program alone."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, "pause", program.read_bytes(), mode=0o755)
    return _archive([PAUSE], layer.getvalue(), {"Entrypoint": ["/pause"]})


def _archive(tags: Iterable[str], layer: bytes, config: Mapping[str, object]) -> bytes:
    """https://github.com/moby/docker-image-spec/blob/main/v1.2.md#combined-image-json--filesystem-changeset-format"""
    digest = hashlib.sha256(layer).hexdigest()
    image = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], **config},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z"}],
        },
        sort_keys=True,
    ).encode()
    name = f"{hashlib.sha256(image).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": [f"{digest}/layer.tar"]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        _add(tar, f"{digest}/layer.tar", layer)
        _add(tar, name, image)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return archive.getvalue()


def _add(
    tar: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    target: str = "",
) -> None:
    """Times and owners are left at zero: the same content is the same image."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(content)
    tar.addfile(entry, io.BytesIO(content))
