"""What a cluster's components are started with, laid out in a folder without starting any of it."""

import base64
import ipaddress
import json
import re
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.client import connection
from tests.cluster import components, debian, images, places
from tests.cluster.cluster import CONTROL_PLANE, NODE, Cluster
from tests.cluster.components import Command, Layout
from tests.cluster.places import Places

PROGRAMS = Path("/programs")
RUNTIME = debian.Runtime(*(PROGRAMS / name for name in ("containerd", "ctr", "runc", "cni", "busybox")))


@pytest.fixture
def laid_out(tmp_path: Path) -> tuple[Cluster, Layout]:
    cluster = Cluster(Places(tmp_path / "cache", tmp_path / "state"))
    return cluster, cluster._lay_out(PROGRAMS, "containers", RUNTIME)


def commands(layout: Layout) -> Mapping[str, Command]:
    return {
        "etcd": components.etcd(layout),
        "kube-apiserver": components.api_server(layout),
        "kube-controller-manager": components.controller_manager(layout),
        "kube-scheduler": components.scheduler(layout),
        "containerd": components.containerd(layout, RUNTIME),
        "kubelet": components.kubelet(layout),
        "kwok": components.kwok(layout, PROGRAMS),
    }


def options(command: Command) -> dict[str, str]:
    found = (str(part).removeprefix("--").partition("=") for part in command[1:] if str(part).startswith("--"))
    return {name: value for name, _, value in found}


def test_every_file_that_a_component_is_started_with_is_there(laid_out: tuple[Cluster, Layout]) -> None:
    cluster, layout = laid_out
    state = str(cluster.places.state)
    asked = [str(part).rpartition("=")[2] for command in commands(layout).values() for part in command[1:]]
    files = [
        each for each in asked if each.startswith(state) and re.search(r"\.(crt|key|pub|yaml|toml|\w*config)$", each)
    ]
    assert len(files) > 20
    assert [each for each in files if not Path(each).is_file()] == []
    kubelet = yaml.safe_load((cluster.places.configs / "kubelet.yaml").read_text())
    for path in (kubelet["tlsCertFile"], kubelet["tlsPrivateKeyFile"], kubelet["resolvConf"]):
        assert Path(path).is_file()


def test_every_component_has_its_command_and_nobody_elses_port(laid_out: tuple[Cluster, Layout]) -> None:
    _, layout = laid_out
    assert {*CONTROL_PLANE, *NODE, "kwok"} == set(commands(layout))
    assert set(layout.ports) == set(components.PORTS)
    assert len(set(layout.ports.values())) == len(components.PORTS)


def test_nothing_listens_where_another_machine_reaches_it(laid_out: tuple[Cluster, Layout]) -> None:
    cluster, layout = laid_out
    for name, command in commands(layout).items():
        said = options(command)
        listening = [said[each] for each in said if each in ("bind-address", "server-address") or "listen" in each]
        hosts = {re.sub(r"^https?://|:\d+$", "", each) for each in listening}
        assert hosts <= {"127.0.0.1"}, name
        assert hosts or name in ("containerd", "kubelet"), name
    kubelet = yaml.safe_load((cluster.places.configs / "kubelet.yaml").read_text())
    assert kubelet["address"] == components.NODE_ADDRESS
    assert ipaddress.ip_address(components.NODE_ADDRESS) in ipaddress.ip_network(components.SUBNET)
    assert (kubelet["healthzBindAddress"], kubelet.get("readOnlyPort", 0)) == ("127.0.0.1", 0)


def test_nobody_is_let_in_without_a_name(laid_out: tuple[Cluster, Layout]) -> None:
    cluster, layout = laid_out
    api_server, etcd = options(components.api_server(layout)), options(components.etcd(layout))
    assert api_server["authorization-mode"] == "Node,RBAC"
    assert (etcd["client-cert-auth"], etcd["peer-client-cert-auth"]) == ("true", "true")
    kubelet = yaml.safe_load((cluster.places.configs / "kubelet.yaml").read_text())
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["authorization"] == {"mode": "Webhook"}


def test_the_configuration_of_the_runtime_can_be_read_and_names_our_images(laid_out: tuple[Cluster, Layout]) -> None:
    cluster, layout = laid_out
    found: dict[str, Any] = tomllib.loads((cluster.places.configs / "containerd.toml").read_text())
    cri = found["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == images.PAUSE
    assert found["grpc"]["address"] == str(components.socket(layout))
    assert cri["cni"]["bin_dir"] == str(RUNTIME.plugins)
    (network,) = Path(cri["cni"]["conf_dir"]).iterdir()
    (bridge,) = json.loads(network.read_text())["plugins"]
    assert (bridge["bridge"], bridge["ipMasq"]) == (components.BRIDGE, False)


def test_a_kubeconfig_can_be_moved_and_is_nobody_elses_to_read(
    laid_out: tuple[Cluster, Layout], tmp_path: Path
) -> None:
    cluster, layout = laid_out
    moved = tmp_path / "elsewhere.kubeconfig"
    cluster.places.kubeconfig.rename(moved)
    assert moved.stat().st_mode & 0o077 == 0
    connection.check(connection.ClusterAccess("moved", moved, "watchkeeper-test", user="admin"))
    found = yaml.safe_load(moved.read_text())
    assert found["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{layout.ports['apiserver']}"
    authority = base64.b64decode(found["clusters"][0]["cluster"]["certificate-authority-data"])
    assert ssl.create_default_context(cadata=authority.decode()).cert_store_stats()["x509_ca"] == 1
    for name in ("controller-manager", "scheduler", "kubelet", "kwok"):
        connection.check(connection.ClusterAccess(name, layout.kubeconfig(name), "watchkeeper-test", user=name))


def test_the_record_says_what_was_decided_and_its_presence_that_there_is_a_cluster(tmp_path: Path) -> None:
    cluster = Cluster(Places(tmp_path / "cache", tmp_path / "state"))
    assert cluster.level() is None
    assert cluster.status() == "there is no cluster: python -m tests.cluster up"
    assert places.of(cluster.places.kubeconfig) is None

    cluster._lay_out(PROGRAMS, "control-plane", None)
    assert cluster.level() == "control-plane"
    assert cluster.wanted() == (*CONTROL_PLANE, "kwok")
    assert not cluster.healthy()
    assert "does NOT answer" in cluster.status()
    found = places.of(cluster.places.kubeconfig)
    assert found is not None
    assert found.state == cluster.places.state.resolve()
    assert places.of(cluster.places.configs / "kwok.kubeconfig") is None

    cluster.down()
    assert cluster.level() is None
    assert [path.name for path in cluster.places.state.iterdir()] == ["logs"]
