"""Decoding a body by its type, with the models of the official client as the schema.

Members that the type has not are dropped (`fieldValidation=Strict` refuses them), and members of the wrong type are
refused with Go's sentence, as a real server does. Called by `api`. Source:
https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

import re
from functools import cache
from typing import Any

from kubernetes.client import models

from demo.cluster.errors import ApiError
from demo.cluster.objects import Object, canonical_quantity
from demo.cluster.resources import Resource

_CORE_NAMES = {"Event": "CoreV1Event"}
_NUMBERS = {"int": "int32", "float": "float64", "bool": "bool", "str": "string"}
_QUANTITY = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
_QUANTITIES = frozenset({"limits", "requests", "capacity", "allocatable", "hard", "used"})
_BAD_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class MisfitError(ApiError):
    """A member of the wrong type or, where that is asked for, one that the type has not.

    `why` is the decoder's own sentence, without what was to be decoded.
    """

    def __init__(self, cannot: str, why: str) -> None:
        super().__init__(400, "BadRequest", f"{cannot}: {why}")
        self.why = why


@cache
def _model(name: str) -> Any:
    return getattr(models, name, None)


@cache
def _members(name: str) -> dict[str, str]:
    """JSON member -> type, as the client writes types: 'List[V1Container]', 'Dict[str, str]', 'int'."""
    model = _model(name)
    return {model.attribute_map[attribute]: kind for attribute, kind in model.openapi_types.items()}


def _root(resource: Resource) -> str:
    name = f"{resource.version[0].upper()}{resource.version[1:]}{resource.kind}"
    if resource.kind == "Event":
        return "EventsV1Event" if resource.group else "CoreV1Event"
    return _CORE_NAMES.get(resource.kind, name)


class _Decoder:
    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.unknown: list[str] = []

    def value(self, value: Any, kind: str, path: str, owner: str) -> Any:
        if value is None or kind in ("object", "datetime"):
            return value
        if kind.startswith("List["):
            if not isinstance(value, list):
                raise self.mismatch(value, f"[]{self.go(kind[5:-1])}", path, owner)
            return [self.value(each, kind[5:-1], f"{path}[{index}]", owner) for index, each in enumerate(value)]
        if kind.startswith("Dict["):
            if not isinstance(value, dict):
                raise self.mismatch(value, "map[string]string", path, owner)
            inner = kind[5:-1].partition(", ")[2]
            if path.rpartition(".")[2] in _QUANTITIES:
                return {key: self.amount(each) for key, each in value.items()}
            return {key: self.value(each, inner, path, owner) for key, each in value.items()}
        if kind in _NUMBERS:
            return self.scalar(value, kind, path, owner)
        if _model(kind) is None:
            return value
        if not isinstance(value, dict):
            raise self.mismatch(value, f"v1.{kind.removeprefix('V1')}", path, owner)
        return self.object(value, kind, path)

    def object(self, value: Object, kind: str, path: str) -> Object:
        members, kept = _members(kind), {}
        for name, each in value.items():
            inner = f"{path}.{name}" if path else name
            if name not in members:
                self.unknown.append(inner)
                continue
            kept[name] = self.value(each, members[name], inner, kind)
        return kept

    def scalar(self, value: Any, kind: str, path: str, owner: str) -> Any:
        fits = {
            "int": isinstance(value, int) and not isinstance(value, bool),
            "float": isinstance(value, (int, float)) and not isinstance(value, bool),
            "bool": isinstance(value, bool),
            "str": isinstance(value, str),
        }[kind]
        if not fits:
            raise self.mismatch(value, _NUMBERS[kind], path, owner)
        return value

    def amount(self, value: Any) -> Any:
        if not _QUANTITY.match(str(value)):
            raise MisfitError(self.cannot(), _BAD_QUANTITY)
        return canonical_quantity(str(value))

    def go(self, kind: str) -> str:
        return _NUMBERS.get(kind, f"v1.{kind.removeprefix('V1')}")

    def cannot(self) -> str:
        return f'{self.resource.kind} in version "{self.resource.version}" cannot be handled as a {self.resource.kind}'

    def mismatch(self, value: Any, wanted: str, path: str, owner: str) -> Exception:
        if isinstance(value, bool):
            given = "bool"
        elif isinstance(value, (int, float)):
            given = "number"
        else:
            given = {"str": "string", "dict": "object", "list": "array"}.get(type(value).__name__, "null")
        plain = re.sub(r"\[\d+\]", "", path)
        where = f"{owner.removeprefix('V1').removeprefix('V2')}.{plain}"
        text = f"json: cannot unmarshal {given} into Go struct field {where} of type {wanted}"
        return MisfitError(self.cannot(), text)


def decode(resource: Resource, body: Object, field_validation: str = "Warn") -> Object:
    """The members that the type knows; MisfitError for one of the wrong type, and for unknown ones when Strict."""
    root = _root(resource)
    if _model(root) is None:
        return body
    decoder = _Decoder(resource)
    decoded = decoder.object(body, root, "")
    if decoder.unknown and field_validation == "Strict":
        fields = ", ".join(f'unknown field "{name}"' for name in decoder.unknown)
        raise MisfitError(decoder.cannot(), f"strict decoding error: {fields}")
    return decoded
