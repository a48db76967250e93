"""Images that cannot be pulled: which an undo mends, and which it does not."""

import pytest

from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_an_image_that_is_not_there_since_the_rollout_is_undone() -> None:
    found = diagnosing.diagnose(
        d.problem("ImagePull", facts={"image": "web:9", "class": "not-found"}),
        d.dossier("status", "events", "rollout", facts=d.rolled_out("image: web:8 → web:9")),
        d.NOW,
    )
    assert found.confidence == "high"
    assert "Image web:9 cannot be pulled: the registry has no such image [E2]" in found.cause
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]


def test_a_change_of_another_image_is_not_to_blame() -> None:
    found = diagnosing.diagnose(
        d.problem("ImagePull", facts={"image": "web:9", "class": "not-found"}),
        d.dossier("status", "events", "rollout", facts=d.rolled_out("sidecar: image: proxy:1 → proxy:2")),
        d.NOW,
    )
    assert d.actions(found) == []
    assert found.confidence == "high"


def test_a_registry_that_is_away_is_nothing_that_an_undo_mends() -> None:
    found = diagnosing.diagnose(
        d.problem("ImagePull", facts={"image": "web:9", "class": "unreachable"}),
        d.dossier("events", "rollout", facts=d.rolled_out("image: web:8 → web:9")),
        d.NOW,
    )
    assert d.actions(found) == []
    assert "registry" in found.next_step


@pytest.mark.parametrize("kind", ["unreachable", "rate-limited"])
@pytest.mark.parametrize(
    ("change", "undone"),
    [
        ("image: registry.one/web:8 → registry.two:5000/web:9", True),
        ("app: image: web:8 → registry.two/web:9", True),
        ("image: registry.two/web:8 → registry.two/web:9", False),
        ("image: library/web:8 → docker.io/web:9", False),
        ("image: none → registry.two/web:9", False),
        ("container web:9 added", False),
    ],
)
def test_an_image_that_a_rollout_took_to_a_registry_that_is_away_is_put_back(
    kind: str, change: str, undone: bool
) -> None:
    image = change.rpartition(" ")[2] if "→" in change else "web:9"
    found = diagnosing.diagnose(
        d.problem("ImagePull", facts={"image": image, "class": kind}),
        d.dossier("events", "rollout", facts=d.rolled_out(change)),
        d.NOW,
    )
    assert (d.actions(found) == [model.RolloutUndo(d.API, 3)]) == undone
    assert ("moved it to this registry" in found.cause) == undone


def test_a_rollout_that_leads_away_from_an_image_did_not_bring_it() -> None:
    """The tag of the revision before was removed from the registry: an undo would make more pods of it."""
    facts = d.rolled_out("image: shop/web:v1 → shop/web:v2")
    old = d.problem("ImagePull", facts={"class": "not-found", "image": "shop/web:v1"})
    found = diagnosing.diagnose(old, d.dossier("events", "rollout", facts=facts), d.NOW)
    assert d.actions(found) == []
    assert "The last rollout" not in found.cause
    new = d.problem("ImagePull", facts={"class": "not-found", "image": "shop/web:v2"})
    undone = diagnosing.diagnose(new, d.dossier("events", "rollout", facts=facts), d.NOW)
    assert model.RolloutUndo(d.API, 3) in d.actions(undone)
