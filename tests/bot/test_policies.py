"""The policy file: read whole or not at all, every fault with its line, and merged with the settings."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from bot import __main__ as cli
from bot import errors, parts, policies, settings, telling
from k8s import catalogue, guardrails, model, policy, policy_words
from tests.k8s import raw

PAGE = (Path(__file__).parents[2] / "docs/policy.md").read_text()
(EXAMPLE,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("POLICY_FILE", "APPROVERS", "PROTECTED_NAMESPACES", "READ_ONLY"):
        monkeypatch.delenv(settings.PREFIX + name, raising=False)


def good(text: str) -> policy.Policy:
    found, faults = policies.parse(text, "p.yaml")
    assert faults == ()
    assert found is not None
    return found


def faults(text: str) -> list[str]:
    found, wrong = policies.parse(text, "p.yaml")
    assert found is None
    assert wrong
    return [str(fault) for fault in wrong]


# --- the page


def test_the_example_of_the_page_is_a_policy_and_means_what_it_says() -> None:
    rules = good(EXAMPLE)
    assert rules.tiers.high == policy.Tier(
        approvers=(policy.Approvers(channels=("C0789EFGH",)),),
        approvals=2,
        self_approval=False,
        reason_required=True,
    )
    assert rules.tiers.medium.approvers == (policy.Approvers(users=("U0456",), groups=("S0123ABCD",)),)
    assert rules.tiers.low.approvers == (policy.Approvers(users=("*",)),)
    databases = next(rule for rule in rules.rules if rule.name == "no databases")
    assert (databases.effect, databases.kinds, databases.labels) == ("deny", ("StatefulSet",), ("team=db",))
    line = EXAMPLE[: EXAMPLE.index("- name: no databases")].count("\n") + 1
    assert databases.source == f"p.yaml:{line}"
    weekend, year = sorted(rules.freezes, key=lambda one: one.name, reverse=True)
    assert (weekend.duration, weekend.zone, weekend.stops_undo) == (timedelta(hours=62), "Europe/Berlin", False)
    assert (year.since, year.until) == (
        datetime(2026, 12, 19, 23, tzinfo=UTC),
        datetime(2027, 1, 2, 7, tzinfo=UTC),
    )
    assert year.stops_undo
    assert rules.gitops == policy.Gitops(argocd="advise", flux="refuse", helm="warn")
    assert rules.autonomous == policy.Autonomous(enabled=True, listed=(("scale", "set-autoscaler"),))
    assert rules.production == (policy.Places(clusters=("prod-*",), namespaces=("payments",)),)
    assert rules.rulesets[0].default == "deny"
    shown = "\n".join(line for part in policy_words.told(rules, NOW) for line in part.lines)
    assert "Whatever no rule allows is denied." in shown


def test_the_page_tells_every_key_of_the_file() -> None:
    told = set(re.findall(r"`([a-z_]+)[`:]", PAGE))
    forms = (
        *(policies._File, policies._Rule, policies._Tier, policies._Limits, policies._Freeze, policies._Gitops),
        *(policies._Autonomous, policies._Record),
    )
    keys = {info.alias or name for form in forms for name, info in form.model_fields.items()}
    assert keys <= told


def test_the_page_says_how_the_limits_are_shipped() -> None:
    shipped = good(EXAMPLE)
    for field in ("cooldown", "hourly_limit", "cluster_hourly_limit", "max_replicas", "max_scale_factor"):
        assert getattr(shipped, field) == getattr(policy.Policy(), field)


# --- the form of the file


def test_a_version_is_a_whole_policy_that_asks_for_everything() -> None:
    found = good("version: 1\n")
    assert found.rulesets == (policy.Ruleset(source="p.yaml"),)
    assert found.tiers == policy.Policy().tiers
    assert found.protected_namespaces == ()


FAULTS = [
    ("", "1: this is no policy: begin with `version: 1`"),
    ("- a", "1: this is no policy"),
    ("version: [", "1: this is not YAML"),
    ("default: ask", "1: `version` is missing: add it (`version: 1`)"),
    ("version: 2", "1: `version` is none of the words that it can be: write 1"),
    ("version: '1'", "1: `version` is none of the words"),
    ("version: 1\nversion: 1", "2: `version` is written twice: write it once"),
    ("version: 1\nallow: &a []\ndeny: *a", "3: aliases (`*name`) are not read: write it out"),
    ("version: 1\ndefualt: deny", "2: `defualt` is no key here (did you mean `default`?)"),
    ("version: 1\ndefault: denied", "2: `default` is none of the words that it can be: write 'ask' or 'deny'"),
    ("version: 1\ntiers:\n  hihg: {}", "3: `hihg` is no key here (did you mean `high`?)"),
    ("version: 1\ntiers:\n  low:\n    approvals: 0", "4: `approvals` is out of bounds: it is less than it may be (1)"),
    ("version: 1\ntiers:\n  low:\n    approvals: yes", "4: `approvals` is wrong: write a whole number"),
    ("version: 1\ntiers:\n  low:\n    self_approval: no", "4: `self_approval` is wrong: write true or false"),
    ("version: 1\ntiers:\n  low:\n    approvers: []", "4: `approvers` is wrong: it is an empty list"),
    ("version: 1\ntiers:\n  low:\n    approvers: [U012, '@ana']", "4: `approvers` is wrong: it is no Slack id"),
    ("version: 1\ntiers:\n  low:\n    approver: U012", "4: `approver` is no key here (did you mean `approvers`?)"),
    ("version: 1\ndeny:\n  - actions: scale", "3: `name` is missing: add it"),
    ("version: 1\ndeny:\n  - name: a", "3: the rule is about nothing: add actions"),
    ("version: 1\ndeny:\n  - name: a\n    actions: [scael]", "4: `actions` is wrong: there is no such action: did you"),
    ("version: 1\ndeny:\n  - name: a\n    actions: [shell-*]", "4: `actions` is wrong: there is no such action"),
    ("version: 1\ndeny:\n  - name: a\n    kinds: deployment", "it is no kind: did you mean Deployment?"),
    ("version: 1\ndeny:\n  - name: a\n    kinds: [Statefulset]", "did you mean StatefulSet?"),
    ("version: 1\ndeny:\n  - name: a\n    labels: 'a b'", "4: `labels` is wrong: part 1 is no requirement"),
    ("version: 1\ndeny:\n  - name: a\n    namespaces: ['a b']", "4: `namespaces` is wrong: it is no name or glob"),
    ("version: 1\ndeny:\n  - name: a\n    namespace: web", "4: `namespace` is no key here (did you"),
    ("version: 1\ndeny:\n  - {name: a, actions: '*'}\nallow:\n  - {name: a, actions: '*'}", "5: `name` a is taken"),
    ("version: 1\nlimits:\n  cooldown: 5y", "3: `cooldown` is wrong: it is not a duration such as 90s"),
    ("version: 1\nlimits:\n  cooldown: 2d", "3: `cooldown` is wrong: it is out of bounds: write 0s to 1d"),
    ("version: 1\nlimits:\n  max_replicas: '3'", "3: `max_replicas` is wrong: write a whole number"),
    ("version: 1\nlimits:\n  max_scale_factor: lots", "3: `max_scale_factor` is wrong: write a number"),
    ("version: 1\nproduction: {}", "2: it names neither clusters nor namespaces"),
    ("version: 1\nproduction: prod", "2: `production` is wrong: write keys with values"),
    ("version: 1\ngitops: wern", "2: `gitops` is wrong: write warn, advise, refuse, or one of them for each owner"),
    ("version: 1\nautonomous: true", "2: `autonomous` is wrong: write keys with values"),
    ("version: 1\nautonomous:\n  enable: true", "3: `enable` is no key here (did you mean `enabled`?)"),
    ("version: 1\nautonomous:\n  record:\n    help: 3", "4: `help` is no key here (did you mean `helped`?)"),
    ("version: 1\nautonomous:\n  enabled: yes", "3: `enabled` is wrong: write true or false"),
    ("version: 1\nautonomous:\n  delay: 10s", "3: `delay` is wrong: it is out of bounds: write 30s to 1h"),
    ("version: 1\nautonomous:\n  breaker: 0", "3: `breaker` is out of bounds: it is less than it may be (1)"),
    ("version: 1\ngitops:\n  argo: warn", "3: `argo` is no key here (did you mean `argocd`?)"),
    ("version: 1\nfreezes:\n  - name: a", "3: the freeze has no time: add `cron` and `duration`, or `until`"),
    ("version: 1\nfreezes:\n  - {name: a, cron: 0 1 * * *}", "3: the freeze has a `cron` and no `duration`"),
    ("version: 1\nfreezes:\n  - {name: a, duration: 1h}", "3: the freeze has a `duration` and no `cron`"),
    ("version: 1\nfreezes:\n  - {name: a, cron: 0 1 * * 1, duration: 1h}", "3: `cron` is wrong: the weekday must"),
    ("version: 1\nfreezes:\n  - {name: a, cron: 0 1 * * 1st mon, duration: 1h}", "3: `cron` is wrong: it has 6 parts"),
    ("version: 1\nfreezes:\n  - {name: a, cron: 0 1 last * *, duration: 1h}", "3: `cron` is wrong: it is no plain"),
    ("version: 1\nfreezes:\n  - {name: a, cron: 0 1 * * *, duration: 32d}", "3: `duration` is wrong: it is out"),
    ("version: 1\nfreezes:\n  - name: a\n    until: 2026-11-31", "4: `until` is wrong: it is no time"),
    ("version: 1\nfreezes:\n  - {name: a, from: 2026-02-01, until: 2026-01-01}", "3: the freeze ends before it begins"),
    ("version: 1\nfreezes:\n  - {name: a, until: 2026-02-01, timezone: Europe/Berln}", "did you mean Europe/Berlin?"),
    ("version: 1\nfreezes:\n  - {name: a, until: 2026-02-01, undo: no}", "write 'allowed' or 'stopped'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), FAULTS)
def test_a_fault_is_told_with_its_line_and_what_to_do(text: str, told: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith("p.yaml:")
    assert told in fault


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = "version: 1\ntiers:\n  low: {approvals: 9}\nfoo: 1\ndeny:\n  - name: a\ngitops: {helm: no}\n"
    assert [fault.split(":")[1] for fault in faults(text)] == ["3", "4", "6", "7"]


def test_a_file_that_is_too_long_or_nested_too_deeply_is_refused() -> None:
    assert "longer than" in faults("#" * (policies.MOST_CHARACTERS + 1))[0]
    assert "nested too deeply" in faults("version: 1\ndeny: " + "[" * 3000 + "]" * 3000)[0]


LEAVES = (
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(("ask", "deny", "U012", "prod-*", "5m", "x y"))
)
KEYS = st.sampled_from((
    *("version", "default", "deny", "allow", "tiers", "low", "high", "limits", "freezes", "gitops", "name", "actions"),
    *("cooldown", "approvers", "approvals", "cron", "duration", "until", "argocd", "clusters", "nonsense"),
))  # fmt: skip
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@runs(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_whatever_a_file_holds_it_is_a_policy_or_has_faults_with_lines(tree: dict[str, Any]) -> None:
    text = yaml.safe_dump(tree, sort_keys=False)
    found, wrong = policies.parse(text, "p.yaml")
    assert (found is None) == bool(wrong)
    assert all(1 <= fault.line <= text.count("\n") + 1 for fault in wrong)
    assert tree.get("version") == 1 or wrong


@runs(deadline=None, max_examples=60)
@given(
    st.sampled_from(("", "tiers:\n  low:\n", "limits:\n", "gitops:\n")), st.from_regex(r"[a-z]{3,12}", fullmatch=True)
)
def test_unknown_keys_are_errors_wherever_they_stand(where: str, key: str) -> None:
    known = {name for form in (policies._File, policies._Tier, policies._Limits, policies._Gitops)
             for name in form.model_fields}  # fmt: skip
    if key in known or key in ("low", "null", "true", "false", "yes", "off"):
        return
    indent = {"": "", "tiers:\n  low:\n": "    "}.get(where, "  ")
    (fault,) = faults(f"version: 1\n{where}{indent}{key}: 1\n")
    assert f"`{key}` is no key here" in fault


def test_comments_and_order_are_no_part_of_the_hash() -> None:
    one = "version: 1\ndeny:\n  - {name: a, kinds: [Pod, StatefulSet]}\n  - {name: b, actions: '*'}\n"
    other = "# mine\ndeny:\n  - name: b\n    actions: ['*']\n\n  - {kinds: [StatefulSet, Pod], name: a}\nversion: 1\n"
    assert good(one).hash == good(other).hash
    assert good(one.replace("name: b", "name: c")).hash != good(one).hash


# --- with the settings


def write(folder: Path, text: str = EXAMPLE) -> str:
    path = folder / "policy.yaml"
    path.write_text(text)
    return str(path)


def loaded(**environ: str) -> settings.Settings:
    return settings.load({settings.PREFIX + name: value for name, value in environ.items()})


def test_without_a_file_the_shipped_default_holds_with_the_settings() -> None:
    assert loaded(APPROVERS="U012", READ_ONLY="true").policy == policy.Policy(approvers=("U012",), read_only=True)
    assert parts.rules_of(loaded()).policy == policy.Policy()
    assert not policy.people(loaded().policy, "low")


def test_settings_hold_beside_the_file_and_the_stricter_wins(tmp_path: Path) -> None:
    chosen = loaded(
        POLICY_FILE=write(tmp_path), APPROVERS="U0456,U0457", PROTECTED_NAMESPACES="kube-system,mine", READ_ONLY="true"
    )
    rules = parts.rules_of(chosen).policy
    assert rules.read_only
    assert set(rules.protected_namespaces) == {"cert-manager", "*-vault", "kube-system", "mine"}
    assert policy.people(rules, "low") == frozenset({"U0456", "U0457"})
    assert policy.people(rules, "medium") == frozenset({"U0456"})
    assert rules.tiers == good(EXAMPLE).tiers
    file_alone = loaded(POLICY_FILE=write(tmp_path)).policy
    assert policy.people(file_alone, "low") is None
    assert file_alone.hash != rules.hash


def test_a_file_may_ask_for_less_than_the_shipped_default(tmp_path: Path) -> None:
    lax = "version: 1\ntiers: {high: {approvals: 1, reason_required: false}}\nlimits: {per_target_per_hour: 9}\n"
    rules = loaded(POLICY_FILE=write(tmp_path, lax)).policy
    assert (rules.tiers.high.approvals, rules.tiers.high.reason_required, rules.hourly_limit) == (1, False, 9)


def test_a_file_with_a_fault_or_none_to_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError) as raised:
        loaded(POLICY_FILE=write(tmp_path, "version: 1\nfoo: 1\n"), LISTEN_PORT="eighty")
    told = str(raised.value)
    assert "WATCHKEEPER_POLICY_FILE: policy.yaml:2: `foo` is no key here" in told
    assert "WATCHKEEPER_LISTEN_PORT" in told
    with pytest.raises(errors.ConfigurationError, match="WATCHKEEPER_POLICY_FILE: the file cannot be read"):
        loaded(POLICY_FILE=str(tmp_path / "none.yaml"))
    (tmp_path / "policy.yaml").write_bytes(b"version: 1\n\xff")
    with pytest.raises(errors.ConfigurationError, match="this is not UTF-8"):
        loaded(POLICY_FILE=str(tmp_path / "policy.yaml"))


def test_what_should_be_known_of_a_file_is_told_at_the_start(tmp_path: Path) -> None:
    told = "\n".join(telling.warnings(loaded(POLICY_FILE=write(tmp_path, "version: 1\n"))))
    assert "Nobody may approve what is of low risk." in told
    assert "Everyone in the Slack workspace may approve what is of low risk." in "\n".join(
        telling.warnings(loaded(POLICY_FILE=write(tmp_path)))
    )


def test_the_hash_of_the_file_is_in_every_permit(tmp_path: Path) -> None:
    text = "version: 1\ndefault: deny\nallow:\n  - {name: up, actions: scale}\ntiers:\n  low: {approvers: U012}\n"
    rules = loaded(POLICY_FILE=write(tmp_path, text)).policy
    action, target = model.Scale(raw.API, 5), raw.target(raw.workload())
    plan = catalogue.plan(action, target, raw.NOW)
    verdict = guardrails.judge(
        action, plan, target, subject=raw.API, policy=rules, history=guardrails.History(), mode="approve",
        now=raw.NOW, cluster="prod-eu",
    )  # fmt: skip
    assert verdict.rule == "allow rule up (policy.yaml:4)"
    permit = guardrails.permit(
        proposal="p", digest=verdict.digest, verdict=verdict, policy=rules, approvers=("U012",), now=raw.NOW,
        expires_at=raw.NOW + timedelta(minutes=5),
    )  # fmt: skip
    assert permit.policy == rules.hash
    changed = loaded(POLICY_FILE=write(tmp_path, text.replace("U012", "[U012, U013]"))).policy
    told = guardrails.check_permit(permit, proposal="p", digest=permit.digest, policy=changed, now=raw.NOW)
    assert told == "The policy has changed since the permit was given."


# --- the commands


def test_check_says_what_a_file_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "check", write(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith("policy.yaml is a policy. With the settings that hold here it means:")
    assert "Denied: every action on a StatefulSet with the labels `team=db` (rule no databases, policy.yaml:" in told
    assert "note: Everyone in the Slack workspace may approve what is of low risk." in told
    assert f"hash: {settings.load(policy_file=tmp_path / 'policy.yaml').policy.hash[:16]}" in told


def test_check_names_faults_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "check", write(tmp_path, "version: 1\nfoo: 1\ndefault: x\n")]) == 1
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("policy.yaml:2: `foo` is no key here")
    assert second.startswith("policy.yaml:3: `default` is none of the words")


def test_check_of_what_cannot_be_read_is_a_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "check", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_check_without_a_file_is_about_the_one_that_is_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["policy", "check"]) == 0
    assert "the shipped default holds" in capsys.readouterr().out
    monkeypatch.setenv("WATCHKEEPER_POLICY_FILE", write(tmp_path, "version: 3\n"))
    assert cli.main(["policy", "check"]) == 1
    assert "policy.yaml:1: `version`" in capsys.readouterr().out
    assert cli.main(["policy", "show"]) == 2


def test_show_tells_what_holds_for_people_and_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_POLICY_FILE", write(tmp_path))
    assert cli.main(["policy", "show"]) == 0
    assert "Whatever no rule allows is denied." in capsys.readouterr().out
    assert cli.main(["policy", "show", "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    held = settings.load().policy
    assert (shown["hash"], shown["file"]) == (held.hash, str(tmp_path / "policy.yaml"))
    assert shown["policy"] == policy.canonical(held)
