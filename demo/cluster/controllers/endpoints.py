"""The endpoints of Services: Endpoints and EndpointSlices that follow the pods behind a selector.

Source: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.manager import Key
from demo.cluster.objects import (
    Object,
    clone,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    pod_is_ready,
    pod_phase,
    rfc3339,
    uid_of,
)
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

SERVICE_NAME = "kubernetes.io/service-name"
HEADLESS = "service.kubernetes.io/headless"
TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


@dataclass
class EndpointControl:
    registry: Registry

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "services":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            labels = labels_of(change.after)
            for service in self.registry.store.all("services", namespace_of(change.after)):
                selector = service["spec"].get("selector")
                if selector and selector.items() <= labels.items():
                    yield (namespace_of(service), name_of(service))

    def sync(self, key: Key) -> None:
        namespace, name = key
        service = self.registry.store.find("services", namespace, name)
        if service is None:
            self.registry.store.remove("endpoints", namespace, name)
            return
        selector = service["spec"].get("selector")
        if not selector:
            return
        pods = [
            each
            for each in self.registry.store.all("pods", namespace)
            if selector.items() <= labels_of(each).items()
            and (each.get("status") or {}).get("podIP")
            and pod_phase(each) not in ("Succeeded", "Failed")
        ]
        self._write_endpoints(service, pods)
        self._write_slice(service, pods)

    def _write_endpoints(self, service: Object, pods: list[Object]) -> None:
        ports = [self._port(each) for each in service["spec"].get("ports") or []]
        groups = {"addresses": [], "notReadyAddresses": []} if pods else dict[str, list[Object]]()
        for pod in pods:
            if is_deleting(pod):
                continue
            groups["addresses" if pod_is_ready(pod) else "notReadyAddresses"].append(self._address(pod))
        subset: Object = {group: addresses for group, addresses in groups.items() if addresses}
        obj: Object = {"metadata": {"name": name_of(service), "namespace": namespace_of(service)}}
        if subset:
            obj["subsets"] = [{**subset, "ports": ports}]
        self._put("endpoints", obj)

    def _write_slice(self, service: Object, pods: list[Object]) -> None:
        owned = self.registry.store.owned("endpointslices", uid_of(service))
        endpoints = [self._endpoint(each) for each in pods] or None
        ports = [self._port(each) for each in service["spec"].get("ports") or []] if pods else None
        labels = {**labels_of(service), SERVICE_NAME: name_of(service), MANAGED_BY: "endpointslice-controller.k8s.io"}
        if service["spec"].get("clusterIP") == "None":
            labels[HEADLESS] = ""
        metadata: Object = {"namespace": namespace_of(service), "labels": labels}
        metadata["annotations"] = {TRIGGERED: rfc3339(self.registry.timeline.now())}
        metadata["ownerReferences"] = [owner_reference(service, "v1", "Service")]
        metadata["generateName"] = f"{name_of(service)}-"
        if owned:
            metadata["name"] = name_of(owned[0])
        self._put(
            "endpointslices", {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}
        )

    def _put(self, storage: str, obj: Object) -> None:
        current = self.registry.store.find(storage, namespace_of(obj), name_of(obj))
        if current is None:
            self.registry.create(BY_PLURAL[storage], obj)
        else:
            rest = {k: v for k, v in obj.items() if k != "metadata"}
            if all(current.get(name) == value for name, value in rest.items()):
                return
            fresh = {k: v for k, v in obj["metadata"].items() if k in ("labels", "annotations")}
            self.registry.store.replace(storage, {"metadata": clone(current["metadata"]) | fresh, **rest})

    def _port(self, port: Object) -> Object:
        target = port.get("targetPort", port.get("port"))
        number = target if isinstance(target, int) else port.get("port")
        found: Object = {"port": number, "protocol": port.get("protocol", "TCP")}
        return {"name": port["name"], **found} if port.get("name") else found

    def _target(self, pod: Object) -> Object:
        return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}

    def _address(self, pod: Object) -> Object:
        return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": self._target(pod)}

    def _endpoint(self, pod: Object) -> Object:
        ready = pod_is_ready(pod)
        conditions = {"ready": ready and not is_deleting(pod), "serving": ready, "terminating": is_deleting(pod)}
        return {
            "addresses": [pod["status"]["podIP"]],
            "conditions": conditions,
            "targetRef": self._target(pod),
            "nodeName": pod["spec"].get("nodeName"),
        }
