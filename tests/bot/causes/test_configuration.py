"""What a pod refers to and does not get: undone where a rollout began to ask for it, else to be created."""

from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_a_missing_object_that_the_rollout_began_to_ask_for_is_undone() -> None:
    found = diagnosing.diagnose(
        d.problem("ConfigError", facts={"missing": 'ConfigMap "app-settings"'}),
        d.dossier("status", "events", "rollout", facts=d.rolled_out("env from ConfigMap app-settings added")),
        d.NOW,
    )
    assert (found.confidence, d.actions(found)) == ("high", [model.RolloutUndo(d.API, 3)])


def test_a_missing_object_without_a_rollout_is_to_be_created() -> None:
    found = diagnosing.diagnose(d.problem("ConfigError", facts={"missing": 'Secret "db"'}), d.dossier("events"), d.NOW)
    assert d.actions(found) == []
    assert 'Create Secret "db"' in found.next_step


def test_a_volume_that_the_rollout_began_to_ask_for_is_undone() -> None:
    facts = {"class": "missing", "missing": "ConfigMap web-settings", "missing_name": "web-settings"}
    shown = d.problem("StuckCreating", facts=facts)
    diff = d.rolled_out("volume settings from ConfigMap web-settings added")
    found = diagnosing.diagnose(shown, d.dossier("events", "rollout", facts=diff), d.NOW)
    assert (found.confidence, d.actions(found)) == ("high", [model.RolloutUndo(d.API, 3)])
    assert "volume settings from ConfigMap web-settings added" in found.cause
    other = diagnosing.diagnose(shown, d.dossier("events", "rollout", facts=d.rolled_out("image: a → b")), d.NOW)
    assert d.actions(other) == []
    assert other.next_step.startswith("Create it")
