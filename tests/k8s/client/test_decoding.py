"""What lists and watches send becomes objects, and what is odd in it is counted and hurts nothing else."""

import json
from typing import Any

import pytest

from k8s import objects
from k8s.client import decoding, errors

PODS = decoding.Decoder(objects.Pod)
EVENTS = decoding.Decoder(objects.Event)
STATUS = {"kind": "Status", "metadata": {}, "status": "Failure", "message": "too old", "code": 410}


def pod(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7"}} | more


def page(*items: Any, **metadata: Any) -> bytes:
    return json.dumps({"kind": "PodList", "metadata": metadata, "items": list(items)}).encode()


def event(kind: str, found: Any) -> decoding.Event[objects.Pod]:
    return PODS.event(json.dumps({"type": kind, "object": found}).encode())


def test_a_page_has_its_objects_its_version_and_the_token_of_the_next() -> None:
    found = PODS.page(page(pod("a"), pod("b"), resourceVersion="5", **{"continue": "x"}))
    assert [each.metadata.name for each in found.objects] == ["a", "b"]
    assert (found.resource_version, found.token, found.odd) == ("5", "x", 0)


def test_an_odd_object_of_a_page_is_left_out_and_counted() -> None:
    found = PODS.page(
        page(pod("a"), pod("b", status=5), pod("c", spec={"containers": None}), None, resourceVersion="5")
    )
    assert [each.metadata.name for each in found.objects] == ["a", "c"]
    assert (found.resource_version, found.odd) == ("5", 2)


@pytest.mark.parametrize("body", [b'{"items": null}', b'{"metadata": null, "items": []}', b"{}"])
def test_an_empty_page_is_a_page(body: bytes) -> None:
    assert PODS.page(body) == decoding.Page([], 0, "", "")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"items": [', b"[" * 100_000, b'{"items": 5}', b'"\xff"'])
def test_what_is_no_page_is_said(body: bytes) -> None:
    with pytest.raises(ValueError, match="the answer is not"):
        PODS.page(body)


def test_the_copy_of_an_object_in_its_annotations_is_not_kept() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"}
    found = pod("a")
    found["metadata"]["annotations"] = annotations
    for kind in ("ADDED", "DELETED"):
        told = event(kind, found).object
        assert told is not None
        assert told.metadata.annotations == {"team": "a"}
    assert PODS.page(page(found)).objects[0].metadata.annotations == {"team": "a"}


@pytest.mark.parametrize(
    ("sent", "kind"), [("ADDED", "changed"), ("MODIFIED", "changed"), ("DELETED", "removed"), ("BOOKMARK", "nothing")]
)
def test_an_event_says_how_far_the_watch_is(sent: str, kind: str) -> None:
    found = event(sent, pod("a"))
    assert (found.kind, found.resource_version, found.odd) == (kind, "7", False)
    assert (found.object is not None) == (kind != "nothing")


def test_phases_and_fields_that_nobody_knows_are_no_trouble() -> None:
    found = event("ADDED", pod("a", status={"phase": "Dreaming", "new": [1]}, spec={"containers": None}, extra=True))
    assert found.object is not None
    assert found.object.status.phase == "Dreaming"


def test_a_type_that_nobody_knows_is_counted() -> None:
    assert event("RENAMED", pod("a")) == decoding.Event("nothing", None, "7", odd=True)


@pytest.mark.parametrize("odd", [{"status": 5}, {"spec": None}, {"status": {"conditions": {}}}])
def test_an_odd_object_changes_nothing_but_how_far_the_watch_is(odd: dict[str, Any]) -> None:
    assert event("MODIFIED", pod("a", **odd)) == decoding.Event("nothing", None, "7", odd=True)


def test_that_an_odd_object_is_gone_is_told() -> None:
    found = event("DELETED", pod("a", status=5))
    assert (found.kind, found.odd, found.resource_version) == ("removed", True, "7")
    assert found.object is not None
    assert found.object.metadata.uid == "uid-a"


def test_an_odd_bookmark_is_a_bookmark() -> None:
    assert event("BOOKMARK", pod("", status=5)) == decoding.Event("nothing", None, "7")


@pytest.mark.parametrize(
    "line",
    [
        b"<html>",
        b'{"type": "ADDED"}',
        b'{"type": 5, "object": {"metadata": {}}}',
        b'{"type": "ADDED", "object": null}',
        b'{"type": "ADDED", "object": {"metadata": {"uid": 5}}}',
        b'{"type": "ADDED", "object": {"metadata": {"name": "\xff"}}}',
        b'{"type": "ADDED", "object": ' + b"[" * 100_000,
    ],
)
def test_a_line_that_nobody_can_read_is_said(line: bytes) -> None:
    assert PODS.event(line) == decoding.Event("unreadable", odd=True)


@pytest.mark.parametrize("decoder", [PODS, EVENTS])
def test_an_error_carries_its_status_whatever_the_objects_are(decoder: decoding.Decoder[Any]) -> None:
    found = decoder.event(json.dumps({"type": "ERROR", "object": STATUS}).encode())
    assert (found.kind, json.loads(found.status)) == ("error", STATUS)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (STATUS, errors.Gone, "too old"),
        (STATUS | {"code": 500, "message": "etcd is away"}, errors.ServerFault, "etcd is away"),
        (STATUS | {"code": None}, errors.Malformed, "could not be read"),
        ("what?", errors.Malformed, "could not be read"),
        ({"code": "x"}, errors.Malformed, "could not be read"),
    ],
)
def test_the_error_of_a_status_is_one_of_ours(status: Any, error: type[errors.ClusterError], message: str) -> None:
    found = decoding.failure("watch pods", json.dumps(status).encode())
    assert type(found) is error
    assert str(found).startswith("watch pods: ")
    assert message in found.message
