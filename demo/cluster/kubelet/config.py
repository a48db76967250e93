"""What a container gets from ConfigMaps and Secrets, and what is said when one of them is missing.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables).
Called by the pod worker before a container is created and before volumes are mounted.
"""

import base64
import binascii

from demo.cluster.objects import Object, containers_of, name_of, namespace_of
from demo.cluster.store import Store


class ConfigMissingError(Exception):
    """A ConfigMap, a Secret or a key of one does not exist; the text is the kubelet's."""


def environment(store: Store, pod: Object, container: Object) -> dict[str, str]:
    """The environment of a container, references resolved. `ConfigMissingError` for the first one that is missing."""
    namespace, env = namespace_of(pod), dict[str, str]()
    for source in container.get("envFrom") or []:
        for member, storage, word in (("configMapRef", "configmaps", "configmap"), ("secretRef", "secrets", "secret")):
            if reference := source.get(member):
                found = store.find(storage, namespace, reference.get("name", ""))
                if found is None and not reference.get("optional"):
                    raise ConfigMissingError(f'{word} "{reference.get("name", "")}" not found')
                values = _values(storage, found) if found else {}
                env |= {source.get("prefix", "") + key: value for key, value in values.items()}
    for each in container.get("env") or []:
        value = _value(store, pod, each)
        if value is not None:
            env[each["name"]] = value
    return env


def _value(store: Store, pod: Object, each: Object) -> str | None:
    origin = each.get("valueFrom") or {}
    if reference := origin.get("configMapKeyRef"):
        return _keyed(store, pod, reference, "configmaps", "configmap", "ConfigMap")
    if reference := origin.get("secretKeyRef"):
        return _keyed(store, pod, reference, "secrets", "secret", "Secret")
    if field := origin.get("fieldRef"):
        known = {"metadata.name": name_of(pod), "metadata.namespace": namespace_of(pod)}
        return known.get(field.get("fieldPath", ""), "")
    return str(each.get("value", ""))


def _keyed(store: Store, pod: Object, reference: Object, storage: str, word: str, kind: str) -> str | None:
    name, key = reference.get("name", ""), reference.get("key", "")
    found = store.find(storage, namespace_of(pod), name)
    if found is None:
        if reference.get("optional"):
            return None
        raise ConfigMissingError(f'{word} "{name}" not found')
    values = _values(storage, found)
    if key not in values:
        if reference.get("optional"):
            return None
        raise ConfigMissingError(f"couldn't find key {key} in {kind} {namespace_of(pod)}/{name}")
    return values[key]


def _values(storage: str, obj: Object) -> dict[str, str]:
    data = obj.get("data") or {}
    if storage == "configmaps":
        return {key: str(value) for key, value in data.items()}
    return {key: _decoded(str(value)) for key, value in data.items()} | (obj.get("stringData") or {})


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except binascii.Error:
        return text


def missing_volume(store: Store, pod: Object) -> tuple[str, str] | None:
    """(volume, the kubelet's text) for the first volume whose ConfigMap or Secret, or a key of it, does not exist.

    A volume that no container mounts is not looked at.
    """
    namespace = namespace_of(pod)
    mounted = {mount.get("name") for each in containers_of(pod["spec"]) for mount in each.get("volumeMounts") or []}
    for volume in pod["spec"].get("volumes") or []:
        name = volume.get("name", "")
        if name not in mounted:
            continue
        config, secret = volume.get("configMap"), volume.get("secret")
        if (
            config
            and not config.get("optional")
            and store.find("configmaps", namespace, config.get("name", "")) is None
        ):
            return name, f'configmap "{config.get("name", "")}" not found'
        wanted = (secret or {}).get("secretName", "")
        if secret and not secret.get("optional") and store.find("secrets", namespace, wanted) is None:
            return name, f'secret "{wanted}" not found'
        if config and (key := _missing_key(store.find("configmaps", namespace, config.get("name", "")), config)):
            return name, f"configmap references non-existent config key: {key}"
        if secret and (key := _missing_key(store.find("secrets", namespace, wanted), secret)):
            return name, f"references non-existent secret key: {key}"
    return None


def _missing_key(found: Object | None, source: Object) -> str:
    """The first key that a volume asks for and that its ConfigMap or Secret has not; empty where there is none."""
    if found is None or source.get("optional"):
        return ""
    known = (found.get("data") or {}).keys() | (found.get("binaryData") or {}).keys()
    return next((str(item["key"]) for item in source.get("items") or [] if item["key"] not in known), "")


def pull_secrets(store: Store, pod: Object) -> frozenset[str]:
    """The pull Secrets of a pod that exist."""
    names = [each.get("name", "") for each in pod["spec"].get("imagePullSecrets") or []]
    return frozenset(name for name in names if store.find("secrets", namespace_of(pod), name) is not None)


def missing_pull_secrets(store: Store, pod: Object) -> list[str]:
    """The names of pull Secrets that a pod asks for and that do not exist."""
    names = [each.get("name", "") for each in pod["spec"].get("imagePullSecrets") or []]
    return [name for name in names if store.find("secrets", namespace_of(pod), name) is None]
