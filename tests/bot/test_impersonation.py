"""The impersonation file: who is who, or every fault with its line; and its setting, and `watchkeeper rbac` for it."""

from pathlib import Path

import pytest
import yaml

from bot import __main__ as cli
from bot import errors, impersonation, settings
from k8s import guardrails, model

GOOD = """\
version: 1
people:
  U0ANA:
    user: ana@example.com
    groups: [oncall, "CN=sre,OU=ops"]
  U0BEN: {user: ben@example.com}
"""
ANA = model.Identity("ana@example.com", ("oncall", "CN=sre,OU=ops"))


def faults(text: str) -> list[str]:
    found, wrong = impersonation.parse(text, "who.yaml")
    assert wrong
    assert found == guardrails.NO_IDENTITIES, "with a fault nobody is anybody"
    return list(map(str, wrong))


def test_people_have_a_user_and_groups_and_are_required_unless_told() -> None:
    found, wrong = impersonation.parse(GOOD, "who.yaml")
    assert wrong == ()
    assert found == guardrails.Identities({"U0ANA": ANA, "U0BEN": model.Identity("ben@example.com")}, required=True)
    assert not impersonation.parse(f"required: false\n{GOOD}", "who.yaml")[0].required


@pytest.mark.parametrize("name", ["system:admin", "System:masters", "system:serviceaccount:a:b"])
@pytest.mark.parametrize("key", ["user", "groups"])
def test_the_clusters_own_names_are_refused(name: str, key: str) -> None:
    entry = f"user: '{name}'" if key == "user" else f"user: ana, groups: ['{name}']"
    (told,) = faults(f"version: 1\npeople:\n  U0ANA: {{{entry}}}\n")
    assert told.startswith("who.yaml:3: ")
    assert "the cluster's own" in told


@pytest.mark.parametrize("name", ["*", "sre-*", "", " ana", "ana\\n", "änne", "a" * 254])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert faults(f'version: 1\npeople:\n  U0ANA: {{user: "{name}"}}\n')[0].startswith("who.yaml:3: `user` is wrong: ")
    assert faults(f'version: 1\npeople:\n  U0ANA: {{user: a, groups: [b, "{name}"]}}\n')[0].startswith(
        "who.yaml:3: `gr"
    )


def test_every_fault_is_told_with_its_line_at_once() -> None:
    text = (
        "version: 2\nrequird: true\nrequired: maybe\npeople:\n  ana: {user: a}\n  U0BEN:\n    name: ben\n  U0CY: cy\n"
    )
    assert [told.partition(" (")[0] for told in faults(text)] == [
        "who.yaml:1: `version` is missing or unknown: write `version: 1`",
        "who.yaml:2: `requird` is no key here",
        "who.yaml:3: `required` is wrong: write true or false",
        "who.yaml:5: `ana` is no Slack user id: write one such as U0123456789",
        "who.yaml:6: `user` is wrong: write a text, such as ann@example.com",
        "who.yaml:7: `name` is no key here",
        "who.yaml:8: `U0CY` is wrong: write `user: ann@example.com` below it",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "this is no impersonation file"),
        ("- a", "this is no impersonation file"),
        ("version: 1", "`people` names nobody"),
        ("version: 1\npeople: {}", "`people` names nobody"),
        ("version: 1\npeople: {U0ANA: {user: a}, U0ANA: {user: b}}", "written twice"),
        ("version: 1\npeople: {U0ANA: &a {user: a}, U0BEN: *a}", "aliases"),
        ("version: 1\npeople: {U0ANA: {user: a, groups: []}}", "`groups` is wrong"),
        ("version: 1\npeople: {U0ANA: {user: 12}}", "`user` is wrong: write a text"),
        ("version: true\npeople: {U0ANA: {user: a}}", "`version` is missing"),
        ("version: [", "this is not YAML"),
        ("a" * 300_000, "longer than"),
    ],
)
def test_what_is_no_such_file_is_told(text: str, told: str) -> None:
    assert told in faults(text)[0]


def test_the_setting_is_read_at_the_start_and_its_faults_are_named_with_the_others(tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text(GOOD)
    environ = {"HOME": str(tmp_path), "WATCHKEEPER_IMPERSONATION_FILE": str(file)}
    assert settings.load(environ).identities.of("U0ANA") == ANA
    assert settings.load({"HOME": str(tmp_path)}).identities == guardrails.NO_IDENTITIES
    file.write_text("version: 1\npeople: {U0ANA: {user: 'system:admin'}}")
    with pytest.raises(errors.ConfigurationError) as failed:
        settings.load(environ | {"WATCHKEEPER_LEASE": "long"})
    told = str(failed.value)
    assert "WATCHKEEPER_IMPERSONATION_FILE: who.yaml:2: " in told
    assert "WATCHKEEPER_LEASE" in told
    with pytest.raises(errors.ConfigurationError, match="cannot be read"):
        settings.load(environ | {"WATCHKEEPER_IMPERSONATION_FILE": str(tmp_path / "gone")})


def test_the_role_names_exactly_who_is_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "who.yaml"
    file.write_text(GOOD)
    assert cli.main(["rbac", "--impersonation-file", str(file)]) == 0
    printed = [each for each in yaml.safe_load_all(capsys.readouterr().out) if each]
    (role,) = [
        each
        for each in printed
        if each["kind"] == "ClusterRole" and each["metadata"]["name"] == "watchkeeper-impersonator"
    ]
    assert {(rule["resources"][0], *rule["resourceNames"]) for rule in role["rules"]} == {
        ("users", "ana@example.com", "ben@example.com"),
        ("groups", "oncall", "CN=sre,OU=ops"),
    }
    assert {tuple(rule["verbs"]) for rule in role["rules"]} == {("impersonate",)}
    file.write_text("version: 1")
    assert cli.main(["rbac", "--impersonation-file", str(file)]) == 1
    failed = capsys.readouterr()
    assert failed.out == ""
    assert "who.yaml:1: `people` names nobody" in failed.err
