"""What each component of the cluster is started with: command lines and configuration files. Called by `cluster`.

As a stock cluster has it (what kubeadm sets), but on this machine's addresses only and with nothing that needs another
machine: https://kubernetes.io/docs/reference/command-line-tools-reference/ . Where we differ, the line says why.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import debian, images
from tests.cluster.places import Places

NODE = "watchkeeper-1"
BRIDGE = "wk-cluster0"
SUBNET = "10.213.7.0/24"
NODE_ADDRESS = "10.213.7.1"
"""The bridge's own address. A kubelet refuses a loopback address; this one exists on this machine only."""
SERVICES = "10.212.0.0/20"
SERVICE_ADDRESS = "10.212.0.1"
CLUSTER_DNS = "10.212.0.10"
PORTS = ("etcd", "etcd-peer", "apiserver", "controller-manager", "scheduler", "kubelet", "kubelet-healthz", "kwok")

Command = list[str | Path]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the command lines are made of."""

    places: Places
    programs: Path
    ports: dict[str, int]

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    def certificate(self, name: str) -> Path:
        return self.places.certificates / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.places.certificates / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        return self.places.configs / f"{name}.kubeconfig"


def etcd(layout: Layout) -> Command:
    client = f"https://127.0.0.1:{layout.ports['etcd']}"
    peer = f"https://127.0.0.1:{layout.ports['etcd-peer']}"
    certificate, key, authority = layout.certificate("etcd"), layout.key("etcd"), layout.certificate("ca")
    return [
        layout.programs / "etcd",
        "--name=watchkeeper",
        f"--data-dir={layout.places.state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=watchkeeper={peer}",
        "--client-cert-auth=true",
        f"--trusted-ca-file={authority}",
        f"--cert-file={certificate}",
        f"--key-file={key}",
        "--peer-client-cert-auth=true",
        f"--peer-trusted-ca-file={authority}",
        f"--peer-cert-file={certificate}",
        f"--peer-key-file={key}",
        "--unsafe-no-fsync=true",  # its data lives as long as the tests do
        "--log-level=warn",
    ]


def api_server(layout: Layout) -> Command:
    authority = layout.certificate("ca")
    return [
        layout.programs / "kube-apiserver",
        "--bind-address=127.0.0.1",
        "--advertise-address=" + NODE_ADDRESS,
        f"--secure-port={layout.ports['apiserver']}",
        f"--tls-cert-file={layout.certificate('apiserver')}",
        f"--tls-private-key-file={layout.key('apiserver')}",
        f"--client-ca-file={authority}",
        f"--etcd-servers=https://127.0.0.1:{layout.ports['etcd']}",
        f"--etcd-cafile={authority}",
        f"--etcd-certfile={layout.certificate('etcd-client')}",
        f"--etcd-keyfile={layout.key('etcd-client')}",
        f"--kubelet-client-certificate={layout.certificate('apiserver-kubelet')}",
        f"--kubelet-client-key={layout.key('apiserver-kubelet')}",
        f"--kubelet-certificate-authority={authority}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={layout.places.certificates / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={layout.key('service-accounts')}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--requestheader-client-ca-file={authority}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={layout.certificate('front-proxy-client')}",
        f"--proxy-client-key-file={layout.key('front-proxy-client')}",
        f"--audit-policy-file={layout.places.configs / 'audit.yaml'}",
        f"--audit-log-path={layout.places.audit_log}",
        "--audit-log-mode=blocking-strict",  # a test that reads it must not be ahead of it
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
        "--shutdown-delay-duration=0s",
        "--profiling=false",
    ]


def controller_manager(layout: Layout) -> Command:
    kubeconfig, authority = layout.kubeconfig("controller-manager"), layout.certificate("ca")
    return [
        layout.programs / "kube-controller-manager",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports['controller-manager']}",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--client-ca-file={authority}",
        f"--root-ca-file={authority}",
        f"--cluster-signing-cert-file={authority}",
        f"--cluster-signing-key-file={layout.key('ca')}",
        f"--service-account-private-key-file={layout.key('service-accounts')}",
        f"--service-cluster-ip-range={SERVICES}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",  # there is one; it must not end itself while the API server is stopped
        "--profiling=false",
    ]


def scheduler(layout: Layout) -> Command:
    kubeconfig = layout.kubeconfig("scheduler")
    return [
        layout.programs / "kube-scheduler",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports['scheduler']}",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--profiling=false",
    ]


def containerd(layout: Layout, runtime: debian.Runtime) -> Command:
    return [runtime.containerd, "--config", layout.places.configs / "containerd.toml"]


def socket(layout: Layout) -> Path:
    """containerd's."""
    return layout.places.state / "containerd.sock"


def kubelet(layout: Layout) -> Command:
    return [
        layout.programs / "kubelet",
        f"--config={layout.places.configs / 'kubelet.yaml'}",
        f"--kubeconfig={layout.kubeconfig('kubelet')}",
        f"--root-dir={layout.places.state / 'kubelet'}",
        f"--cert-dir={layout.places.state / 'kubelet' / 'pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def kwok(layout: Layout, program: Path) -> Command:
    """Plays nodes: their status, their leases, and pods that run as soon as they are bound."""
    return [
        program / "kwok",
        f"--kubeconfig={layout.kubeconfig('kwok')}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        "--enable-crds=",
        f"--server-address=127.0.0.1:{layout.ports['kwok']}",
    ]


def write_configs(layout: Layout, runtime: debian.Runtime | None) -> None:
    """All configuration files; the node's only where there is a container runtime."""
    configs = layout.places.configs
    configs.mkdir(parents=True, exist_ok=True)
    _write(configs / "audit.yaml", _audit_policy())
    if runtime is None:
        return
    (configs / "containerd.toml").write_text(_containerd(layout, runtime))
    (configs / "cni").mkdir(exist_ok=True)
    (configs / "cni" / "10-bridge.conflist").write_text(json.dumps(_network(layout), indent=2))
    (configs / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # no name outside is ever resolved
    _write(configs / "kubelet.yaml", _kubelet(layout))


def write_kubeconfig(layout: Layout, path: Path, user: str) -> None:
    """For a client with the certificate `<user>.crt`, everything embedded, so that the file can be moved."""
    authority = layout.certificate("ca")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "watchkeeper-test",
        "clusters": [
            {"name": "here", "cluster": {"server": layout.server, "certificate-authority-data": _base64(authority)}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(layout.certificate(user)),
                    "client-key-data": _base64(layout.key(user)),
                },
            }
        ],
        "contexts": [{"name": "watchkeeper-test", "context": {"cluster": "here", "user": user}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    _write(path, config)


def _audit_policy() -> dict[str, Any]:
    """Every request that is meant to change something, with who asked; the components' own are left out.

    A command in a container is one of them, though a WebSocket is a GET.
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
            {"level": "None", "users": ["system:kube-scheduler", "system:kube-controller-manager", "system:apiserver"]},
            {"level": "Request", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
            {"level": "Request", "verbs": ["get"], "resources": [{"group": "", "resources": ["pods/exec"]}]},
        ],
    }


def _kubelet(layout: Layout) -> dict[str, Any]:
    """https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/"""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": layout.ports["kubelet"],
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": layout.ports["kubelet-healthz"],
        "tlsCertFile": str(layout.certificate("kubelet")),
        "tlsPrivateKeyFile": str(layout.key("kubelet")),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{socket(layout)}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,  # there is no kube-proxy
        "resolvConf": str(layout.places.configs / "resolv.conf"),
        "clusterDNS": [CLUSTER_DNS],  # as in a stock cluster; no DNS server answers there
        "clusterDomain": "cluster.local",
        "podLogsDir": str(layout.places.state / "pods"),
        "volumePluginDir": str(layout.places.state / "volume-plugins"),
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,  # images are made here and could not be pulled again
        # The disk and the memory are the machine's, not ours: how full they are must not end a test.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "nodeStatusUpdateFrequency": "5s",
        "enforceNodeAllocatable": ["pods"],
    }


def _network(layout: Layout) -> dict[str, Any]:
    """One bridge; pods reach each other and this machine, and nothing else."""
    return {
        "cniVersion": "0.4.0",
        "name": "watchkeeper",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": SUBNET}]],
                    "dataDir": str(layout.places.state / "cni"),
                },
            }
        ],
    }


def _containerd(layout: Layout, runtime: debian.Runtime) -> str:
    """https://github.com/containerd/containerd/blob/release/1.6/docs/cri/config.md"""
    state = layout.places.state
    quoted = json.dumps  # a TOML basic string is written as a JSON one
    return f"""version = 2
root = {quoted(str(state / "containerd"))}
state = {quoted(str(state / "containerd-run"))}
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.tracing", "io.containerd.internal.v1.opt"]
[grpc]
  address = {quoted(str(socket(layout)))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {quoted(images.PAUSE)}
  restrict_oom_score_adj = true  # root without CAP_SYS_RESOURCE may not lower it, and nothing here rests on it
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {quoted(str(runtime.plugins))}
    conf_dir = {quoted(str(layout.places.configs / "cni"))}
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = {quoted(str(runtime.runc))}
      SystemdCgroup = false
"""


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
