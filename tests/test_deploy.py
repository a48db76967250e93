"""The image, the Slack manifest and the cluster roles, as far as they can be proved without an engine or a cluster."""

import ast
import fnmatch
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import formats, settings
from k8s import catalogue
from k8s.client import resources, rights
from tests.k8s import raw
from tests.k8s.actions import examples

ROOT = Path(__file__).parents[1]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "deploy/slack-manifest.yaml").read_text())
ROLES = [each for each in yaml.safe_load_all((ROOT / "deploy/rbac.yaml").read_text()) if each]


# --- Dockerfile


def _stages(text: str) -> list[list[tuple[str, str]]]:
    """(instruction, rest) by stage; continuation lines joined, comments dropped."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stages: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n", " ", kept).splitlines():
        if line.strip():
            instruction, _, rest = line.strip().partition(" ")
            if instruction == "FROM":
                stages.append([])
            stages[-1].append((instruction, rest.strip()))
    return stages


STAGES = _stages((ROOT / "Dockerfile").read_text())
BUILD, FINAL = STAGES


def _all(stage: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def _environment(stage: Sequence[tuple[str, str]]) -> dict[str, str]:
    pairs = [word.partition("=") for rest in _all(stage, "ENV") for word in shlex.split(rest)]
    return {name: value for name, _, value in pairs}


def _copied() -> Iterator[str]:
    for rest in _all(BUILD, "COPY"):
        yield from rest.split()[:-1]


def _ignored(path: str) -> bool:
    """The last pattern that matches decides: https://docs.docker.com/build/concepts/context/#dockerignore-files."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            if (
                fnmatch.fnmatch(path, pattern)
                or path.startswith(f"{pattern}/")
                or fnmatch.fnmatch(Path(path).name, pattern)
            ):
                ignored = not line.startswith("!")
    return ignored


def test_everything_that_is_copied_exists_and_is_sent_to_the_engine() -> None:
    copied = list(_copied())
    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert not _ignored(path), path


def test_nothing_else_is_sent_to_the_engine() -> None:
    for path in (".git", ".env", "demo", "tests", ".venv", "bot/__pycache__", "k8s/x.pyc", ".watchkeeper", "build"):
        assert _ignored(path), path


def test_the_image_holds_every_package_of_the_product_but_the_demo() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages - {"demo"} == {path for path in _copied() if (ROOT / path).is_dir()}
    needed = {"pyproject.toml", "uv.lock", project["project"]["readme"], *project["project"]["license-files"]}
    assert needed <= set(_copied())


def test_the_image_is_built_from_the_lock_with_the_uv_that_the_setup_uses() -> None:
    syncs = [rest for rest in _all(BUILD, "RUN") if rest.startswith("uv sync")]
    assert syncs
    assert all("--frozen" in rest and "--no-dev" in rest for rest in syncs)
    pinned = re.search(r'^UV = "([\d.]+)"$', (ROOT / ".ci/bootstrap.py").read_text(), re.MULTILINE)
    assert pinned is not None
    assert any(f"uv=={pinned[1]}" in rest for rest in _all(BUILD, "RUN"))


def test_the_final_stage_runs_as_a_number_that_is_not_root_from_its_first_command_to_its_last() -> None:
    (user,) = _all(FINAL, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    names = [name for name, _ in FINAL]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]


def test_the_final_stage_brings_no_tool_that_installs_or_builds() -> None:
    (removal,) = _all(FINAL, "RUN")
    for gone in ("ensurepip", "site-packages/*", "bin/pip*"):
        assert gone in removal
    assert "apt-get" not in removal
    assert [rest for rest in _all(FINAL, "COPY") if not rest.startswith("--from=build")] == []
    assert FINAL[0][1] == BUILD[0][1].removesuffix(" AS build")


def test_the_process_writes_to_its_volume_only() -> None:
    environment = _environment(FINAL)
    (volume,) = _all(FINAL, "VOLUME")
    assert environment["WATCHKEEPER_DATA_DIR"] == environment["HOME"] == volume == "/data"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert _all(FINAL, "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(_all(FINAL, "ENTRYPOINT")[0]) + json.loads(_all(FINAL, "CMD")[0]) == ["watchkeeper", "serve"]


def test_the_settings_of_the_image_are_good_ones() -> None:
    environment = {name: value for name, value in _environment(FINAL).items() if name.startswith(settings.PREFIX)}
    assert set(environment) <= {settings.variable(field) for field in settings.Settings.model_fields}
    assert settings.load(environment).listen_port == int(_all(FINAL, "EXPOSE")[0])


def test_the_health_check_is_python_that_asks_healthz() -> None:
    (check,) = _all(FINAL, "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    ast.parse(command[2])
    assert "/healthz" in command[2]


# --- Slack

SCOPES: dict[str, frozenset[str]] = {
    "apps.connections.open": frozenset(),  # the app-level token's scope, not the bot's
    "auth.test": frozenset(),
    "chat.delete": frozenset({"chat:write"}),
    "chat.getPermalink": frozenset(),
    "chat.postEphemeral": frozenset({"chat:write"}),
    "chat.postMessage": frozenset({"chat:write"}),
    "chat.update": frozenset({"chat:write"}),
    "conversations.history": frozenset({"channels:history", "groups:history"}),
    "conversations.info": frozenset({"channels:read", "groups:read"}),
    "conversations.list": frozenset({"channels:read", "groups:read"}),
    "conversations.members": frozenset({"channels:read", "groups:read"}),
    "conversations.open": frozenset({"im:write"}),
    "conversations.replies": frozenset({"channels:history", "groups:history"}),
    "files.completeUploadExternal": frozenset({"files:write"}),
    "files.getUploadURLExternal": frozenset({"files:write"}),
    "usergroups.users.list": frozenset({"usergroups:read"}),
    "users.info": frozenset({"users:read"}),
    "views.open": frozenset(),
    "views.publish": frozenset(),
    "views.update": frozenset(),
}
"""Web API method → bot scopes for public and private channels, from https://docs.slack.dev/reference/methods."""

_UPLOADS = {"files_upload_v2", "files_upload"}


def _methods_called() -> set[str]:
    """Web API methods that the publisher's code calls, by the SDK's attribute (`chat_postMessage`)."""
    known = {name.replace(".", "_"): name for name in SCOPES}
    families = tuple({name.split(".")[0] + "_" for name in SCOPES})
    called: set[str] = set()
    for path in (ROOT / "bot/slack").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith(families):
                if node.attr in _UPLOADS:
                    called.add("files.completeUploadExternal")
                else:
                    called.add(known[node.attr])
    return called


def test_the_scopes_are_exactly_what_the_called_methods_need() -> None:
    needed = {"commands", "app_mentions:read"} | {scope for method in _methods_called() for scope in SCOPES[method]}
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed
    assert set(MANIFEST["oauth_config"]["scopes"]) == {"bot"}


def test_the_manifest_turns_on_what_the_doors_listen_to() -> None:
    chosen = MANIFEST["settings"]
    assert chosen["socket_mode_enabled"]
    assert chosen["interactivity"] == {"is_enabled": True}
    assert chosen["event_subscriptions"]["bot_events"] == ["app_home_opened", "app_mention"]
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"]
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == "/watch"
    assert command["usage_hint"]
    listened = "\n".join(path.read_text() for path in (ROOT / "handlers").glob("*.py"))
    assert '"/watch"' in listened
    assert '"app_home_opened"' in listened
    assert '"app_mention"' in listened


def test_the_manifest_keeps_slacks_limits() -> None:
    # https://docs.slack.dev/reference/app-manifest
    shown = MANIFEST["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    assert re.fullmatch(r"#[0-9a-f]{6}", shown["background_color"])
    assert len(MANIFEST["features"]["bot_user"]["display_name"]) <= 80


# --- the cluster


def _named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in ROLES if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return dict(found)


def _granted(role: str) -> set[tuple[str, str, str]]:
    """(group, resource, verb)"""
    return {
        (group, resource, verb)
        for rule in _named("ClusterRole", role)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_reader_may_see_exactly_what_is_read_and_change_nothing() -> None:
    lists = {
        (each.group, each.plural, verb)
        for each in resources.RESOURCES.values()
        for verb in ("get", "list", "watch")
        if each.kind not in {"Secret", "ConfigMap", "ControllerRevision", "LimitRange", "PodMetrics"}
    }
    lists |= {("metrics.k8s.io", "pods", verb) for verb in ("get", "list")}
    lists |= {("", "configmaps", "get"), ("apps", "controllerrevisions", "list"), ("", "limitranges", "list")}
    assert _granted("watchkeeper-reader") == lists | {("", "pods/log", "get")}


def test_the_writer_may_do_exactly_what_the_catalogue_does() -> None:
    changes = {each for each in _granted("watchkeeper-writer") if each[2] not in {"get", "list", "watch"}}
    assert changes == {
        ("apps", "deployments", "patch"),
        ("apps", "statefulsets", "patch"),
        ("apps", "daemonsets", "patch"),
        ("apps", "deployments/scale", "patch"),
        ("apps", "statefulsets/scale", "patch"),
        ("", "pods", "delete"),
        ("", "pods/eviction", "create"),
        ("", "pods/resize", "patch"),
        ("autoscaling", "horizontalpodautoscalers", "patch"),
    }


MORE = {
    "watchkeeper-writer-jobs": {
        *(("batch", "cronjobs", verb) for verb in ("get", "patch")),
        *(("batch", "jobs", verb) for verb in ("get", "list", "create", "delete")),
    },
    "watchkeeper-writer-nodes": {("", "nodes", verb) for verb in ("get", "list", "patch")},
    "watchkeeper-writer-finalizers": {
        *(("", kind, verb) for kind in ("pods", "persistentvolumeclaims", "services") for verb in ("get", "patch")),
        *(("batch", kind, verb) for kind in ("jobs", "cronjobs") for verb in ("get", "patch")),
        *(("networking.k8s.io", "ingresses", verb) for verb in ("get", "patch")),
        ("apps", "replicasets", "patch"),
    },
    "watchkeeper-writer-exec": {("", "pods/exec", "get"), ("", "pods/exec", "create")},
}


@pytest.mark.parametrize("role", MORE)
def test_what_only_some_want_is_a_role_of_its_own_that_nobody_has(role: str) -> None:
    assert _granted(role) == MORE[role]
    bindings = [each for each in ROLES if each["kind"].endswith("RoleBinding")]
    assert role not in {each["roleRef"]["name"] for each in bindings}
    text = (ROOT / "deploy/rbac.yaml").read_text()
    assert f"--clusterrole={role} --serviceaccount=watchkeeper:watchkeeper-writer" in text


@pytest.mark.parametrize("name", sorted(catalogue.REMEDIES))
def test_every_action_can_be_done_with_the_roles_that_are_said_for_it(name: str) -> None:
    example = examples.EXAMPLES[name]
    plan = catalogue.plan(example.action, example.target, raw.NOW)
    needed = {(each.group, each.resource, each.verb) for each in rights.needed(example.action, plan.operations)}
    lacking = needed - _granted("watchkeeper-writer")
    page = (ROOT / "docs/actions.md").read_text()
    said = {role for role in MORE if f"`{name}`" in page.partition(f"- `{role}`")[2].partition("\n")[0]}
    assert (said != set()) == bool(lacking)
    assert lacking <= {right for role in said for right in MORE[role]}


def test_the_writer_reads_no_more_than_the_reader() -> None:
    reads = {each for each in _granted("watchkeeper-writer") if each[2] in {"get", "list", "watch"}}
    assert reads < _granted("watchkeeper-reader")
    assert not {resource for _, resource, _ in reads} & {"pods/log", "events", "nodes"}


@pytest.mark.parametrize(
    ("role", "verb"), [("watchkeeper-certificates", "list"), ("watchkeeper-secret-changes", "get")]
)
def test_who_may_read_secrets_may_do_nothing_else_and_nobody_is_who_was_not_told_to(role: str, verb: str) -> None:
    assert _granted(role) == {("", "secrets", verb)}
    bindings = [each for each in ROLES if each["kind"].endswith("RoleBinding")]
    assert role not in {each["roleRef"]["name"] for each in bindings}
    text = (ROOT / "deploy/rbac.yaml").read_text()
    assert f"--clusterrole={role} --serviceaccount=watchkeeper:watchkeeper-reader" in text


EVICTING = ("watchkeeper-writer", "watchkeeper-approver")


def test_nobody_may_see_a_secret_or_everything_of_anything() -> None:
    roles = [each for each in ROLES if each["kind"].endswith("Role")]
    told = {"watchkeeper-certificates", "watchkeeper-secret-changes"}
    for role in (each["metadata"]["name"] for each in roles if each["metadata"]["name"] not in told):
        for group, resource, verb in _granted(role):
            assert "*" not in (group, resource, verb)
            assert resource not in {"secrets", "pods/portforward", "serviceaccounts/token"}
            assert resource != "pods/exec" or role == "watchkeeper-writer-exec"
            assert resource != "configmaps" or (role, verb) == ("watchkeeper-reader", "get")
            assert verb not in {"impersonate", "escalate", "bind", "update", "deletecollection"}
            running = ("watchkeeper-writer-exec", "pods/exec")
            made = {running, ("watchkeeper-writer-jobs", "jobs"), *((each, "pods/eviction") for each in EVICTING)}
            assert verb != "create" or (role, resource) in made


def test_every_role_is_bound_to_its_own_account() -> None:
    for name in ("watchkeeper-reader", "watchkeeper-writer"):
        binding = _named("ClusterRoleBinding", name)
        assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        account = _named("ServiceAccount", name)
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": name, "namespace": account["metadata"]["namespace"]}
        ]


def test_the_writers_kubeconfig_is_one_and_uses_the_writers_token() -> None:
    config = yaml.safe_load(_named("ConfigMap", "watchkeeper-writer-kubeconfig")["data"]["writer.yaml"])
    (context,) = config["contexts"]
    assert config["current-context"] == context["name"]
    assert context["context"]["cluster"] in {each["name"] for each in config["clusters"]}
    (user,) = config["users"]
    assert context["context"]["user"] == user["name"] == "watchkeeper-writer"
    assert user["user"]["tokenFile"].endswith("/token")
    secret = _named("Secret", "watchkeeper-writer-token")
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.name"] == "watchkeeper-writer"
    assert "data" not in secret
    assert "stringData" not in secret


def test_the_comments_name_settings_that_there_are() -> None:
    known = {settings.variable(field) for field in settings.Settings.model_fields}
    for path in (ROOT / "deploy").iterdir():
        assert set(re.findall(r"WATCHKEEPER_[A-Z_]+", path.read_text())) <= known, path.name


def test_the_default_schedules_are_good_ones() -> None:
    chosen = settings.Settings()
    assert formats.cron_fault(chosen.sweep_schedule) == formats.cron_fault(chosen.report_schedule) == ""
