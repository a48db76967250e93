"""A command of the policy, a DaemonSet on one node, an action of another package: all the way. On every ground."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from k8s import model
from tests import grounds
from tests.bot import test_custom_actions as packages
from tests.grounds import behaviours, manifests
from tests.stories import asking, unready
from tests.stories import test_actions_on_both_workloads as on_workloads
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

BECOME_READY = ("/bin/touch", behaviours.HEALTHY)
GREET = ("/bin/echo", "$(id)", "; rm -rf /")
"""Words that a shell would make something of."""
EXEC = ("watchkeeper-writer-exec",)
NODES = ("watchkeeper-writer-nodes",)
SECONDS = 20
PATIENCE = "custom-patience-of-a-story"
LEAST = 60
"""Seconds that this action takes."""


def policy(folder: Path) -> str:
    """One that lists two commands; else as without one."""
    file = folder / "policy.yaml"
    entries = [
        f"  - {{name: {name}, argv: {list(argv)}, containers: [app], kinds: [Deployment], timeout_seconds: {SECONDS}}}"
        for name, argv in (("become ready", BECOME_READY), ("greet", GREET))
    ]
    file.write_text("\n".join(["version: 1", "commands:", *entries, ""]))
    return str(file)


# --- what is broken


async def never_ready(ground: grounds.Ground) -> None:
    """The pod lacks a file."""
    probe = manifests.asks(period=1)
    container = ground.container(behaviours.never_ready(), readinessProbe=probe)
    await ground.admin.apply(unready.api(ground, container, replicas=1))
    await unready.running(ground)


async def impatient(ground: grounds.Ground) -> None:
    """As others that lack their setting; its deadline is one that the action may put back."""
    deadline = max(LEAST, int(unready.DEADLINE * ground.speed))
    await ground.admin.apply(unready.api(ground, unready.wanting(ground), replicas=1, deadline=deadline))
    await unready.running(ground)


async def agents_without_settings(ground: grounds.Ground) -> None:
    """On every node a pod that is not ready."""
    await ground.admin.apply(manifests.daemon_set("api", unready.wanting(ground)))
    await unready.running(ground)


async def file_there(ground: grounds.Ground) -> None:
    for pod in await ground.admin.pods("api"):
        await ground.exec(pod["metadata"]["name"], *BECOME_READY)


async def other_nodes_mended(ground: grounds.Ground) -> None:
    for pod in await ground.admin.pods("api"):
        if pod["spec"].get("nodeName") != ground.node_names[0]:
            await ground.admin.delete("Pod", pod["metadata"]["name"])


# --- what is asked for


def command(name: str, argv: tuple[str, ...]) -> Any:
    async def made(ground: grounds.Ground) -> model.Action:
        pod, owner = await on_workloads.a_pod(ground), await unready.workload(ground)
        return model.ExecCommand(pod, owner, "app", name, argv, SECONDS)

    return made


async def restart_on_node(ground: grounds.Ground) -> model.Action:
    node = ground.node_names[0]
    pod = next(pod for pod in await ground.admin.pods("api") if pod["spec"].get("nodeName") == node)
    owner = await asking.reference(ground, "DaemonSet", "api")
    return model.RestartOnNode(owner, await asking.reference(ground, "Pod", pod["metadata"]["name"]), node)


async def patience(ground: grounds.Ground) -> model.Action:
    return model.Custom(await unready.workload(ground), PATIENCE, (("seconds", "900"),))


UNTAKEN = "What a command has done cannot be taken back from here."
STORIES: dict[str, asking.Story] = {
    "exec-command": asking.Story(
        command("become ready", BECOME_READY),
        f"exec pod/{{name}} --container=app -- {' '.join(BECOME_READY)}",
        "get pods/exec {name}",
        never_ready,
        final=UNTAKEN,
        people=2,
        roles=EXEC,
    ),
    "exec-command that prints": asking.Story(
        command("greet", GREET),
        "exec pod/{name} --container=app -- /bin/echo '$(id)' '; rm -rf /'",
        "get pods/exec {name}",
        never_ready,
        mended=file_there,
        printed="$(id) ; rm -rf /",
        final=UNTAKEN,
        people=2,
        roles=EXEC,
    ),
    "restart-on-node": asking.Story(
        restart_on_node,
        "delete pod/{name}",
        "delete pods {name}",
        agents_without_settings,
        prepared=unready.settings_there,
        mended=other_nodes_mended,
        final=on_workloads.LOST,
        roles=NODES,
    ),
    "custom": asking.Story(
        patience,
        "patch deployment/api --type=merge",
        unready.PATCHED,
        impatient,
        prepared=unready.settings_there,
        mended=unready.pods_replaced,
        state=unready.as_it_is,
        undone=unready.PATCHED,
    ),
}


@pytest.mark.parametrize("name", [name for name in STORIES if name.startswith("exec")])
async def test_a_command_of_the_policy_is_run_once_and_its_output_shown(
    ground: grounds.Ground, tell: worlds.Tell, tmp_path: Path, name: str
) -> None:
    story = dataclasses.replace(STORIES[name], settings={"POLICY_FILE": policy(tmp_path)})
    await asking.through(ground, tell, story)


async def test_a_daemonset_is_restarted_on_one_node(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await asking.through(ground, tell, STORIES["restart-on-node"])


async def test_an_action_of_another_package_is_done_and_taken_back(
    ground: grounds.Ground, tell: worlds.Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "packages"
    place.mkdir()
    source = packages.EXAMPLE.replace("custom-rollout-patience", PATIENCE)
    packages.installed(place, "acme_story_actions", source, attribute="rollout_patience")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", str(place))
    await asking.through(ground, tell, STORIES["custom"])
