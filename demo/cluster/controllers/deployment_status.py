"""The status of a Deployment: counters, and the conditions Available, Progressing and ReplicaFailure.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/progress.go and
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from dataclasses import dataclass, field

from demo.cluster.controllers import rollout
from demo.cluster.objects import Object, clone, condition, name_of, omit_empty, rfc3339, uid_of
from demo.cluster.timeline import Timeline

NO_DEADLINE = 2147483647


@dataclass
class Progress:
    """Conditions with their times. Deadlines are measured in simulated seconds, finer than the timestamps."""

    timeline: Timeline
    _updated: dict[str, float] = field(default_factory=dict)

    def start(self, deployment: Object, reason: str, message: str) -> bool:
        """The first Progressing condition, unless there is one; in place."""
        if condition(deployment, "Progressing") is not None or not self._has_deadline(deployment):
            return False
        self._set(deployment.setdefault("status", {}), deployment, "Progressing", "True", reason, message)
        return True

    def renew(self, deployment: Object, reason: str, message: str) -> None:
        if self._has_deadline(deployment):
            self._set(deployment.setdefault("status", {}), deployment, "Progressing", "True", reason, message)

    def fail(self, deployment: Object, reason: str, message: str) -> None:
        self._set(deployment.setdefault("status", {}), deployment, "Progressing", "False", reason, message)

    def note_pause(self, deployment: Object) -> bool:
        """Progressing=Unknown while paused and when resumed, so that the deadline begins anew; in place."""
        current = condition(deployment, "Progressing")
        if not self._has_deadline(deployment) or (current or {}).get("reason") == "ProgressDeadlineExceeded":
            return False
        was_paused = (current or {}).get("reason") == "DeploymentPaused"
        paused = bool(deployment["spec"].get("paused"))
        if paused == was_paused:
            return False
        reason, text = (
            ("DeploymentPaused", "Deployment is paused") if paused else ("DeploymentResumed", "Deployment is resumed")
        )
        self._set(deployment.setdefault("status", {}), deployment, "Progressing", "Unknown", reason, text)
        return True

    def complete(self, deployment: Object, owned: list[Object], new: Object) -> bool:
        return self._complete(deployment, self._counters(deployment, owned, new))

    def status(self, deployment: Object, owned: list[Object], new: Object | None, *, progress: bool) -> Object:
        """The whole new status."""
        old = deployment.get("status") or {}
        counters = self._counters(deployment, owned, new)
        status = omit_empty(counters)
        status["conditions"] = [clone(each) for each in old.get("conditions") or []]
        minimum = deployment["spec"].get("replicas", 1) - rollout.max_unavailable(deployment)
        if counters["availableReplicas"] >= minimum:
            text = "Deployment has minimum availability."
            self._set(status, deployment, "Available", "True", "MinimumReplicasAvailable", text)
        else:
            text = "Deployment does not have minimum availability."
            self._set(status, deployment, "Available", "False", "MinimumReplicasUnavailable", text)
        if progress:
            self._progress(deployment, status, counters, new)
        self._failures(deployment, status, owned, new)
        return status

    def seconds_left(self, deployment: Object, status: Object) -> float | None:
        """Until the deadline of a rollout that is under way."""
        current = condition({"status": status}, "Progressing")
        settled = ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused")
        if current is None or not self._has_deadline(deployment) or current["reason"] in settled:
            return None
        updated = self._updated.get(uid_of(deployment), self.timeline.seconds)
        return max(0.0, updated + float(deployment["spec"]["progressDeadlineSeconds"]) - self.timeline.seconds)

    def _counters(self, deployment: Object, owned: list[Object], new: Object | None) -> Object:
        def total(name: str) -> int:
            return sum(int((each.get("status") or {}).get(name, 0)) for each in owned)

        replicas, available = total("replicas"), total("availableReplicas")
        return {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": int(((new or {}).get("status") or {}).get("replicas", 0)),
            "readyReplicas": total("readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, sum(rollout.wanted(each) for each in owned) - available),
        }

    def _complete(self, deployment: Object, counters: Object) -> bool:
        wanted = deployment["spec"].get("replicas", 1)
        return all(counters[name] == wanted for name in ("updatedReplicas", "replicas", "availableReplicas"))

    def _progress(self, deployment: Object, status: Object, counters: Object, new: Object | None) -> None:
        if not self._has_deadline(deployment):
            status["conditions"] = [each for each in status["conditions"] if each["type"] != "Progressing"]
            return
        current = condition({"status": status}, "Progressing")
        reason = (current or {}).get("reason")
        if reason == "NewReplicaSetAvailable" and counters["replicas"] == counters["updatedReplicas"]:
            return
        subject = f'Deployment "{name_of(deployment)}"' if new is None else f'ReplicaSet "{name_of(new)}"'
        if self._complete(deployment, counters):
            text = f"{subject} has successfully progressed."
            self._set(status, deployment, "Progressing", "True", "NewReplicaSetAvailable", text)
        elif self._moved(deployment.get("status") or {}, counters):
            if current is not None:
                status["conditions"] = [each for each in status["conditions"] if each["type"] != "Progressing"]
            self._set(
                status, deployment, "Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.", current
            )
        elif self._late(deployment, reason):
            text = f"{subject} has timed out progressing."
            self._set(status, deployment, "Progressing", "False", "ProgressDeadlineExceeded", text)

    def _moved(self, old: Object, new: Object) -> bool:
        def grew(name: str) -> bool:
            return bool(new[name] > old.get(name, 0))

        fewer_old = new["replicas"] - new["updatedReplicas"] < old.get("replicas", 0) - old.get("updatedReplicas", 0)
        return grew("updatedReplicas") or grew("readyReplicas") or grew("availableReplicas") or fewer_old

    def _late(self, deployment: Object, reason: str | None) -> bool:
        if reason in (None, "NewReplicaSetAvailable", "DeploymentPaused"):
            return False
        updated = self._updated.get(uid_of(deployment), self.timeline.seconds)
        return self.timeline.seconds - updated > float(deployment["spec"]["progressDeadlineSeconds"])

    def _failures(self, deployment: Object, status: Object, owned: list[Object], new: Object | None) -> None:
        """The ReplicaFailure of the new ReplicaSet, or of any, becomes the Deployment's."""
        for each in [*([new] if new is not None else []), *owned]:
            failure = condition(each, "ReplicaFailure")
            if failure is not None and failure["status"] == "True":
                self._set(status, deployment, "ReplicaFailure", "True", failure["reason"], failure["message"])
                return
        status["conditions"] = [each for each in status["conditions"] if each["type"] != "ReplicaFailure"]

    def _set(
        self,
        status: Object,
        deployment: Object,
        kind: str,
        value: str,
        reason: str,
        message: str,
        before: Object | None = None,
    ) -> None:
        """SetDeploymentCondition: nothing when status and reason are the same; the transition moves with the status."""
        before = before or condition({"status": status}, kind)
        existing = condition({"status": status}, kind)
        if existing is not None and (existing["status"], existing["reason"]) == (value, reason):
            return
        now = rfc3339(self.timeline.now())
        moved = now if before is None or before["status"] != value else before["lastTransitionTime"]
        kept = [each for each in status.get("conditions") or [] if each["type"] != kind]
        fresh = {"type": kind, "status": value, "lastUpdateTime": now, "lastTransitionTime": moved}
        status["conditions"] = [*kept, fresh | {"reason": reason, "message": message}]
        if kind == "Progressing":
            self._updated[uid_of(deployment)] = self.timeline.seconds

    def _has_deadline(self, deployment: Object) -> bool:
        return bool(deployment["spec"].get("progressDeadlineSeconds", NO_DEADLINE) != NO_DEADLINE)
