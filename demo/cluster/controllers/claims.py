"""The persistent volume controller, as far as it goes without a provisioner: why a claim is not bound; its finalizer.

Nothing binds a claim here: tests and scenarios that want it bound write its status. Sources:
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding and #storage-object-in-use-protection there.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.manager import Key, Manager
from demo.cluster.objects import Object, clone, is_deleting, name_of, namespace_of
from demo.cluster.recorder import Recorder
from demo.cluster.registry import CLAIM_PROTECTION, Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

CLAIMS = BY_PLURAL["persistentvolumeclaims"]
SYNC_SECONDS = 15.0
SOURCE = ("persistentvolume-controller", "")


@dataclass
class Claims:
    registry: Registry
    recorder: Recorder
    manager: Manager

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "persistentvolumeclaims":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods" and change.kind == "DELETED":
            for name in _used(change.after):
                yield (namespace_of(change.after), name)

    def sync(self, key: Key) -> None:
        claim = self.registry.store.find("persistentvolumeclaims", *key)
        if claim is None:
            return
        if is_deleting(claim):
            self._release(claim)
            return
        if (claim.get("status") or {}).get("phase") == "Pending":
            self._complain(claim)
            self.manager.enqueue_after(self, key, SYNC_SECONDS, background=True)

    def _complain(self, claim: Object) -> None:
        """Why nothing can be found for it; a class that exists is another provisioner's, who is silent."""
        wanted = claim["spec"].get("storageClassName", "")
        if not wanted:
            text = "no persistent volumes available for this claim and no storage class is set"
            self.recorder.event("persistentvolumeclaims", claim, "FailedBinding", text, SOURCE)
        elif self.registry.store.find("storageclasses", "", wanted) is None:
            text = f'storageclass.storage.k8s.io "{wanted}" not found'
            self.recorder.event("persistentvolumeclaims", claim, "ProvisioningFailed", text, SOURCE, warning=True)

    def _release(self, claim: Object) -> None:
        """Lets a claim that is to be deleted go as soon as no pod uses it."""
        finalizers = claim["metadata"].get("finalizers") or []
        pods = self.registry.store.all("pods", namespace_of(claim))
        if CLAIM_PROTECTION not in finalizers or any(name_of(claim) in _used(pod) for pod in pods):
            return
        changed = clone(claim)
        changed["metadata"]["finalizers"] = [each for each in finalizers if each != CLAIM_PROTECTION]
        self.registry.update(CLAIMS, changed)


def _used(pod: Object) -> list[str]:
    volumes = pod["spec"].get("volumes") or []
    return [str(each["persistentVolumeClaim"]["claimName"]) for each in volumes if each.get("persistentVolumeClaim")]
