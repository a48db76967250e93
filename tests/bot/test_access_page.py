"""`watchkeeper rbac`: YAML that kubectl takes, exactly what deploy/rbac.yaml ships for the shipped policy."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bot import __main__ as cli
from bot import access_page, settings
from k8s import access, policy

DEPLOY = Path(__file__).parents[2] / "deploy/rbac.yaml"
OPEN = policy.Policy()
DENYING = """\
version: 1
default: deny
deny:
  - {name: no jobs, actions: ["*-job", "*cronjob"]}
allow:
  - {name: ours, actions: [scale, delete-pod], namespaces: [shop, payments]}
"""
LISTING = "version: 1\ncommands:\n  - {name: look, argv: [ls]}\n"
Documents = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("POLICY_FILE", "APPROVERS", "PROTECTED_NAMESPACES", "READ_ONLY"):
        monkeypatch.delenv(settings.PREFIX + name, raising=False)


def documents(text: str) -> Documents:
    return [each for each in yaml.safe_load_all(text) if each]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Documents:
    assert cli.main(["rbac", *arguments]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    return documents(out.out)


def write(folder: Path, text: str = DENYING) -> str:
    path = folder / "policy.yaml"
    path.write_text(text)
    return str(path)


def granted(found: Documents, *prefixes: str) -> set[access.Key]:
    return {
        (group, resource, verb)
        for each in found
        if each["kind"] in ("Role", "ClusterRole") and each["metadata"]["name"].startswith(prefixes)
        for rule in each["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def named(found: Documents, kind: str) -> set[tuple[str, str]]:
    listed = (each["metadata"] for each in found if each["kind"] == kind)
    return {(each["name"], each.get("namespace", "")) for each in listed}


@pytest.mark.parametrize("identity", ["watchkeeper-reader", "watchkeeper-writer"])
def test_for_the_shipped_policy_it_is_what_is_shipped(
    identity: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The right to run commands is printed where the policy lists some: the shipped one lists none."""
    shipped = granted(documents(DEPLOY.read_text()), identity)
    commands = granted(documents(DEPLOY.read_text()), "watchkeeper-writer-exec")
    assert {resource for _, resource, _ in commands} == {"pods/exec"}
    assert granted(printed(capsys), identity) == shipped - commands != set()
    assert granted(printed(capsys, "--policy", write(tmp_path, LISTING)), identity) == shipped


def test_every_role_is_bound_to_its_own_account_in_its_own_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ((), ("--policy", write(tmp_path)), ("--namespaces", "shop,web", "--impersonate", "ann")):
        found = printed(capsys, *arguments)
        accounts = named(found, "ServiceAccount")
        assert accounts == {("watchkeeper-reader", "watchkeeper"), ("watchkeeper-writer", "watchkeeper")}
        for kind in ("Role", "ClusterRole"):
            assert named(found, kind) == named(found, f"{kind}Binding")
        for each in found:
            if each["kind"].endswith("Binding"):
                name, role = each["metadata"]["name"], each["kind"].removesuffix("Binding")
                owner = "watchkeeper-reader" if name == "watchkeeper-reader" else "watchkeeper-writer"
                assert each["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name}
                subject = {"kind": "ServiceAccount", "name": owner, "namespace": "watchkeeper"}
                assert each["subjects"] == [subject]
        labelled = [each for each in found if each["kind"] != "Namespace"]
        assert {each["metadata"]["labels"][access_page.LABEL] for each in labelled} == {"watchkeeper"}


def test_a_policy_of_named_namespaces_gives_roles_in_these(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "--policy", write(tmp_path))
    assert named(found, "Role") == {("watchkeeper-writer", "payments"), ("watchkeeper-writer", "shop")}
    assert named(found, "ClusterRole") == {("watchkeeper-reader", "")}
    cli.main(["rbac", "--policy", write(tmp_path)])
    head = " ".join(capsys.readouterr().out.partition("apiVersion")[0].replace("# ", "").split())
    assert "Left out, as the policy never allows it here: rollout-restart, rollout-undo, rollout-pause," in head


def test_the_settings_hold_beside_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_POLICY_FILE", write(tmp_path))
    monkeypatch.setenv("WATCHKEEPER_PROTECTED_NAMESPACES", "shop")
    assert named(printed(capsys), "Role") == {("watchkeeper-writer", "payments")}
    monkeypatch.setenv("WATCHKEEPER_READ_ONLY", "true")
    found = printed(capsys, "--impersonate", "ann")
    assert named(found, "ServiceAccount") == {("watchkeeper-reader", "watchkeeper")}
    assert named(found, "Role") == set()


def test_names_are_written_so_that_they_stay_text(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "--namespaces", "on, 123,no", "--name-prefix", "y", "--impersonate", "ann@x.org,group:1e3")
    assert {space for _, space in named(found, "Role")} == {"on", "123", "no"}
    (role,) = [each for each in found if each["metadata"]["name"] == "y-impersonator" and each["kind"] == "ClusterRole"]
    assert [each["resourceNames"] for each in role["rules"]] == [["ann@x.org"], ["1e3"]]
    for name in ("true", "null", "1.5", "a: b", 'say "x"', "ünï", "-", "#x", "[a]"):
        text = access_page.text(OPEN, access_page.Wanted(impersonated=(name,)))
        rules = [rule for each in documents(text) for rule in each.get("rules", ()) if "resourceNames" in rule]
        assert [each["resourceNames"] for each in rules] == [[name]]


def test_each_rule_of_the_writer_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["rbac"])
    text = capsys.readouterr().out
    assert '  # evict-pod, drain\n  - apiGroups: [""]\n    resources: [pods/eviction]\n    verbs: [create]\n' in text
    assert "  # what limits an action: " in text
    assert max(map(len, text.splitlines())) <= 120


def test_nothing_of_the_file_itself_is_printed() -> None:
    rule = policy.Rule(effect="deny", name="x\nkind: ClusterRoleBinding", why="\n---\n", source="a\n---\nb:1")
    rules = msgspec.structs.replace(OPEN, rulesets=(policy.Ruleset(rules=(rule,), source="c\n---\n"),))
    assert named(documents(access_page.text(rules, access_page.Wanted())), "ClusterRole") == {
        ("watchkeeper-reader", "")
    }


# --- exit codes


def test_a_file_with_faults_prints_no_role(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rbac", "--policy", write(tmp_path, "version: 1\nfoo: 1\n")]) == 1
    out = capsys.readouterr()
    assert out.out == ""
    assert "policy.yaml:2: `foo` is no key here" in out.err


def test_what_cannot_be_read_is_a_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rbac", "--policy", str(tmp_path / "none.yaml")]) == 2
    out = capsys.readouterr()
    assert (out.out, "cannot be read" in out.err) == ("", True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--namespaces", "team-*"), "'team-*' is no namespace"),
        (("--namespaces", " , "), "is no namespace"),
        (("--name-prefix", "Watch Keeper"), "is no prefix"),
        (("--name-prefix", "a" * 41), "is no prefix"),
        (("--impersonate", "system:admin"), "is nobody to be named"),
        (("--impersonate", "ann,group:system:masters"), "is nobody to be named"),
        (("--impersonate", "*"), "is nobody to be named"),
        (("--impersonate", "group:"), "is nobody to be named"),
        (("--impersonate", ","), "is nobody to be named"),
    ],
)
def test_wrong_arguments_are_a_2_and_say_what_to_write(
    arguments: tuple[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rbac", *arguments])
    out = capsys.readouterr()
    assert (ended.value.code, out.out, told in out.err) == (2, "", True)
