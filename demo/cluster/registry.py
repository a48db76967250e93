"""Create, update and delete with the rules of the API server: defaults, validation, admission, generation, finalizers.

`api` calls it for users; controllers and the kubelet call it for themselves, so that a quota or a webhook stops them
too. Source: https://github.com/kubernetes/apiserver/tree/master/pkg/registry/generic/registry
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from demo.cluster import errors, ownership, resizing
from demo.cluster.admission import Admission
from demo.cluster.defaults import apply_defaults
from demo.cluster.objects import Object, clone, is_deleting, name_of, namespace_of, pod_phase, rfc3339, uid_of
from demo.cluster.resources import BY_PLURAL, Resource
from demo.cluster.store import Store
from demo.cluster.timeline import Timeline
from demo.cluster.validation import validate

_WITHOUT_STATUS = frozenset({"events", "configmaps", "secrets", "endpoints", "endpointslices", "leases"})
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""How often the template of a DaemonSet has changed; kept by the server."""
CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "selfLink",
    "managedFields",
)


@dataclass
class DeleteOptions:
    """The body and query of a DELETE."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False
    eviction: bool = False
    """It came by the eviction subresource."""


@dataclass
class Registry:
    """The one way into the store."""

    store: Store
    timeline: Timeline
    admission: Admission
    metrics: bool = True
    """Whether a metrics server answers autoscalers."""
    usage: Callable[[Object, str], float | None] | None = None
    """Pod and container → bytes of memory in use, None where that is not known; metrics.k8s.io is served where this is
    set."""
    _addresses: int = field(default=10)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """The stored object, not to be changed; 404."""
        found = self.store.find(resource.storage, namespace if resource.namespaced else "", name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def create(
        self, resource: Resource, obj: Object, *, dry_run: bool = False, manager: str = ownership.CONTROLLERS
    ) -> Object:
        obj = clone(obj)
        obj.pop("apiVersion", None)
        obj.pop("kind", None)
        metadata = obj.setdefault("metadata", {})
        for name in _SERVER_OWNED:
            metadata.pop(name, None)
        namespace = namespace_of(obj) if resource.namespaced else ""
        if not resource.namespaced:
            metadata.pop("namespace", None)
        else:
            self._check_namespace(resource, obj, namespace)
        if resource.storage not in _WITHOUT_STATUS and resource.storage != "nodes":
            obj.pop("status", None)
        apply_defaults(resource.storage, obj)
        if metadata.get("name") and self.store.find(resource.storage, namespace, metadata["name"]) is not None:
            raise errors.already_exists(resource, metadata["name"])
        self.admission.complete("CREATE", resource, obj)
        self.store.stamp(obj)
        self._prepare(resource, obj)
        causes = validate(resource, obj, None)
        if causes:
            raise errors.invalid(resource, name_of(obj), causes)
        self.admission.admit("CREATE", resource, obj)
        self._record(resource, obj, None, manager)
        return obj if dry_run else self.store.add(resource.storage, obj)

    def _record(
        self, resource: Resource, obj: Object, before: Object | None, manager: str, subresource: str = ""
    ) -> None:
        if resource.storage in ownership.TRACKED:
            version, now = resource.api_version, rfc3339(self.timeline.now())
            ownership.record(obj, before, api_version=version, manager=manager, subresource=subresource, now=now)

    def _check_namespace(self, resource: Resource, obj: Object, namespace: str) -> None:
        found = self.store.find("namespaces", "", namespace)
        if found is None:
            raise errors.not_found(BY_PLURAL["namespaces"], namespace)
        if is_deleting(found) and resource.storage != "events":
            name = name_of(obj) or str(obj["metadata"].get("generateName", ""))
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            text = f"namespace {namespace} is being terminated"
            cause = errors.Cause("NamespaceTerminating", text, "metadata.namespace")
            raise errors.forbidden(resource, name, why, [cause])

    def update(
        self,
        resource: Resource,
        obj: Object,
        *,
        dry_run: bool = False,
        subresource: str = "",
        manager: str = ownership.CONTROLLERS,
    ) -> Object:
        """Replace an object. A resourceVersion in `obj` must be the current one.

        `subresource` is the way that the write came: `status` and `resize` take nothing else of it. `manager` is who
        writes.
        """
        namespace = namespace_of(obj) if resource.namespaced else ""
        old = self.get(resource, namespace, name_of(obj))
        obj = clone(obj)
        obj.pop("apiVersion", None)
        obj.pop("kind", None)
        metadata = obj["metadata"]
        version = metadata.get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise errors.conflict(resource, name_of(old))
        if subresource == "status":
            obj = {**clone(old), "status": obj.get("status") or {}}
        else:
            if subresource == "resize":
                obj = resizing.kept(obj, old)
            self._keep_server_fields(resource, obj, old)
        apply_defaults(resource.storage, obj)
        causes = validate(resource, obj, None if subresource == "resize" else old)
        causes += resizing.causes(obj, old) if subresource == "resize" else []
        if causes:
            raise errors.invalid(resource, name_of(old), causes)
        self.admission.admit("UPDATE", resource, obj, subresource)
        self._record(resource, obj, old, manager, subresource)
        if dry_run:
            return obj
        released = is_deleting(obj) and old["metadata"].get("finalizers") and not obj["metadata"].get("finalizers")
        if released and not obj["metadata"].get("deletionGracePeriodSeconds"):
            self.store.replace(resource.storage, obj)
            self.store.remove(resource.storage, namespace, name_of(obj))
            return obj
        return self.store.replace(resource.storage, obj)

    def update_status(self, resource: Resource, obj: Object, status: Object) -> Object:
        """Write a new status over the current state of `obj`; nothing when the object is gone meanwhile."""
        current = self.store.find(resource.storage, namespace_of(obj), name_of(obj))
        if current is None or uid_of(current) != uid_of(obj):
            return obj
        return self.store.replace(
            resource.storage, {**current, "metadata": dict(current["metadata"]), "status": status}
        )

    def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> tuple[Object, bool]:
        """(the object in its last state, whether it is gone already). 404, or 409 when a precondition does not hold."""
        obj = self.get(resource, namespace, name)
        self._check_preconditions(resource, obj, options)
        operation, subresource = ("CREATE", "eviction") if options.eviction else ("DELETE", "")
        self.admission.admit(operation, resource, obj, subresource)
        grace = self._grace(resource, obj, options)
        finalizers = list(obj["metadata"].get("finalizers") or [])
        extra = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(options.propagation)
        if extra and extra not in finalizers and resource.storage != "pods":
            finalizers.append(extra)
        gone = not finalizers and grace == 0 and resource.storage != "namespaces"
        if gone:
            if not options.dry_run:
                obj = self.store.remove(resource.storage, namespace if resource.namespaced else "", name) or obj
            return obj, True
        marked = self._mark(obj, finalizers, grace)
        return (marked if options.dry_run else self.store.replace(resource.storage, marked)), False

    def _mark(self, obj: Object, finalizers: list[str], grace: int) -> Object:
        marked: Object = clone(obj)
        metadata = marked["metadata"]
        if finalizers:
            metadata["finalizers"] = finalizers
        before = metadata.get("deletionGracePeriodSeconds")
        if is_deleting(obj) and before is not None and before <= grace:
            return marked
        metadata["deletionTimestamp"] = rfc3339(self.timeline.now() + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if (marked.get("spec") or {}).get("finalizers") == ["kubernetes"]:
            marked["status"] = {"phase": "Terminating"}
        if "generation" in metadata:
            metadata["generation"] += 1
        return marked

    def _check_preconditions(self, resource: Resource, obj: Object, options: DeleteOptions) -> None:
        qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        if options.uid and options.uid != uid_of(obj):
            why = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid_of(obj)}). "
                "The object might have been deleted and then recreated"
            )
            raise errors.conflict(resource, name_of(obj), why, qualified)
        version = obj["metadata"]["resourceVersion"]
        if options.resource_version and options.resource_version != version:
            why = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
                f"ResourceVersion in record ({version}). The object might have been modified"
            )
            raise errors.conflict(resource, name_of(obj), why, qualified)

    def _grace(self, resource: Resource, obj: Object, options: DeleteOptions) -> int:
        """Only pods that a kubelet runs are given time."""
        if resource.storage != "pods":
            return 0
        if not obj["spec"].get("nodeName") or pod_phase(obj) in ("Succeeded", "Failed"):
            return 0
        grace = options.grace if options.grace is not None else obj["spec"].get("terminationGracePeriodSeconds", 30)
        return max(0, int(grace))

    def _prepare(self, resource: Resource, obj: Object) -> None:
        if resource.generation:
            obj["metadata"]["generation"] = 1
        spec = obj.get("spec") or {}
        if resource.storage in ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"):
            obj["status"] = {}
        elif resource.storage == "services":
            obj["status"] = {"loadBalancer": {}}
            if spec.get("type") != "ExternalName" and "clusterIP" not in spec:
                self._addresses += 1
                spec["clusterIP"] = f"10.96.{self._addresses // 250}.{self._addresses % 250 + 1}"
            if "clusterIP" in spec:
                spec["clusterIPs"] = [spec["clusterIP"]]
        if resource.storage == "persistentvolumeclaims":
            obj["metadata"]["finalizers"] = [*(obj["metadata"].get("finalizers") or []), CLAIM_PROTECTION]
            obj["status"] = {"phase": "Pending"}
        if resource.storage == "daemonsets":
            obj["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = "1"
        if resource.storage == "jobs" and not spec.get("selector"):
            uid = uid_of(obj)
            labels = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name_of(obj)}
            labels |= {"controller-uid": uid, "job-name": name_of(obj)}
            spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
            spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {}).update(labels)

    def _keep_server_fields(self, resource: Resource, obj: Object, old: Object) -> None:
        metadata, before = obj["metadata"], old["metadata"]
        if metadata.get("uid") not in (None, before["uid"]):
            cause = errors.Cause(
                "FieldValueInvalid", f'Invalid value: "{metadata["uid"]}": field is immutable', "metadata.uid"
            )
            raise errors.invalid(resource, name_of(old), [cause, cause])  # two layers look, and both complain
        for name in (*_SERVER_OWNED, "deletionGracePeriodSeconds"):
            metadata.pop(name, None)
            if name in before:
                metadata[name] = before[name]
        if resource.storage not in _WITHOUT_STATUS:
            obj.pop("status", None)
            if "status" in old:
                obj["status"] = old["status"]
        apply_defaults(resource.storage, obj)
        if resource.generation and obj.get("spec") != old.get("spec"):
            metadata["generation"] = before.get("generation", 1) + 1
        if resource.storage == "daemonsets":
            number = int((before.get("annotations") or {}).get(TEMPLATE_GENERATION, "0"))
            moved = obj["spec"].get("template") != old["spec"].get("template")
            metadata["annotations"] = {**(metadata.get("annotations") or {}), TEMPLATE_GENERATION: str(number + moved)}
