"""The HorizontalPodAutoscaler controller without metrics: it keeps its target within minReplicas and maxReplicas.

Enough for what a remediation meets: somebody else's hand on `spec.replicas`, and a target that does not exist.
Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.manager import Key, Manager
from demo.cluster.objects import Object, clone, condition, name_of, namespace_of, rfc3339
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

AUTOSCALERS = BY_PLURAL["horizontalpodautoscalers"]
SYNC_SECONDS = 15.0
SOURCE = ("horizontal-pod-autoscaler", "")


@dataclass
class Autoscalers:
    registry: Registry
    recorder: Recorder
    manager: Manager

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "horizontalpodautoscalers" and change.kind == "ADDED":
            yield (namespace_of(change.after), name_of(change.after))

    def sync(self, key: Key) -> None:
        found = self.registry.store.find("horizontalpodautoscalers", *key)
        if found is None:
            return
        reference = found["spec"]["scaleTargetRef"]
        resource = next(each for each in BY_PLURAL.values() if each.kind == reference["kind"])
        target = self.registry.store.find(resource.storage, key[0], reference["name"])
        if target is None:
            text = f'{resource.plural}.{resource.group} "{reference["name"]}" not found'
            message = f"the HPA controller was unable to get the target's current scale: {text}"
            self.recorder.event("horizontalpodautoscalers", found, "FailedGetScale", text, SOURCE, warning=True)
            self._write(found, {}, [("AbleToScale", "False", "FailedGetScale", message)])
        else:
            self._bound(found, target, resource.storage)
        self.manager.enqueue_after(self, key, SYNC_SECONDS, background=True)

    def _bound(self, found: Object, target: Object, storage: str) -> None:
        least, most = found["spec"].get("minReplicas", 1), found["spec"]["maxReplicas"]
        current = target["spec"].get("replicas", 1)
        if current == 0:
            text = "scaling is disabled since the replica count of the target is zero"
            self._write(found, {"currentReplicas": 0}, [("ScalingActive", "False", "ScalingDisabled", text)])
            return
        wanted = min(max(current, least), most)
        if wanted != current:
            changed = clone(target)
            changed["spec"]["replicas"] = wanted
            self.registry.update(BY_PLURAL[storage], changed)
            side = "below Spec.MinReplicas" if wanted > current else "above Spec.MaxReplicas"
            text = f"New size: {wanted}; reason: Current number of replicas {side}"
            self.recorder.event("horizontalpodautoscalers", found, "SuccessfulRescale", text, SOURCE)
        if not self.registry.metrics:
            self._blind(found, current)
            return
        limited = ("False", "DesiredWithinRange", "the desired count is within the acceptable range")
        if wanted == most:
            limited = ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
        counts = {"currentReplicas": current, "desiredReplicas": wanted}
        ready = "recommended size matches current size"
        metric = "the HPA was able to successfully calculate a replica count from cpu resource utilization"
        conditions = [
            ("AbleToScale", "True", "ReadyForNewScale", ready),
            ("ScalingActive", "True", "ValidMetricFound", metric),
            ("ScalingLimited", *limited),
        ]
        self._write(found, counts, conditions)

    def _blind(self, found: Object, current: int) -> None:
        """Nobody answers for metrics.k8s.io."""
        why = "failed to get cpu utilization: unable to get metrics for resource cpu: "
        why += "unable to fetch metrics from resource metrics API: "
        why += "the server could not find the requested resource (get pods.metrics.k8s.io)"
        invalid = "invalid metrics (1 invalid out of 1), first error is: "
        for reason, text in (
            ("FailedGetResourceMetric", why),
            ("FailedComputeMetricsReplicas", f"{invalid}failed to get cpu resource metric value: {why}"),
        ):
            self.recorder.event("horizontalpodautoscalers", found, reason, text, SOURCE, warning=True)
        able = "the HPA controller was able to get the target's current scale"
        active = f"the HPA was unable to compute the replica count: {why}"
        conditions = [
            ("AbleToScale", "True", "SucceededGetScale", able),
            ("ScalingActive", "False", "FailedGetResourceMetric", active),
        ]
        self._write(found, {"currentReplicas": current, "currentMetrics": [{"type": ""}]}, conditions)

    def _write(self, found: Object, counts: Object, conditions: list[tuple[str, str, str, str]]) -> None:
        """Conditions that a test has set to something else by hand stay: there are no metrics to know better."""
        now = rfc3339(self.registry.timeline.now())
        status = clone(found.get("status") or {}) | counts
        kept = {each["type"]: each for each in status.get("conditions") or []}
        for kind, value, reason, message in conditions:
            old = condition(found, kind)
            if old is None or (old["status"], kind) == ("False", "AbleToScale"):
                moved = now if old is None or old["status"] != value else old["lastTransitionTime"]
                fresh = {"type": kind, "status": value, "lastTransitionTime": moved, "reason": reason}
                kept[kind] = fresh | {"message": message}
        status["conditions"] = list(kept.values())
        status.setdefault("currentMetrics", None)
        status.setdefault("desiredReplicas", 0)
        self.registry.update_status(AUTOSCALERS, found, status)
