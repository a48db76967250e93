"""Settings: what is read, how faults are told, and that no secret is."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from bot import errors, formats, parts, settings, telling
from k8s import detection

BOT_TOKEN = "xoxb-1111-not-a-real-token"
SERVING = {
    "WATCHKEEPER_SLACK_BOT_TOKEN": BOT_TOKEN,
    "WATCHKEEPER_SLACK_APP_TOKEN": "xapp-1-not-a-real-token",
    "WATCHKEEPER_DEFAULT_CHANNEL": "#oncall",
}
SECRETS = {
    "WATCHKEEPER_SLACK_BOT_TOKEN": "hunter2-one",
    "WATCHKEEPER_SLACK_APP_TOKEN": "hunter2-two",
    "WATCHKEEPER_SLACK_SIGNING_SECRET": "hunter2 three",
    "DATABASE_URL": "mysql://root:hunter2-four@db/x",
}


def _faults(environ: dict[str, str], purpose: settings.Purpose = "look") -> list[str]:
    with pytest.raises(errors.ConfigurationError) as raised:
        settings.load(environ, purpose=purpose)
    assert str(raised.value) == "\n".join(raised.value.faults)
    return list(raised.value.faults)


def test_an_empty_environment_is_enough_for_a_sweep() -> None:
    loaded = settings.load({})
    assert loaded.listen_host == "127.0.0.1"
    assert loaded.slack_api_url == "https://slack.com/api/"
    assert loaded.proposal_ttl == timedelta(minutes=15)
    assert loaded.approvers == ()
    assert not loaded.read_only
    assert loaded.model_fields_set == set()


def test_serving_names_every_missing_token_at_once_and_how_to_get_it() -> None:
    assert _faults({}, "serve") == [
        (
            "WATCHKEEPER_SLACK_BOT_TOKEN is missing: set it to the Bot User OAuth Token (xoxb-…) of your Slack app: "
            "OAuth & Permissions"
        ),
        (
            "WATCHKEEPER_SLACK_APP_TOKEN is missing: set it to an App-Level Token (xapp-…) with the scope "
            "connections:write: Basic Information of your Slack app"
        ),
        (
            "WATCHKEEPER_DEFAULT_CHANNEL is missing: set it to the channel for incidents: an id such as C0123456789, "
            "or a name such as #oncall, or WATCHKEEPER_DEFAULT_WATCH to false and use /watch add"
        ),
    ]


def test_serving_over_http_needs_the_signing_secret_and_no_app_token() -> None:
    environ = SERVING | {"WATCHKEEPER_SLACK_MODE": "http", "WATCHKEEPER_SLACK_APP_TOKEN": ""}
    (fault,) = _faults(environ, "serve")
    assert fault.startswith("WATCHKEEPER_SLACK_SIGNING_SECRET is missing")
    complete = environ | {"WATCHKEEPER_SLACK_SIGNING_SECRET": "0123456789abcdef"}
    assert settings.load(complete, purpose="serve").slack_mode == "http"


def test_no_channel_is_needed_where_there_is_no_default_watch() -> None:
    environ = SERVING | {"WATCHKEEPER_DEFAULT_CHANNEL": "", "WATCHKEEPER_DEFAULT_WATCH": "false"}
    assert settings.load(environ, purpose="serve").default_channel == ""


def test_a_malformed_setting_is_not_also_told_as_missing() -> None:
    faults = _faults(
        SERVING | {"WATCHKEEPER_SLACK_BOT_TOKEN": "abc", "WATCHKEEPER_SLACK_MODE": "carrier pigeon"}, "serve"
    )
    assert [fault.split()[0] for fault in faults] == ["WATCHKEEPER_SLACK_BOT_TOKEN", "WATCHKEEPER_SLACK_MODE"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SLACK_BOT_TOKEN", "xapp-1-abcd", "it does not begin with xoxb-"),
        ("SLACK_APP_TOKEN", BOT_TOKEN, "it does not begin with xapp-"),
        ("SLACK_BOT_TOKEN", '"xoxb-1-abcd"', "it does not begin with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-1 abcd", "a space"),
        ("SLACK_SIGNING_SECRET", "short", "too short"),
        ("SLACK_MODE", "Socket", "none of the words"),
        ("SLACK_API_URL", "slack.com/api", "not a http or https address"),
        ("DEFAULT_CHANNEL", "oncall", "neither a channel id"),
        ("DEFAULT_CHANNEL", "#OnCall", "neither a channel id"),
        ("DEFAULT_CHANNEL", "#on call", "neither a channel id"),
        ("APPROVERS", "U0123,@ana", "entry 2 is no Slack user id"),
        ("DATABASE_URL", "sqlite:///x", "does not begin with postgresql://"),
        ("DATABASE_URL", "postgresql://a:b/c@db:5432/x", "host or port cannot be read"),
        ("DATABASE_ROLE", "watchkeeper-app", "no plain name of a role"),
        ("DATABASE_ROLE", "x; DROP ROLE y", "no plain name of a role"),
        ("SWEEP_SCHEDULE", "* * * *", "it has 4 parts"),
        ("SWEEP_SCHEDULE", "61 * * * *", "the minute is not within 0-59"),
        ("SWEEP_SCHEDULE", "* 24 * * *", "the hour is not within 0-23"),
        ("SWEEP_SCHEDULE", "* * 32 * *", "the day is not within 1-31"),
        ("SWEEP_SCHEDULE", "* * * 13 *", "the month is not within 1-12"),
        ("SWEEP_SCHEDULE", "* * * * funday", "the weekday is not within mon-sun"),
        ("REPORT_SCHEDULE", "0 9 * * 1", "the weekday must be by name"),
        ("REPORT_SCHEDULE", "0 0 30 2 *", "no such day in any year"),
        ("TIMEZONE", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("TIMEZONE", "../../etc/passwd", "no such time zone"),
        ("PROPOSAL_TTL", "soon", "not a duration"),
        ("PROPOSAL_TTL", "1s", "out of bounds"),
        ("PROPOSAL_TTL", "9" * 400, "not a duration"),
        ("LISTEN_PORT", "80a", "not a valid integer"),
        ("LISTEN_PORT", "65536", "out of bounds"),
        ("DATA_DIR", "~nobody-of-this-name/wk", "there is no home folder"),
        ("READ_ONLY", "perhaps", "not a valid boolean"),
        ("LOG_LEVEL", "LOUD", "none of the words"),
        ("CLUSTER_NAME", "x" * 61, "60 characters"),
        ("GRACES", "NotRead=10s", "entry 1 names no failure kind (did you mean NotReady?)"),
        ("GRACES", "OOMKilled=0s,Quux=10s", "entry 2 names no failure kind (there are NodeNotReady, NodePressure, "),
        ("GRACES", "NotReady", "entry 1 has no = in it: write NotReady=90s"),
        ("GRACES", "JobFaild:10s", "entry 1 has no = in it: write JobFailed=90s"),
        ("GRACES", "NotReady=", "entry 1 says nothing of NotReady: write NotReady=90s, or leave it out"),
        ("GRACES", "=10s", "entry 1 names no failure kind"),
        ("GRACES", "NotReady=soon", "entry 1 gives no duration such as 90s, 15m or 12h"),
        ("GRACES", "NotReady=-1s", "entry 1 gives no duration"),
        ("GRACES", "NotReady=25h", "entry 1 gives more than 1d: write less, or turn the kind off"),
        ("GRACES", "NotReady=1s,notready=2s", "entry 2 names NotReady a second time: write it once"),
        ("SEVERITIES", "OOMKilled=P0", "entry 1 gives no severity: write P1, P2 or P3"),
        ("SEVERITIES", "OOMKilled=", "entry 1 says nothing of OOMKilled: write OOMKilled=P1"),
        ("SEVERITIES", "OOMKiled=P1", "did you mean OOMKilled?"),
        ("SEVERITIES", "P1", "entry 1 has no = in it: write NotReady=P1"),
        ("KINDS_OFF", "JobsFailed", "entry 1 names no failure kind (did you mean JobFailed?)"),
        ("KINDS_OFF", "JobFailed,NodePressure,JobFailed", "entry 3 names JobFailed a second time: write it once"),
        ("KINDS_OFF", "JobFailed=true", "entry 1 names no failure kind (did you mean JobFailed?)"),
    ],
)
def test_a_malformed_setting_is_named_with_what_is_wrong(name: str, value: str, reason: str) -> None:
    (fault,) = _faults({f"WATCHKEEPER_{name}": value})
    assert fault.startswith(f"WATCHKEEPER_{name} is malformed: ")
    assert reason in fault
    assert ". Set it to " in fault
    assert "\n" not in fault


def test_all_faults_come_at_once() -> None:
    environ = {"WATCHKEEPER_LISTEN_PORT": "x", "WATCHKEEPER_TIMEZONE": "x", "WATCHKEEPER_LEASE": "x"}
    named = [fault.split()[0] for fault in _faults(environ | {"WATCHKEEPER_APROVERS": "U0123"})]
    assert sorted(named) == sorted([*environ, "WATCHKEEPER_APROVERS"])


def test_a_misspelt_variable_is_named_with_the_right_one() -> None:
    (fault,) = _faults({"WATCHKEEPER_READONLY": "true"})
    assert fault == "WATCHKEEPER_READONLY is not a setting: set WATCHKEEPER_READ_ONLY instead, or unset it"


def test_the_variables_that_kubernetes_sets_beside_a_service_are_left_alone() -> None:
    service = {
        "WATCHKEEPER_PORT": "tcp://10.0.0.7:8080",
        "WATCHKEEPER_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "WATCHKEEPER_PORT_8080_TCP_ADDR": "10.0.0.7",
        "WATCHKEEPER_PORT_8080_TCP_PORT": "8080",
        "WATCHKEEPER_PORT_8080_TCP_PROTO": "tcp",
        "WATCHKEEPER_SERVICE_HOST": "10.0.0.7",
        "WATCHKEEPER_SERVICE_PORT": "8080",
    }
    assert settings.load(service).listen_port == 8080


def test_settings_that_make_no_sense_together_are_named() -> None:
    (several,) = _faults({"WATCHKEEPER_CLUSTER_NAME": "prod", "WATCHKEEPER_CONTEXTS": "a,b"})
    assert "WATCHKEEPER_CONTEXTS has several" in several
    (hold,) = _faults({"WATCHKEEPER_VERIFY_HOLD": "20m"})
    assert hold.startswith("WATCHKEEPER_VERIFY_HOLD is not shorter than WATCHKEEPER_VERIFY_TIMEOUT")


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_the_value_of_a_secret_is_never_in_a_fault(name: str, value: str) -> None:
    assert "hunter2" not in "".join(_faults({name: value}, "serve"))


@given(value=st.text(min_size=8, max_size=40).filter(lambda text: "\0" not in text))
@runs(deadline=None, max_examples=40)
def test_no_value_whatever_is_in_a_fault_or_breaks_the_loading(value: str) -> None:
    marked = f"{value}hunter2"
    environ = {settings.variable(field): marked for field in settings.Settings.model_fields}
    assert "hunter2" not in "".join(_faults(environ, "serve"))


@given(value=st.text(alphabet="0123456789*/,-montuelast? ", max_size=20))
@runs(deadline=None, max_examples=200)
def test_a_cron_expression_is_good_or_said_what_is_wrong_with(value: str) -> None:
    fault = formats.cron_fault(value)
    assert fault == "" or fault.startswith(("it has", "the ", "there is"))


@pytest.mark.parametrize("value", ["*/2 * * * *", "0 9 * * mon-fri", "0 9 1,15 * *", "0 0 29 2 *", "0 9 * * mon,wed/2"])
def test_a_good_cron_expression_has_no_fault(value: str) -> None:
    assert formats.cron_fault(value) == ""


def test_lists_durations_and_flags_are_read_as_people_write_them() -> None:
    loaded = settings.load(
        {
            "WATCHKEEPER_APPROVERS": " U0123 , W0456,",
            "WATCHKEEPER_CONTEXTS": "prod-eu,prod-us",
            "WATCHKEEPER_PROPOSAL_TTL": "20m",
            "WATCHKEEPER_COALESCE": "15",
            "WATCHKEEPER_FIRST_POST_DELAY": "250ms",
            "WATCHKEEPER_READ_ONLY": "TRUE",
            "WATCHKEEPER_SLACK_BOT_TOKEN": BOT_TOKEN + "\n",
            "WATCHKEEPER_SLACK_API_URL": "http://127.0.0.1:9000/api",
            "WATCHKEEPER_REPORT_SCHEDULE": "off",
            "WATCHKEEPER_EXCLUDE_NAMESPACES": "",
            "NO_COLOR": "1",
        }
    )
    assert loaded.approvers == ("U0123", "W0456")
    assert loaded.contexts == ("prod-eu", "prod-us")
    assert loaded.proposal_ttl == timedelta(minutes=20)
    assert loaded.coalesce == timedelta(seconds=15)
    assert loaded.first_post_delay == timedelta(milliseconds=250)
    assert loaded.read_only
    assert loaded.slack_bot_token is not None
    assert loaded.slack_bot_token.get_secret_value() == BOT_TOKEN
    assert loaded.slack_api_url == "http://127.0.0.1:9000/api/"
    assert loaded.report_schedule == "off"
    assert loaded.exclude_namespaces == ()
    assert loaded.no_color


def test_failure_kinds_are_read_as_people_write_them() -> None:
    loaded = settings.load(
        {
            "WATCHKEEPER_GRACES": " NotReady = 10s , unschedulable=0,",
            "WATCHKEEPER_SEVERITIES": "OOMKilled=P1, jobfailed=p3",
            "WATCHKEEPER_KINDS_OFF": "NODEPRESSURE, JobFailed",
            "WATCHKEEPER_KINDS_ON": "risk",
        }
    )
    assert loaded.kinds == detection.Options(
        disabled=frozenset({"NodePressure", "JobFailed"}),
        graces={"NotReady": timedelta(seconds=10), "Unschedulable": timedelta(0)},
        severities={"OOMKilled": "P1", "JobFailed": "P3"},
        enabled=frozenset({"Risk"}),
    )
    assert settings.Settings().kinds == detection.Options()


def test_one_prometheus_for_several_clusters_must_say_which_one_is_meant() -> None:
    for name in ("WATCHKEEPER_PROMETHEUS_URL", "WATCHKEEPER_LOKI_URL"):
        (fault,) = _faults({name: "http://metrics:9090", "WATCHKEEPER_CONTEXTS": "a,b"})
        assert fault.startswith(f"{name} is one address for several clusters: write {{cluster}} in it")
        settings.load({name: "http://metrics.{cluster}:9090", "WATCHKEEPER_CONTEXTS": "a,b"})
        (held,) = _faults({name: "http://ana:s3cr3t@metrics:9090"})
        assert "it holds a user or a password" in held
        assert "s3cr3t" not in held


def test_a_tenant_of_loki_is_a_name_or_several() -> None:
    for good in ("", "team-a", "team-a|team_b.c"):
        assert settings.load({"WATCHKEEPER_LOKI_TENANT": good}).loki_tenant == good
    for wrong in ("a b", "a|", "..", "a\r\nHost: x", "ä", "x" * 151):
        (fault,) = _faults({"WATCHKEEPER_LOKI_TENANT": wrong})
        assert "it is no name of a tenant" in fault


def test_a_kind_is_not_turned_on_and_off_at_once() -> None:
    (fault,) = _faults({"WATCHKEEPER_KINDS_ON": "Risk", "WATCHKEEPER_KINDS_OFF": "JobFailed,Risk"})
    assert fault == "WATCHKEEPER_KINDS_ON and WATCHKEEPER_KINDS_OFF both name Risk: unset one of them"


def test_secrets_are_not_asked_about_unless_a_person_says_so() -> None:
    assert not settings.Settings().secret_changes
    assert settings.load({"WATCHKEEPER_SECRET_CHANGES": "true"}).secret_changes


def test_known_noise_of_logs_reaches_the_stages_in_lower_case() -> None:
    loaded = settings.load({"WATCHKEEPER_LOG_NOISE": "Context canceled, broken pipe"})
    assert loaded.log_noise == ("Context canceled", "broken pipe")
    assert parts.rules_of(loaded).log_noise == ("context canceled", "broken pipe")
    assert settings.Settings().log_noise == ()


def test_certificates_are_not_read_unless_a_person_says_so() -> None:
    assert not settings.Settings().certificates
    assert settings.load({"WATCHKEEPER_CERTIFICATES": "true"}).certificates


def test_what_a_person_has_set_of_the_kinds_reaches_the_stages() -> None:
    loaded = settings.load({"WATCHKEEPER_KINDS_OFF": "JobFailed", "WATCHKEEPER_GRACES": "NotReady=10s"})
    assert parts.rules_of(loaded).kinds == loaded.kinds


def test_every_bad_failure_kind_of_a_setting_is_named_at_once() -> None:
    (fault,) = _faults({"WATCHKEEPER_GRACES": "NotRead=1s,OOMKilled=0s,JobFailed=soon,JobFailed=1s"})
    assert [part.strip().split()[:2] for part in fault.partition(": ")[2].split(";")] == [
        ["entry", "1"], ["entry", "3"], ["entry", "4"]
    ]  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(list(detection.KINDS)), st.integers(0, 86400).map(lambda n: timedelta(seconds=n)))
)
@runs(deadline=None, max_examples=50)
def test_graces_that_are_told_are_read_back_as_they_are(graces: dict[str, timedelta]) -> None:
    rows = telling.describe(settings.Settings(graces=graces))
    told = next(row.value for row in rows if row.name == "WATCHKEEPER_GRACES")
    assert settings.load({"WATCHKEEPER_GRACES": told} if graces else {}).graces == graces


def test_the_plain_name_of_the_database_is_read_and_ours_wins() -> None:
    plain = {"DATABASE_URL": "postgres://wk:pw@db:5432/plain"}
    ours = {"WATCHKEEPER_DATABASE_URL": "postgresql://wk:pw@db:5432/ours"}
    for environ, name in ((plain, "plain"), (ours, "ours"), (plain | ours, "ours")):
        url = settings.load(environ).database_url
        assert url is not None
        assert url.get_secret_value().endswith(name)


def test_the_data_folder_is_under_the_state_folder_of_the_desktop_standard() -> None:
    assert settings.load({"XDG_STATE_HOME": "/var/state"}).data_dir == Path("/var/state/watchkeeper")
    assert settings.load({}).data_dir == Path.home() / ".local/state/watchkeeper"
    both = {"XDG_STATE_HOME": "/var/state", "WATCHKEEPER_DATA_DIR": "~/wk"}
    assert settings.load(both).data_dir == Path.home() / "wk"


def test_a_service_account_means_in_cluster_unless_a_kubeconfig_is_set(tmp_path: Path) -> None:
    here = {"WATCHKEEPER_SERVICE_ACCOUNT_DIR": str(tmp_path)}
    assert not settings.load(here).in_cluster
    (tmp_path / "token").write_text("t")
    assert settings.load(here).in_cluster
    assert not settings.load(here | {"WATCHKEEPER_KUBECONFIG": "/k"}).in_cluster
    assert not settings.load(here | {"WATCHKEEPER_CONTEXTS": "prod"}).in_cluster


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_LISTEN_PORT", "9999")
    assert settings.Settings().listen_port == 8080
    assert settings.load().listen_port == 9999


def test_describing_masks_every_secret_and_tells_where_a_value_comes_from() -> None:
    url = "postgresql://wk:hunter2@db:5432/wk?sslpassword=hunter2"
    loaded = settings.load({**SERVING, "WATCHKEEPER_SLACK_SIGNING_SECRET": "hunter2hunter2", "DATABASE_URL": url})
    rows = {row.name: row for row in telling.describe(loaded)}
    assert rows["WATCHKEEPER_DATABASE_URL"].value == "postgresql://wk:********@db:5432/wk?********"
    assert rows["WATCHKEEPER_SLACK_BOT_TOKEN"].value == "********"
    assert rows["WATCHKEEPER_SLACK_BOT_TOKEN"].source == "environment"
    assert rows["WATCHKEEPER_PROPOSAL_TTL"].value == "15m"
    assert rows["WATCHKEEPER_PROPOSAL_TTL"].source == "default"
    told = " ".join(row.value for row in rows.values())
    assert "hunter2" not in told
    assert "real-token" not in told
    assert "hunter2" not in repr(loaded)


def test_every_setting_has_its_text() -> None:
    for row in telling.describe(settings.Settings()):
        assert len(row.doc) > 20, row.name
        assert row.doc.endswith((".", ").")), row.name


def test_the_secrets_to_mask_hold_the_database_password_in_both_spellings() -> None:
    loaded = settings.load({"DATABASE_URL": "postgresql://wk:p%40ss@db/wk", **SERVING})
    assert {BOT_TOKEN, "p%40ss", "p@ss", "postgresql://wk:p%40ss@db/wk"} <= set(loaded.secrets)


def test_what_should_be_known_is_told() -> None:
    def told(environ: dict[str, str]) -> str:
        return "\n".join(telling.warnings(settings.load(environ)))

    assert "Nobody may approve: WATCHKEEPER_APPROVERS is empty" in told({})
    assert "Everyone in the Slack workspace may approve" in told({"WATCHKEEPER_APPROVERS": "*"})
    assert "may approve" not in told({"WATCHKEEPER_APPROVERS": "U0123"})
    assert "nothing is ever changed" in told({"WATCHKEEPER_READ_ONLY": "true"})
    assert "is not this machine alone" in told({"WATCHKEEPER_LISTEN_HOST": "192.0.2.7"})
    assert "in the clear" in told({"WATCHKEEPER_SLACK_API_URL": "http://slack.example/api"})
    assert "in the clear" not in told({"WATCHKEEPER_SLACK_API_URL": "http://127.0.0.1:1/api"})
    assert "one replica only" not in told({"DATABASE_URL": "postgresql://db/x"})
    assert "Not looked for: JobFailed, OOMKilled. WATCHKEEPER_KINDS_OFF" in told(
        {"WATCHKEEPER_KINDS_OFF": "jobfailed,OOMKilled"}
    )
    assert "Not looked for" not in told({})
    assert "the reader must list Secrets" in told({"WATCHKEEPER_CERTIFICATES": "true"})
    assert "Secrets" not in told({})


def test_the_configuration_page_is_the_one_that_the_settings_make() -> None:
    page = Path(__file__).parents[2] / "docs/configuration.md"
    assert page.read_text() == telling.markdown(), "run: python -m bot config --markdown > docs/configuration.md"
