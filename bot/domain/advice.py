"""What a person should do about a finding that tells its cause itself, and how sure that is.

Data only: `bot.causes.told` looks here for the kinds whose finding tells the cause itself, by the `class` in its
facts. Where an action helps with one of these, its family (`bot.causes`) adds it. Sources: the pages of each kind
(`k8s.detection.KINDS`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from bot.domain import diagnoses


class Advice(NamedTuple):
    cause: diagnoses.CauseKind
    """Where it is unknown, the log of the workload may tell."""
    confidence: diagnoses.Confidence
    reason: str
    next_step: str


_SELECTOR = "the Service's selector and the labels of the pods can be compared word by word"

ADVICE: Mapping[tuple[str, str], Advice] = {
    ("ServiceNoEndpoints", "no-match"): Advice(
        "selector",
        "high",
        _SELECTOR,
        "Correct the Service's selector or the labels of the pods; delete the Service if it is a leftover.",
    ),
    ("ServiceNoEndpoints", "no-pods"): Advice(
        "unknown",
        "medium",
        "the workload behind the Service is known, why it has no pods is not",
        "Look at the events of the workload: its controller tells there why it makes no pods.",
    ),
    ("ServiceNoEndpoints", "not-ready"): Advice(
        "unknown",
        "medium",
        "that all pods behind the Service are not ready is certain, why they are not is not",
        "Look at why the pods are not ready; the Service answers again by itself as soon as one is.",
    ),
    ("IngressBroken", "Service"): Advice(
        "missing-object",
        "high",
        "all Services of the namespace were seen, and this one is not among them",
        "Create the Service, or correct the backend in the Ingress.",
    ),
    ("IngressBroken", "port"): Advice(
        "wrong-port",
        "high",
        "the Service's ports are known",
        "Correct the port in the Ingress, or add it to the Service.",
    ),
    ("IngressBroken", "IngressClass"): Advice(
        "missing-object",
        "high",
        "all classes were seen, and this one is not among them",
        "Correct ingressClassName, or install the controller that brings the class.",
    ),
    ("IngressBroken", "Secret"): Advice(
        "missing-object",
        "medium",
        "only Secrets of type kubernetes.io/tls are read: one of another type may hold the certificate",
        "Create the Secret, or look at whoever issues its certificate (the Certificate object of cert-manager).",
    ),
    ("PVCPending", "lost"): Advice(
        "storage",
        "high",
        "the volume controller says that the volume is gone",
        "Restore the PersistentVolume or the data from a backup. Deleting the claim gives the data up for good.",
    ),
    ("PVCPending", "no-class"): Advice(
        "storage",
        "medium",
        "no class is named, and none was given by default; a fitting PersistentVolume may yet come",
        "Name a StorageClass in a new claim, mark one as the default, or make a PersistentVolume that fits.",
    ),
    ("PVCPending", "no-such-class"): Advice(
        "missing-object",
        "high",
        "the provisioner's controller names the class that is missing",
        "Create the StorageClass, or make the claim anew with one that exists: the class of a claim cannot be changed.",
    ),
    ("PVCPending", "quota"): Advice(
        "quota",
        "high",
        "these are the provisioner's own words",
        "Raise the quota of the storage, or free some of it; it tries again by itself.",
    ),
    ("PVCPending", "denied"): Advice(
        "permission",
        "high",
        "these are the provisioner's own words",
        "Give the provisioner's identity the right that it names; it tries again by itself.",
    ),
    ("PVCPending", "unreachable"): Advice(
        "storage",
        "medium",
        "the provisioner says that the storage does not answer, not why",
        "Look at the storage and at the log of its provisioner; it tries again by itself.",
    ),
    ("PVCPending", "failed"): Advice(
        "storage",
        "medium",
        "the provisioner's words are not known ones",
        "Read the provisioner's words in the events of the claim.",
    ),
    ("QuotaExhausted", "refuses"): Advice(
        "quota",
        "high",
        "the API server names the quota in its refusal",
        "Raise the quota, or scale down what is not needed in the namespace; controllers try again by themselves.",
    ),
    ("QuotaExhausted", "full"): Advice(
        "quota",
        "high",
        "the quota's own status says so",
        "Raise the quota before the next rollout: one that surges needs room for another pod.",
    ),
    ("WebhookBroken", "no-service"): Advice(
        "webhook",
        "high",
        "all Services of the namespace were seen, and this one is not among them",
        "Reinstall what the webhook belongs to, or delete its configuration if that was removed.",
    ),
    ("WebhookBroken", "not-ready"): Advice(
        "webhook",
        "high",
        "nothing is ready behind the webhook's Service",
        "Bring the pods behind it up first. While it refuses their own creation, set its failurePolicy to Ignore.",
    ),
    ("RestartGrowth", "growth"): Advice(
        "application",
        "low",
        "that it restarts more often than before is counted; why it does is not known",
        "Look at how its containers ended and at what changed lately. A restart does not help: it restarts by itself.",
    ),
    ("MemoryGrowth", "growth"): Advice(
        "leak",
        "medium",
        "the curve is measured; that it goes on as it did is likely, not certain",
        "Find out whether it leaks or needs more, and raise the limit, or restart it at a good moment: that buys time.",
    ),
    ("MemoryGrowth", "urgent"): Advice(
        "leak",
        "medium",
        "the curve is measured; that it goes on as it did is likely, not certain",
        "Raise the limit, or restart it before the kernel kills it: a restart lets requests end, and only buys time.",
    ),
    ("LogErrors", "new"): Advice(
        "application",
        "low",
        "that such lines are new in its log is counted; what they mean is for a person to say",
        "Read the log in the thread, and look at what changed lately. "
        "Noise that is known can be named in WATCHKEEPER_LOG_NOISE.",
    ),
    ("LogErrors", "more"): Advice(
        "application",
        "low",
        "that there are more of such lines than usual is counted; what they mean is for a person to say",
        "Read the log in the thread, and look at what changed lately. "
        "Noise that is known can be named in WATCHKEEPER_LOG_NOISE.",
    ),
    ("CertificateExpiring", "expires"): Advice(
        "certificate",
        "high",
        "the certificate itself says until when it holds",
        "Renew the certificate; if it should renew itself, look at its issuer (cert-manager's Certificate object).",
    ),
    ("CertificateExpiring", "expired"): Advice(
        "certificate",
        "high",
        "the certificate itself says until when it held",
        "Renew the certificate now: clients refuse the connection.",
    ),
    ("StuckCreating", "missing"): Advice(
        "missing-object",
        "high",
        "the kubelet names what is missing",
        "Create it, or put back what is missing in it; the kubelet tries again by itself.",
    ),
    ("StuckCreating", "in-use"): Advice(
        "storage",
        "high",
        "the attach controller says who holds the volume",
        "Let the pod that holds the volume end; a lost node can be tainted node.kubernetes.io/out-of-service.",
    ),
    ("StuckCreating", "driver"): Advice(
        "storage",
        "high",
        "the node itself says which driver it lacks",
        "Bring the storage driver's daemon up on this node; the kubelet tries again by itself.",
    ),
    ("StuckCreating", "attach"): Advice(
        "storage",
        "medium",
        "the storage says that it cannot attach the volume, not what to mend",
        "Read the storage driver's words in the events, and look at its controller's log.",
    ),
    ("StuckCreating", "mount"): Advice(
        "storage",
        "medium",
        "the kubelet says that it cannot mount the volume, not what to mend",
        "Read the kubelet's words in the events: a wrong path, a server that does not answer, a damaged file system.",
    ),
    ("StuckCreating", "addresses"): Advice(
        "network",
        "high",
        "the network plugin says that it has no address left",
        "Give the node or the subnet more addresses, or move pods off the node.",
    ),
    ("StuckCreating", "runtime-class"): Advice(
        "node",
        "high",
        "the container runtime does not know the runtime class",
        "Install the runtime on the node, or correct runtimeClassName.",
    ),
    ("StuckCreating", "network"): Advice(
        "network",
        "medium",
        "the kubelet says that the pod network does not work, not why",
        "Look at the network plugin's pods on this node.",
    ),
    ("StuckCreating", "sandbox"): Advice(
        "node",
        "medium",
        "the container runtime's words are not known ones",
        "Read the container runtime's words in the events; other pods of this node tell whether it is the node.",
    ),
    ("Evicted", "memory"): Advice(
        "node-pressure",
        "high",
        "these are the kubelet's own words",
        "Set memory requests to what the pods use, so that the scheduler leaves room; find out what filled the node.",
    ),
    ("Evicted", "disk"): Advice(
        "node-pressure",
        "high",
        "these are the kubelet's own words",
        "Free the node's disk (images, logs, emptyDir volumes), and limit ephemeral storage.",
    ),
    ("Evicted", "pids"): Advice(
        "node-pressure",
        "high",
        "these are the kubelet's own words",
        "Find the process that makes so many others, and limit process ids for each pod.",
    ),
    ("Evicted", "own-limit"): Advice(
        "limit-too-low",
        "high",
        "these are the kubelet's own words",
        "Find out what it writes, then raise the limit or write less; its replacement will end in the same way.",
    ),
    ("Evicted", "other"): Advice(
        "evicted",
        "low",
        "the kubelet's words are not known ones",
        "Read the kubelet's words in the status of the pod.",
    ),
    ("StuckTerminating", "finalizers"): Advice(
        "finalizer",
        "high",
        "the pod's own finalizers are what is left",
        "Look at the controller that owns the finalizer. Removing it by hand skips what it guards.",
    ),
    ("StuckTerminating", "node-lost"): Advice(
        "node",
        "high",
        "the node does not report, so the pod's end cannot be confirmed",
        "Mend the node; if it is gone for good, delete it, or taint it node.kubernetes.io/out-of-service.",
    ),
    ("StuckTerminating", "node-gone"): Advice(
        "node",
        "high",
        "all nodes were seen, and this one is not among them",
        "The control plane deletes such pods after some minutes; if it does not, look at the controller manager.",
    ),
    ("StuckTerminating", "running"): Advice(
        "node",
        "medium",
        "the grace is over and the kubelet has not confirmed the end; why is not known",
        "Look at the kubelet and the runtime of the node. A forced deletion does not stop what still runs there.",
    ),
    ("StuckTerminating", "unknown"): Advice(
        "unknown",
        "low",
        "nothing tells what holds it",
        "Look at the object: kubectl get -o yaml shows its finalizers and conditions.",
    ),
    ("StuckTerminating", "NamespaceDeletionDiscoveryFailure"): Advice(
        "dependency-down",
        "high",
        "the namespace's own condition says so",
        "Mend or delete the APIService that does not answer: until then nobody can list what is left in the namespace.",
    ),
    ("StuckTerminating", "NamespaceDeletionGroupVersionParsingFailure"): Advice(
        "bad-configuration",
        "high",
        "the namespace's own condition says so",
        "Mend the API whose group and version cannot be read.",
    ),
    ("StuckTerminating", "NamespaceFinalizersRemaining"): Advice(
        "finalizer",
        "high",
        "the namespace's own condition says so",
        "Look at the controllers that own these finalizers: they are to take them away.",
    ),
    ("StuckTerminating", "NamespaceDeletionContentFailure"): Advice(
        "unknown",
        "high",
        "the namespace's own condition says so",
        "Mend what the condition names; the deletion goes on by itself.",
    ),
    ("StuckTerminating", "NamespaceContentRemaining"): Advice(
        "finalizer",
        "medium",
        "the namespace's own condition says what is left, not why",
        "Look at the objects that are left: something holds each of them.",
    ),
    ("StatefulSetStuck", "order"): Advice(
        "unknown",
        "high",
        "pods are made in order, each after those before it are ready",
        "Look at why this pod is not ready; the next ones are made by themselves.",
    ),
    ("StatefulSetStuck", "update"): Advice(
        "unknown",
        "high",
        "an update waits for every pod to be ready",
        "Look at why this pod is not ready; if the new template is at fault, put the earlier one back.",
    ),
    ("StatefulSetStuck", "outdated-pod"): Advice(
        "bad-rollout",
        "high",
        "a pod of an older revision that never gets ready is not replaced: a known issue of StatefulSets",
        "Delete the pod: it is made anew of the present template.",
    ),
    ("StatefulSetStuck", "storage-class"): Advice(
        "missing-object",
        "high",
        "all storage classes were seen, and this one is not among them",
        "Create the StorageClass. The claim templates of a StatefulSet cannot be changed: else make it anew.",
    ),
    ("StatefulSetStuck", "service"): Advice(
        "missing-object",
        "high",
        "all Services of the namespace were seen, and this one is not among them",
        "Create the headless Service: the pods are found by the names that it gives them.",
    ),
    ("DaemonSetIncomplete", "unavailable"): Advice(
        "unknown",
        "medium",
        "which nodes lack it is certain, why is not",
        "Look at the daemon's pods on these nodes.",
    ),
    ("DaemonSetIncomplete", "refused"): Advice(
        "unknown",
        "high",
        "the controller tells why it cannot create pods",
        "Mend what the controller names (quota, admission, service account); it tries again by itself.",
    ),
    ("DaemonSetIncomplete", "misscheduled"): Advice(
        "placement",
        "medium",
        "its controller counts them, and no taint of their nodes explains them",
        "Look at the nodes' labels and the DaemonSet's node selector; delete the pods that should not be there.",
    ),
    ("CronJobBroken", "zone"): Advice(
        "schedule",
        "high",
        "these are the controller's own words",
        "Correct timeZone; a name of the IANA database is asked for.",
    ),
    ("CronJobBroken", "schedule"): Advice(
        "schedule",
        "high",
        "these are the controller's own words",
        "Correct the schedule.",
    ),
    ("CronJobBroken", "missed"): Advice(
        "schedule",
        "high",
        "these are the controller's own words",
        "Raise startingDeadlineSeconds, or look at why the controller starts so late; run it by hand if it is urgent.",
    ),
    ("CronJobBroken", "refused"): Advice(
        "unknown",
        "high",
        "these are the controller's own words",
        "Mend what the controller names (quota, admission, service account); it tries again by itself.",
    ),
    ("CronJobBroken", "failing"): Advice(
        "application",
        "medium",
        "that its runs do not succeed is certain; why tells the log of the last one",
        "Look at the log of the last failed run; suspend it until it is mended if a failed run does harm.",
    ),
    ("CronJobBroken", "never-succeeded"): Advice(
        "application",
        "medium",
        "that no run ever succeeded is certain; why tells the log of the last one",
        "Look at the log of the last run, or delete the CronJob if nobody misses it.",
    ),
    ("HPABroken", "target-missing"): Advice(
        "missing-object",
        "high",
        "these are the controller's own words",
        "Correct scaleTargetRef, or delete the autoscaler if its target was removed.",
    ),
    ("HPABroken", "target"): Advice(
        "autoscaler",
        "medium",
        "these are the controller's own words",
        "Read the controller's words: the target must have a scale that it may read and change.",
    ),
    ("HPABroken", "selector"): Advice(
        "selector",
        "high",
        "these are the controller's own words",
        "Correct the selector, or delete one of the autoscalers that share these pods.",
    ),
    ("HPABroken", "metrics"): Advice(
        "metrics",
        "high",
        "these are the controller's own words",
        "Look at the metrics server or adapter, and whether the pods have requests: without metrics nothing is scaled.",
    ),
    ("HPABroken", "at-maximum"): Advice(
        "autoscaler",
        "high",
        "the controller itself wants more replicas than it may have",
        "Raise the maximum if the cluster has room, or find out where the load comes from.",
    ),
    ("PDBBlocking", "never"): Advice(
        "budget",
        "high",
        "the budget asks for as many pods as there are",
        "Let the budget allow one disruption (maxUnavailable: 1), or run one replica more; then the drain goes on.",
    ),
    ("PDBBlocking", "unhealthy"): Advice(
        "budget",
        "high",
        "the budget's own count of healthy pods",
        "Get the unhealthy pods well first; then the budget lets one go. kubectl uncordon ends a drain for good.",
    ),
}
"""By failure kind and class."""

SHARED_CAUSES: Mapping[str, diagnoses.CauseKind] = {
    "ConfigMap": "missing-object",
    "Secret": "missing-object",
    "PersistentVolumeClaim": "missing-object",
    "ResourceQuota": "quota",
    "Registry": "registry",
}
"""By the kind of what several workloads share as their cause: what sort of cause it is."""

SHARED: Mapping[str, str] = {
    "ConfigMap": "Create it, or put back what is missing in it; the kubelet tries again by itself.",
    "Secret": "Create it, or put back what is missing in it; the kubelet tries again by itself.",
    "PersistentVolumeClaim": "Create the claim, or look at why it gets no volume; the pods go on by themselves then.",
    "ResourceQuota": "Raise the quota, or scale down what is not needed in the namespace.",
    "Registry": "Check the registry, the way to it from the nodes (DNS, proxy, firewall) and the pull secrets.",
}
"""By the kind of what several workloads share as their cause."""


def of(kind: str, facts: Mapping[str, str]) -> Advice | None:
    """The advice for a finding of this kind with these facts; None where there is none."""
    name = facts.get("missing_kind", "") if kind == "IngressBroken" else facts.get("class", "")
    return ADVICE.get((kind, name))
