"""The Deployment controller: a ReplicaSet a revision, rolled over within surge and unavailability.

Source: https://github.com/kubernetes/kubernetes/tree/master/pkg/controller/deployment (sync, rolling, recreate).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from demo.cluster.controllers import revisions, rollout
from demo.cluster.controllers.deployment_status import Progress
from demo.cluster.errors import ApiError
from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    annotations_of,
    clone,
    controller_of,
    is_deleting,
    name_of,
    namespace_of,
    owner_reference,
    pod_phase,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

DEPLOYMENTS = BY_PLURAL["deployments"]
REPLICA_SETS = BY_PLURAL["replicasets"]
SOURCE = ("deployment-controller", "")


@dataclass
class Deployments:
    registry: Registry
    recorder: Recorder
    manager: Manager
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self._progress = Progress(self.registry.timeline)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "deployments":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "replicasets":
            owner = controller_of(change.after)
            if owner is not None and owner["kind"] == "Deployment":
                yield (namespace_of(change.after), owner["name"])
        elif change.storage == "pods" and change.kind == "DELETED":
            yield from self._recreating(change.after)

    def _recreating(self, pod: Object) -> Iterable[Key]:
        owner = controller_of(pod)
        found = self.registry.store.find("replicasets", namespace_of(pod), owner["name"]) if owner else None
        above = controller_of(found) if found else None
        if above is not None and above["kind"] == "Deployment":
            yield (namespace_of(pod), above["name"])

    def sync(self, key: Key) -> None:
        deployment = self.registry.store.find("deployments", *key)
        if deployment is None:
            return
        owned = self.registry.store.owned("replicasets", uid_of(deployment))
        if is_deleting(deployment):
            self._write_status(deployment, owned, revisions.find_new(deployment, owned))
            return
        deployment = self._note_pause(deployment)
        paused = bool(deployment["spec"].get("paused"))
        if paused or self._was_scaled(deployment, owned):
            deployment, new, old = self._revisions(deployment, owned, create=False)
            self._scale(deployment, new, old)
            if paused:
                self._clean_up(deployment, old)
            self._write_status(deployment, self._fresh(deployment), new, progress=False)
        elif rollout.is_rolling(deployment):
            self._roll(*self._revisions(deployment, owned, create=True))
        else:
            self._recreate(deployment, owned)

    def _fresh(self, deployment: Object) -> list[Object]:
        return self.registry.store.owned("replicasets", uid_of(deployment))

    def _revisions(
        self, deployment: Object, owned: list[Object], *, create: bool
    ) -> tuple[Object, Object | None, list[Object]]:
        """(deployment, new ReplicaSet, old ones by age); the new one gets the highest revision number."""
        new = revisions.find_new(deployment, owned)
        old = sorted((each for each in owned if each is not new), key=revisions.age_order)
        revision = max((revisions.revision_of(each) for each in old), default=0) + 1
        if new is not None:
            new = self.registry.store.replace(
                "replicasets", revisions.annotated(deployment, new, revision, exists=True)
            )
            deployment = self._set_revision(deployment, new)
            if self._progress.start(deployment, "FoundNewReplicaSet", f'Found new replica set "{name_of(new)}"'):
                deployment = self._save(deployment)
        elif create:
            deployment, new = self._create(deployment, old, revision)
        return deployment, new, old

    def _set_revision(self, deployment: Object, new: Object) -> Object:
        number = annotations_of(new)[revisions.REVISION]
        if annotations_of(deployment).get(revisions.REVISION) == number:
            return dict(clone(deployment))
        changed: Object = clone(deployment)
        changed["metadata"].setdefault("annotations", {})[revisions.REVISION] = number
        return self.registry.store.replace("deployments", changed)

    def _save(self, deployment: Object) -> Object:
        return self.registry.store.replace("deployments", clone(deployment))

    def _create(self, deployment: Object, old: list[Object], revision: int) -> tuple[Object, Object | None]:
        template = clone(deployment["spec"]["template"])
        hashed = revisions.template_hash(template)
        template["metadata"].setdefault("labels", {})[revisions.HASH] = hashed
        selector = clone(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[revisions.HASH] = hashed
        spec: Object = {"replicas": 0, "selector": selector, "template": template}
        if deployment["spec"].get("minReadySeconds"):
            spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        spec["replicas"] = rollout.new_size(deployment, old, 0)
        metadata: Object = {
            "name": f"{name_of(deployment)}-{hashed}",
            "namespace": namespace_of(deployment),
            "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS.api_version, DEPLOYMENTS.kind)],
        }
        wanted = revisions.annotated(deployment, {"metadata": metadata, "spec": spec}, revision, exists=False)
        deployment = clone(deployment)
        try:
            new = self.registry.create(REPLICA_SETS, wanted)
        except ApiError as error:
            text = f'Failed to create new replica set "{metadata["name"]}": {error.message}'
            self._progress.fail(deployment, "ReplicaSetCreateError", text)
            self._event(deployment, "ReplicaSetCreateError", text, warning=True)
            return self._save(deployment), None
        if spec["replicas"]:
            self._event(
                deployment, "ScalingReplicaSet", f"Scaled up replica set {name_of(new)} from 0 to {spec['replicas']}"
            )
        deployment["metadata"].setdefault("annotations", {})[revisions.REVISION] = str(revision)
        self._progress.renew(deployment, "NewReplicaSetCreated", f'Created new replica set "{name_of(new)}"')
        return self._save(deployment), new

    def _roll(self, deployment: Object, new: Object | None, old: list[Object]) -> None:
        if new is not None:
            self._step(deployment, new, old)
        self._write_status(deployment, self._fresh(deployment), new)

    def _step(self, deployment: Object, new: Object, old: list[Object]) -> None:
        """One step of a rolling update: grow the new, or shrink the old, or tidy up."""
        target, current = deployment["spec"].get("replicas", 1), rollout.wanted(new)
        size = target if current > target else rollout.new_size(deployment, [*old, new], current)
        if size != current:
            self._resize(deployment, new, size)
            return
        smaller = rollout.shrink_old(deployment, new, old)
        for replica_set, size in smaller:
            self._resize(deployment, replica_set, size)
        if not smaller and self._progress.complete(deployment, [*old, new], new):
            self._clean_up(deployment, old)

    def _recreate(self, deployment: Object, owned: list[Object]) -> None:
        deployment, new, old = self._revisions(deployment, owned, create=False)
        shrunk = [each for each in old if rollout.wanted(each)]
        for each in shrunk:
            self._resize(deployment, each, 0)
        if not shrunk and not self._old_pods(old):
            if new is None:
                deployment, new, old = self._revisions(deployment, owned, create=True)
            if new is not None:
                self._resize(deployment, new, deployment["spec"].get("replicas", 1))
                if self._progress.complete(deployment, [*old, new], new):
                    self._clean_up(deployment, old)
        self._write_status(deployment, self._fresh(deployment), new)

    def _old_pods(self, old: list[Object]) -> bool:
        pods = [pod for each in old for pod in self.registry.store.owned("pods", uid_of(each))]
        return any(pod_phase(pod) not in ("Succeeded", "Failed") for pod in pods)

    def _was_scaled(self, deployment: Object, owned: list[Object]) -> bool:
        wanted = str(deployment["spec"].get("replicas", 1))
        active = [each for each in owned if rollout.wanted(each) > 0]
        return any(annotations_of(each).get(revisions.DESIRED, wanted) != wanted for each in active)

    def _scale(self, deployment: Object, new: Object | None, old: list[Object]) -> None:
        """A change of size outside a rollout, or in proportion within one."""
        target = deployment["spec"].get("replicas", 1)
        everything = [*old, *([new] if new is not None else [])]
        active = [each for each in everything if rollout.wanted(each) > 0]
        if len(active) <= 1:
            only = active[0] if active else new or (old[-1] if old else None)
            if only is not None:
                self._resize(deployment, only, target)
            return
        if new is not None and rollout.wanted(new) == target == rollout.available(new):
            for each in active:
                if each is not new:
                    self._resize(deployment, each, 0)
            return
        if rollout.is_rolling(deployment):
            sizes = rollout.proportional_sizes(deployment, active)
            for each in active:
                self._resize(deployment, each, sizes[uid_of(each)])

    def _resize(self, deployment: Object, replica_set: Object, size: int) -> None:
        changed = clone(self.registry.store.find("replicasets", namespace_of(replica_set), name_of(replica_set)))
        before = rollout.wanted(changed)
        if not revisions.set_sizes(changed, deployment) and before == size:
            return
        if before != size:
            changed["spec"]["replicas"] = size
            changed["metadata"]["generation"] += 1
        self.registry.store.replace("replicasets", changed)
        if before != size:
            way = "up" if size > before else "down"
            text = f"Scaled {way} replica set {name_of(replica_set)} from {before} to {size}"
            self._event(deployment, "ScalingReplicaSet", text)

    def _clean_up(self, deployment: Object, old: list[Object]) -> None:
        """Drop empty ReplicaSets beyond revisionHistoryLimit, the oldest revisions first."""
        empty = [
            each
            for each in sorted(old, key=revisions.revision_of)
            if not rollout.wanted(each) and not (each.get("status") or {}).get("replicas") and not is_deleting(each)
        ]
        for each in empty[: max(0, len(empty) - deployment["spec"].get("revisionHistoryLimit", 10))]:
            self.registry.delete(REPLICA_SETS, namespace_of(each), name_of(each), DeleteOptions())

    def _note_pause(self, deployment: Object) -> Object:
        if not self._progress.note_pause(changed := clone(deployment)):
            return deployment
        return self._save(changed)

    def _write_status(
        self, deployment: Object, owned: list[Object], new: Object | None, *, progress: bool = True
    ) -> None:
        current = self.registry.store.find("deployments", namespace_of(deployment), name_of(deployment))
        if current is None:
            return
        if new is not None:
            new = next((each for each in owned if uid_of(each) == uid_of(new)), new)
        status = self._progress.status(current, owned, new, progress=progress)
        self.registry.update_status(DEPLOYMENTS, current, status)
        left = self._progress.seconds_left(current, status)
        if left is not None:
            key = (namespace_of(deployment), name_of(deployment))
            self.manager.enqueue_after(self, key, left + 0.1, background=True)

    def _event(self, deployment: Object, reason: str, text: str, *, warning: bool = False) -> None:
        self.recorder.event("deployments", deployment, reason, text, SOURCE, warning=warning)
