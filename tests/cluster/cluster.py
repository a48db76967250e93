"""The cluster as a whole: `up`, `down`, `status`, and the stop and start of a single component for the tests.

`up` finds the best level that works: containers, else a control plane whose nodes are played. Each step is said with
its time. Called by `__main__` and by the tests' ground.
"""

import json
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import building, components, debian, levels, node, pki
from tests.cluster.components import Layout
from tests.cluster.places import Places
from tests.cluster.processes import Processes
from tests.cluster.saying import Failed, Unsupported, say, timed

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("containerd", "kubelet")
START = 120.0
"""Seconds that a component has to become ready on a busy machine."""
PLAYED_NODES = 2


class Cluster:
    """The cluster of one state folder, whether or not it runs."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.processes = Processes(places)

    # --- up -------------------------------------------------------------------------------------------------------

    def up(self, wanted: levels.Level | None = None) -> levels.Level:
        """Start it at the best level that works, or at the one that is wanted; nothing where it is up already.

        Raises Unsupported where the machine cannot, Failed where it should and did not.
        """
        with self.places.locked():
            best, why = levels.supported()
            level = wanted or best
            if levels.LEVELS.index(level) < levels.LEVELS.index(best):
                raise Unsupported(f"no {level} here: {why[level]}")
            if level == "none":
                raise Unsupported(why["control-plane"])
            running = self.level()
            if running is not None and self.healthy():
                say(f"up already: {running}, {self.places.kubeconfig}")
                return running
            self._down(keep_logs=False)
            return self._start(level, fall_back=wanted is None)

    def _start(self, level: levels.Level, *, fall_back: bool) -> levels.Level:
        began = time.monotonic()
        try:
            self._bring_up(level)
        except (Failed, Unsupported) as error:
            if level == "control-plane" or not fall_back:
                raise
            say(f"containers do not work here: {error}")
            say("falling back to a control plane with played nodes: no container will really run")
            self._down(keep_logs=True)
            level = "control-plane"
            self._bring_up(level)
        say(f"up: {level}, Kubernetes {building.version()}, all in {time.monotonic() - began:.1f} s")
        return level

    def _bring_up(self, level: levels.Level) -> None:
        runtime = debian.runtime(self.places) if level == "containers" else None
        programs = building.programs(self.places)
        kwok = None if runtime else building.kwok(self.places)
        layout = self._lay_out(programs, level, runtime)
        with timed("started the control plane"):
            self._start_control_plane(layout)
        with timed("started the node" if runtime else "started the played nodes"):
            if runtime:
                self._start_node(layout, runtime)
            else:
                assert kwok is not None
                self._start_played_nodes(layout, kwok)

    def _lay_out(self, programs: Path, level: levels.Level, runtime: debian.Runtime | None) -> Layout:
        """Ports, certificates, configuration files and kubeconfigs."""
        self.places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.places.logs.mkdir(exist_ok=True)
        layout = Layout(self.places, programs, _free_ports(components.PORTS))
        authority = pki.Authority(self.places.certificates)
        for file, name, group, hosts in _certificates():
            authority.issue(file, name, group=group, hosts=hosts)
        authority.key_pair("service-accounts")
        components.write_configs(layout, runtime)
        for user in ("controller-manager", "scheduler", "kubelet", "kwok"):
            components.write_kubeconfig(layout, layout.kubeconfig(user), user)
        components.write_kubeconfig(layout, self.places.kubeconfig, "admin")
        record = {"level": level, "programs": str(programs), "ports": layout.ports, "version": building.version()}
        self.places.record.write_text(json.dumps(record, indent=2))
        return layout

    def _start_control_plane(self, layout: Layout) -> None:
        self._run("etcd", components.etcd(layout), lambda: self._answers("etcd"))
        self._run("kube-apiserver", components.api_server(layout), self.ready)
        self.processes.start("kube-controller-manager", components.controller_manager(layout))
        self.processes.start("kube-scheduler", components.scheduler(layout))

    def _start_node(self, layout: Layout, runtime: debian.Runtime) -> None:
        node.prepare()
        path = {"PATH": runtime.path}
        self.processes.start("containerd", components.containerd(layout, runtime), path)
        self.processes.wait("containerd", components.socket(layout).is_socket, START)
        node.import_images(layout, runtime)
        self._run("kubelet", components.kubelet(layout), self._node_ready, path)

    def _start_played_nodes(self, layout: Layout, kwok: Path) -> None:
        for number in range(1, PLAYED_NODES + 1):
            self._request("POST", "/api/v1/nodes", _played_node(f"watchkeeper-{number}"))
        self._run("kwok", components.kwok(layout, kwok), self._node_ready)

    def _run(
        self, name: str, command: components.Command, ready: Callable[[], bool], environ: dict[str, str] | None = None
    ) -> None:
        self.processes.start(name, command, environ)
        self.processes.wait(name, ready, START)

    # --- down -----------------------------------------------------------------------------------------------------

    def down(self) -> None:
        """End every process, container and mount of it and remove its folder; the logs stay until the next `up`."""
        with self.places.locked():
            if not self.places.state.exists():
                say("there is no cluster")
                return
            with timed("down"):
                self._down(keep_logs=True)

    def _down(self, *, keep_logs: bool) -> None:
        for name in ("kubelet", "kwok", "containerd", "kube-scheduler", "kube-controller-manager", "kube-apiserver"):
            self.processes.stop(name)
        if self.processes.alive("etcd"):
            self.processes.stop("etcd", kill=True)  # it keeps nothing that is needed again
        if (self.places.configs / "containerd.toml").exists():
            node.clear(Layout(self.places, Path(), {}))
        for path in sorted(self.places.state.iterdir()) if self.places.state.exists() else ():
            if path != self.places.logs or not keep_logs:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    # --- what the tests do to it ----------------------------------------------------------------------------------

    def stop(self, component: str) -> None:
        """End one component, as a crash or an upgrade would."""
        self.processes.stop(component)

    def start(self, component: str) -> None:
        """Start it again and wait until it is ready."""
        self.processes.again(component)
        if component in ("etcd", "kube-apiserver"):
            self.processes.wait(component, self.ready, START)

    def compact(self) -> None:
        """Forget all history of objects in etcd: old resource versions and continue tokens are answered with 410."""
        base = f"https://127.0.0.1:{self._record()['ports']['etcd']}"
        context = self._tls("etcd-client")
        status = _json(base + "/v3/maintenance/status", context, {})
        _json(base + "/v3/kv/compaction", context, {"revision": status["header"]["revision"], "physical": True})

    # --- what there is --------------------------------------------------------------------------------------------

    def level(self) -> levels.Level | None:
        """The level of the cluster that was started; None where there is none."""
        level = self._record().get("level") if self.places.record.exists() else None
        return next((each for each in levels.LEVELS if each == level), None)

    def wanted(self) -> tuple[str, ...]:
        """The components that should run."""
        return (*CONTROL_PLANE, *(NODE if self.level() == "containers" else ("kwok",)))

    def healthy(self) -> bool:
        """Whether it was started with the programs that are pinned now, and everything runs and answers."""
        return (
            self._record()["version"] == building.version()
            and all(self.processes.alive(name) for name in self.wanted())
            and self.ready()
            and self._node_ready()
        )

    def status(self) -> str:
        """For people: a line for each component."""
        level = self.level()
        if level is None:
            return "there is no cluster: python -m tests.cluster up"
        states = {name: "runs" if self.processes.alive(name) else "ENDED" for name in self.wanted()}
        lines = [f"{name:<24} {state:<6} {self.processes.log(name)}" for name, state in states.items()]
        answers = "answers" if self.ready() else "does NOT answer"
        nodes = "ready" if self._node_ready() else "NOT ready"
        head = f"{level}, Kubernetes {self._record()['version']}: the API server {answers}, nodes are {nodes}"
        return "\n".join((head, *lines, f"kubeconfig               {self.places.kubeconfig}"))

    def ready(self) -> bool:
        """Whether the API server answers that it is ready."""
        return self._answers("apiserver", "/readyz")

    def _answers(self, port: str, path: str = "/health") -> bool:
        try:
            base = f"https://127.0.0.1:{self._record()['ports'][port]}"
            context = self._tls("etcd-client" if port == "etcd" else "admin")
            with urllib.request.urlopen(base + path, timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _node_ready(self) -> bool:
        try:
            nodes = self._request("GET", "/api/v1/nodes")["items"]
            self._request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        except OSError:
            return False
        conditions = [each for one in nodes for each in one.get("status", {}).get("conditions", ())]
        ready = [each["status"] == "True" for each in conditions if each["type"] == "Ready"]
        tainted = any(one["spec"].get("taints") for one in nodes)
        return bool(nodes) and len(ready) == len(nodes) and all(ready) and not tainted

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        base = f"https://127.0.0.1:{self._record()['ports']['apiserver']}"
        return _json(base + path, self._tls("admin"), body, method)

    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.places.record.read_text())
        return record

    def _tls(self, user: str) -> ssl.SSLContext:
        folder = self.places.certificates
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.load_cert_chain(folder / f"{user}.crt", folder / f"{user}.key")
        return context


def _certificates() -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """File, common name, group, hosts."""
    local = ("127.0.0.1", "localhost")
    services = tuple(f"kubernetes{end}" for end in ("", ".default", ".default.svc", ".default.svc.cluster.local"))
    node_name = components.NODE
    return (
        ("etcd", "etcd", "", local),
        ("etcd-client", "etcd-client", "", ()),
        ("apiserver", "kube-apiserver", "", (*local, *services, components.SERVICE_ADDRESS, components.NODE_ADDRESS)),
        ("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters", ()),
        ("front-proxy-client", "front-proxy-client", "", ()),
        ("controller-manager", "system:kube-controller-manager", "", ()),
        ("scheduler", "system:kube-scheduler", "", ()),
        ("kubelet", f"system:node:{node_name}", "system:nodes", (node_name, components.NODE_ADDRESS)),
        ("kwok", "kwok", "system:masters", ()),
        ("admin", "admin", "system:masters", ()),
    )


def _played_node(name: str) -> dict[str, Any]:
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": room, "capacity": room},
    }


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each; held all at once while they are chosen, so that no two are the same."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: each.getsockname()[1] for name, each in zip(names, held, strict=True)}
    for each in held:
        each.close()
    return ports


def _json(
    url: str, context: ssl.SSLContext, body: dict[str, Any] | None = None, method: str | None = None
) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=15, context=context) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
