"""What earlier revisions ran: images by tag and by digest, and what is not known."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import earlier, model
from tests.k8s import raw
from tests.k8s.actions import examples

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def ran_by(image_id: str, *, image: str = "web:1.4", **made: Any) -> model.Json:
    status = {"name": "web", "image": image, "imageID": image_id}
    return raw.pod("old", owner=("ReplicaSet", "rs-4"), uid=image_id or "none", containers=[status], **made)


def test_images_are_those_of_all_revisions_but_the_current_newest_first() -> None:
    found = earlier.images(raw.broken_rollout(), "web")
    assert [(each.revision, each.image, each.health) for each in found] == [
        (4, "web:1.4", "serving"),
        (3, "web:1.3", "served"),
    ]
    assert [each.best for each in found] == ["web:1.4", "web:1.3"]
    assert earlier.images(raw.broken_rollout(), "sidecar") == ()


@pytest.mark.parametrize(
    ("image_ids", "pinned"),
    [
        ([f"docker.io/library/web@{DIGEST}"], f"web@{DIGEST}"),
        ([f"docker-pullable://web@{DIGEST}"], f"web@{DIGEST}"),
        ([f"docker.io/library/web@{DIGEST}", f"web@{DIGEST}"], f"web@{DIGEST}"),
        ([f"docker.io/library/web@{DIGEST}", f"docker.io/library/web@{OTHER}"], ""),
        ([f"mirror.example/web@{DIGEST}"], ""),
        ([DIGEST], ""),
        ([""], ""),
        (["web@sha256:short"], ""),
        ([], ""),
    ],
)
def test_the_digest_is_known_where_all_pods_of_the_revision_tell_one_of_its_repository(
    image_ids: list[str], pinned: str
) -> None:
    target = replace(raw.broken_rollout(), pods=tuple(ran_by(each) for each in image_ids))
    assert earlier.images(target, "web")[0].pinned == pinned
    assert [each.revision for each in earlier.ran(target, "web", f"web@{DIGEST}")] == ([4] if pinned else [])


def test_a_pod_that_is_going_tells_nothing() -> None:
    going = ran_by(f"docker.io/library/web@{DIGEST}", deletionTimestamp=raw.at(1))
    assert earlier.images(replace(raw.broken_rollout(), pods=(going,)), "web")[0].pinned == ""


@pytest.mark.parametrize(
    ("image", "image_id", "pinned"),
    [
        ("shop/web:2", f"docker.io/shop/web@{DIGEST}", f"shop/web@{DIGEST}"),
        ("reg.example:5000/web:2", f"reg.example:5000/web@{DIGEST}", f"reg.example:5000/web@{DIGEST}"),
        ("reg.example:5000/web", f"reg.example:5000/web@{DIGEST}", f"reg.example:5000/web@{DIGEST}"),
        ("index.docker.io/shop/web:2", f"docker.io/shop/web@{DIGEST}", f"index.docker.io/shop/web@{DIGEST}"),
        (f"web@{OTHER}", f"docker.io/library/web@{DIGEST}", f"web@{OTHER}"),
    ],
)
def test_repositories_are_compared_as_a_runtime_writes_them(image: str, image_id: str, pinned: str) -> None:
    sets = (raw.replicaset(4, image, pods=1, ready=1), raw.replicaset(5, "web:1.5", pods=1))
    target = replace(raw.broken_rollout(), replicasets=sets, pods=(ran_by(image_id, image=image),))
    assert earlier.images(target, "web")[0].pinned == pinned


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_pods_of_a_controller_revision_tell_its_digest(kind: str) -> None:
    target = raw.stuck(kind)
    status = {"name": "web", "image": "web:1.4", "imageID": f"docker.io/library/web@{DIGEST}"}
    old = raw.revision_pod(2, "api-0", kind=kind, containers=[status])
    found = earlier.images(replace(target, pods=(old, *target.pods[1:])), "web")
    assert [(each.image, each.pinned) for each in found] == [("web:1.4", f"web@{DIGEST}"), ("web:1.3", "")]


def test_a_variable_that_is_set_twice_has_two_entries() -> None:
    twice = raw.pod_template(env=[{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}])
    assert [each["value"] for each in earlier.variable(twice, "web", "A")] == ["1", "2"]
    assert earlier.variable(twice, "web", "C") == earlier.variable(twice, "other", "A") == ()


def test_without_a_record_of_the_current_template_all_revisions_are_earlier() -> None:
    newer = raw.workload(template=raw.pod_template("web:1.6"), status={"observedGeneration": 3})
    found = earlier.revisions(replace(examples.changed(), object=newer))
    assert [each.number for each in found] == [5, 4]
