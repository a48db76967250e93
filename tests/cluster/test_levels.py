"""What a machine can run is seen beforehand, and each better level that it cannot has its reason."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import levels

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer")


def machine(root: Path) -> levels.Machine:
    """One that can run containers, with all that is looked at below this folder."""
    (root / "proc" / "sys" / "net" / "ipv4").mkdir(parents=True)
    (root / "proc" / "sys" / "net" / "ipv4" / "ip_forward").write_text("0\n")
    (root / "proc" / "filesystems").write_text("nodev\tproc\nnodev\toverlay\n\text4\n")
    for each in CONTROLLERS:
        (root / "sys" / "fs" / "cgroup" / each).mkdir(parents=True)
    return levels.Machine("linux", "x86_64", 8 * 1024**3, 0, root, lambda name: f"/bin/{name}")


def test_a_machine_with_all_of_it_runs_containers(tmp_path: Path) -> None:
    assert levels.supported(machine(tmp_path)) == ("containers", {})


def test_one_hierarchy_of_cgroups_does_as_well_as_many(tmp_path: Path) -> None:
    found = machine(tmp_path)
    for each in CONTROLLERS:
        (found.cgroups / each).rmdir()
    (found.cgroups / "cgroup.controllers").write_text("cpu memory pids\n")
    assert levels.supported(found) == ("containers", {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"system": "darwin", "architecture": "arm64"}, "this is darwin on arm64"),
        ({"architecture": "riscv64"}, "this is linux on riscv64"),
        ({"memory": 2 * 1024**3}, "this machine has 2.0"),
    ],
)
def test_without_the_system_or_the_memory_there_is_nothing(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    level, why = levels.supported(replace(machine(tmp_path), **change))  # type: ignore[arg-type]
    assert level == "none"
    assert why.keys() == {"containers", "control-plane"}
    assert all(said.endswith(reason) for said in why.values())


def test_a_person_who_is_not_root_gets_a_control_plane(tmp_path: Path) -> None:
    _only_control_plane(replace(machine(tmp_path), user=1000), "a kubelet needs root")


def test_controllers_that_are_not_mounted_are_named(tmp_path: Path) -> None:
    found = machine(tmp_path)
    (found.cgroups / "memory").rmdir()
    (found.cgroups / "pids").rmdir()
    _only_control_plane(found, "not mounted: memory, pids")


@pytest.mark.parametrize("missing", ["ip", "mount"])
def test_a_program_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    found = replace(machine(tmp_path), which=lambda name: None if name == missing else f"/bin/{name}")
    _only_control_plane(found, f"`{missing}` was not found")


def test_a_kernel_without_overlayfs_or_forwarding_runs_no_pods(tmp_path: Path) -> None:
    found = machine(tmp_path)
    (tmp_path / "proc" / "filesystems").write_text("\text4\n")
    _only_control_plane(found, "no overlayfs")
    (tmp_path / "lib" / "modules").mkdir(parents=True)  # it may be a module that is loaded when it is used
    assert levels.supported(found) == ("containers", {})
    (tmp_path / "proc" / "sys" / "net" / "ipv4" / "ip_forward").unlink()
    _only_control_plane(found, "no IPv4 forwarding")


def test_this_machine_is_one_that_can_be_judged() -> None:
    level, why = levels.supported()
    assert level in levels.LEVELS
    assert set(why) == set(levels.LEVELS[: levels.LEVELS.index(level)])


def _only_control_plane(found: levels.Machine, reason: str) -> None:
    level, why = levels.supported(found)
    assert level == "control-plane"
    assert why.keys() == {"containers"}
    assert reason in why["containers"]
