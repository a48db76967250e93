"""The quota controller: what a namespace uses of its ResourceQuotas.

Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.admission import quota_used
from demo.cluster.manager import Key
from demo.cluster.objects import format_amount, name_of, namespace_of
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change


@dataclass
class Quotas:
    registry: Registry

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "resourcequotas":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            for quota in self.registry.store.all("resourcequotas", namespace_of(change.after)):
                yield (namespace_of(quota), name_of(quota))

    def sync(self, key: Key) -> None:
        quota = self.registry.store.find("resourcequotas", *key)
        if quota is None:
            return
        hard = (quota.get("spec") or {}).get("hard") or {}
        used = quota_used(quota, self.registry.store.all("pods", key[0]))
        shown = {name: format_amount(name, amount) for name, amount in used.items()}
        self.registry.update_status(BY_PLURAL["resourcequotas"], quota, {"hard": dict(hard), "used": shown})
