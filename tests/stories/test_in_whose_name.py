"""What a person approved is written in that person's name: the cluster's own audit log says so. On every ground."""

from pathlib import Path

import pytest
import yaml

from demo import slack
from k8s import model
from tests import grounds
from tests.stories import asking, granting, telling, unready
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours", "journal")]


def people(folder: Path, user: str, group: str) -> str:
    """Of those who may approve, Ana is somebody in the cluster, and Ben is not."""
    file = folder / "people.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "people": {slack.ANA: {"user": user, "groups": [group]}}}))
    return str(file)


async def test_the_audit_log_names_who_approved_and_whose_rights_decide(
    ground: grounds.Ground, tell: worlds.Tell, tmp_path: Path
) -> None:
    ana, oncall = f"ana@{ground.namespace}.example", f"oncall-{ground.namespace}"
    await unready.without_settings(ground)
    async with granting.impersonating(ground, ana, oncall):
        await granting.give_group(ground, oncall, "patch", "deployments")
        world = await tell(GRACES=asking.GRACES, IMPERSONATION_FILE=people(tmp_path, ana, oncall))
        parent = await telling.told(world, f"{ground.namespace}/api")
        incident = await asking.incident_of(world, parent)
        await unready.settings_there(ground)
        await asking.asks_for(world, incident, model.RolloutRestart(await unready.workload(ground)), slack.BEN)
        await telling.shows(world, parent, "rollout restart deployment/api")

        _, seen = await asking.presses(world, parent, incident, slack.BEN)
        assert "You have no identity in this cluster" in worlds.text_of(await seen.ephemeral())
        await ground.untouched()

        await asking.agreed(world, parent, incident, 1)
        await asking.verified(world, parent, incident)
        (wrote,) = await ground.writes()
        assert (wrote.verb, wrote.resource, wrote.name, wrote.impersonated) == ("patch", "deployments", "api", ana)
        assert wrote.user != ana
