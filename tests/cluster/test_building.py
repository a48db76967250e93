"""What is built of the pinned sources is built once, and again when they change. A stand-in plays the Go compiler."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster import building
from tests.cluster.places import HERE, Places
from tests.cluster.saying import Failed

GO = """#!/bin/sh
case "$1" in
env) echo go1.26.1 ;;
build)
    echo "$CGO_ENABLED $PWD $*" >> {told}
    while [ "$1" != -o ]; do shift; done
    grep -q broken go.mod && exit 1
    echo program > "$2" ;;
esac
"""


class Sources:
    """A module with pins, and the compiler that counts what it is told."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "cache", folder / "state")
        self.pins = folder / "go.mod"
        self.pins.write_text("module one\n")
        self.told = folder / "told"
        self.told.touch()
        compiler = folder / "bin" / "go"
        compiler.parent.mkdir()
        compiler.write_text(GO.format(told=self.told))
        compiler.chmod(0o755)

    def built(self) -> Path:
        wanted = {"etcd": "go.etcd.io/etcd", "kubelet": "k8s.io/kubernetes/cmd/kubelet"}
        return building._built(self.places, "it", "programs", wanted, self.pins.parent, [self.pins], "-s -w")

    def builds(self) -> list[str]:
        return self.told.read_text().splitlines()

    def kept(self) -> set[str]:
        return {path.name for path in self.places.cache.iterdir() if path.is_dir()}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    found = Sources(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


def test_it_is_built_once_and_taken_from_then_on(sources: Sources) -> None:
    folder = sources.built()
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kubelet"]
    assert len(sources.builds()) == 2
    assert all(line.startswith(f"0 {sources.pins.parent} build -tags providerless") for line in sources.builds())
    assert folder.stat().st_mode & 0o777 == 0o755
    assert sources.built() == folder
    assert len(sources.builds()) == 2


def test_other_pins_are_built_anew_and_what_they_replace_goes(sources: Sources) -> None:
    before = sources.built()
    (sources.places.cache / "kwok-0123456789ab").mkdir()
    sources.pins.write_text("module two\n")
    after = sources.built()
    assert after != before
    assert sources.kept() == {after.name, "kwok-0123456789ab"}
    assert len(sources.builds()) == 4


def test_what_a_running_cluster_was_started_from_stays_as_long_as_it_runs(sources: Sources) -> None:
    before = sources.built()
    shutil.copy("/bin/sleep", before / "kubelet")
    with subprocess.Popen([before / "kubelet", "600"]) as running:
        sources.pins.write_text("module two\n")
        during = sources.built()
        assert sources.kept() == {before.name, during.name}
        running.kill()
    assert sources.built() == during
    assert sources.kept() == {during.name}


def test_a_build_that_fails_leaves_nothing_that_could_be_taken_for_one(sources: Sources) -> None:
    sources.pins.write_text("module broken\n")
    with pytest.raises(Failed, match=re.escape("go.etcd.io/etcd could not be built")):
        sources.built()
    assert sources.kept() == set()
    sources.pins.write_text("module mended\n")
    assert (sources.built() / "kubelet").read_text() == "program\n"


def test_the_pins_are_versions_and_the_programs_report_that_of_kubernetes() -> None:
    assert re.fullmatch(r"v1\.\d+\.\d+", building.version())
    assert building.version("go.etcd.io/etcd/server/v3").startswith("v3.")
    assert f"version.gitVersion={building.version()} " in f"{building._link_flags()} "
    with pytest.raises(Failed, match="names no version"):
        building.version("example.org/none")


def test_all_that_the_key_is_made_of_is_there() -> None:
    assert [name for name in building._INPUTS if not (HERE / name).is_file()] == []
    assert all((HERE / "kwok" / name).is_file() for name in ("go.mod", "go.sum"))
