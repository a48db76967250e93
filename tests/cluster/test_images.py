"""The images that are made here: well-formed, the same each time, and with the commands that the stories run."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import images

COMMANDS = ("busybox", "cat", "sh", "sleep", "touch")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Lists its commands as a busybox does."""
    path = tmp_path / "busybox"
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' {' '.join(COMMANDS)}\n")
    path.chmod(0o755)
    return path


def opened(archive: bytes) -> tuple[dict[str, Any], dict[str, Any], tarfile.TarFile]:
    """(manifest, image configuration, root file system) of an archive with one layer."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (manifest,) = json.loads(_read(tar, "manifest.json"))
        image = _read(tar, manifest["Config"])
        (layer,) = (_read(tar, name) for name in manifest["Layers"])
    config = json.loads(image)
    assert manifest["Config"] == f"{hashlib.sha256(image).hexdigest()}.json"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    return manifest, config, tarfile.open(fileobj=io.BytesIO(layer))


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    found = tar.extractfile(name)
    assert found is not None
    return found.read()


def test_busybox_has_a_tag_for_each_version_and_a_link_for_each_command(program: Path) -> None:
    manifest, config, files = opened(images.busybox(program))
    assert manifest["RepoTags"] == [f"{images.REPOSITORY}:{tag}" for tag in images.TAGS]
    assert (config["os"], config["config"]) == ("linux", {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]})
    with files:
        assert _read(files, "bin/busybox") == program.read_bytes()
        assert files.getmember("bin/busybox").mode == 0o755
        links = {each.name: each.linkname for each in files.getmembers() if each.issym()}
        assert links == {f"bin/{each}": "busybox" for each in COMMANDS if each != "busybox"}
        assert files.getmember("tmp").mode == 0o1777
        assert b"root:x:0:0" in _read(files, "etc/passwd")


def test_the_same_content_is_the_same_image_whenever_it_is_made(program: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.write_bytes(program.read_bytes())
    later.chmod(0o755)
    assert images.busybox(program) == images.busybox(later)
    assert images.pause(program) == images.pause(later)
    with opened(images.busybox(program))[2] as files:
        assert {(each.mtime, each.uid, each.gid, each.uname) for each in files.getmembers()} == {(0, 0, 0, "")}


def test_pause_holds_its_program_alone(program: Path) -> None:
    manifest, config, files = opened(images.pause(program))
    assert manifest["RepoTags"] == [images.PAUSE]
    assert config["config"]["Entrypoint"] == ["/pause"]
    with files:
        assert files.getnames() == ["pause"]
