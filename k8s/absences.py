"""What a message of the kubelet names as absent, so that every family that meets one says it alike.

Pure. Called by `k8s.detectors`. The wordings are the kubelet's (pkg/kubelet, pkg/volume) and the API server's.
"""

import re

_LONGEST = 4096
"""Characters of a message that are looked at."""

_NAME = r'"?([a-zA-Z0-9][a-zA-Z0-9._/-]{0,512})"?'
_KEY = re.compile(rf"couldn't find key (\S{{1,256}}) in (configmap|secret) {_NAME}", re.IGNORECASE)
_KEY_OF_VOLUME = re.compile(r"references non-existent (?:config|(secret)) key: (\S{1,256})", re.IGNORECASE)
_OBJECT = re.compile(rf"\b(configmap|secret|persistentvolumeclaim|serviceaccount)s? {_NAME} not found", re.IGNORECASE)
_KINDS = {
    "configmap": "ConfigMap",
    "secret": "Secret",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "serviceaccount": "ServiceAccount",
}
_QUOTA = re.compile(r"exceeded quota: ([a-z0-9.-]{1,253})")


def quota(text: str) -> str:
    """The ResourceQuota that refused a pod, by the API server's words; empty where none did."""
    found = _QUOTA.search(text[:_LONGEST])
    return found[1].rstrip(".") if found is not None else ""


def missing(text: str) -> dict[str, str]:
    """`missing` (as a person says it), `missing_kind`, `missing_name` and `missing_key`, as far as they are known.

    Reads `configmap "app" not found`, `couldn't find key A in Secret shop/app`, `persistentvolumeclaim "data" not
    found`; of `configmap references non-existent config key: url` the object's name is not known. Empty for all else.
    """
    text = text[:_LONGEST]
    key = _KEY.search(text)
    if key is not None:
        kind, name = _KINDS[key[2].lower()], key[3].rpartition("/")[2]
        return {
            "missing": f"key {key[1]} of {kind} {name}",
            "missing_kind": kind,
            "missing_name": name,
            "missing_key": key[1],
        }
    found = _OBJECT.search(text)
    if found is not None:
        kind, name = _KINDS[found[1].lower()], found[2].rpartition("/")[2]
        return {"missing": f"{kind} {name}", "missing_kind": kind, "missing_name": name}
    key = _KEY_OF_VOLUME.search(text)
    if key is None:
        return {}
    kind = "Secret" if key[1] else "ConfigMap"
    return {"missing": f"key {key[2]} of a {kind}", "missing_kind": kind, "missing_key": key[2]}
