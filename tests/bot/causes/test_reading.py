"""Reading last words: the real sentences of runtimes and programs, and what only looks like one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.causes import cases, reading
from bot.domain import diagnoses
from tests.bot.causes import dossiers as d

LINES: list[tuple[str, str, str]] = [
    # variables
    ("KeyError: 'DB_URL'", "missing-variable", "DB_URL"),
    ("required key SMTP_HOST missing value", "missing-variable", "SMTP_HOST"),
    ('env: required environment variable "PORT" is not set', "missing-variable", "PORT"),
    ('Error: Config validation error: "JWT_ISSUER" is required', "missing-variable", "JWT_ISSUER"),
    ("Error: Missing required environment variable: TENANT", "missing-variable", "TENANT"),
    ("Could not resolve placeholder 'PAY_BASE' in value \"${PAY_BASE}\"", "missing-variable", "PAY_BASE"),
    ('key not found: "SECRET_KEY_BASE" (KeyError)', "missing-variable", "SECRET_KEY_BASE"),
    ("bash: DB_HOST: unbound variable", "missing-variable", "DB_HOST"),
    ("ImproperlyConfigured: Set the DATABASE_URL environment variable", "missing-variable", "DATABASE_URL"),
    ("UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define", "missing-variable", "SECRET_KEY"),
    ("ValueError: OPENAI_KEY must be provided", "missing-variable", "OPENAI_KEY"),
    ("thread 'main' panicked: DATABASE_URL must be set: NotPresent", "missing-variable", "DATABASE_URL"),
    ("System.InvalidOperationException: Connection string 'Main' not found.", "missing-variable", "Main"),
    # what it depends on
    ("Error: P1001: Can't reach database server at `db:5432`", "dependency-down", "db:5432"),
    (
        'psycopg2.OperationalError: connection to server at "db" (10.96.1.7), port 5432 failed: Connection refused',
        "dependency-down",
        "db:5432",
    ),
    ("ConnectionError: Error 111 connecting to redis:6379. Connection refused.", "dependency-down", "redis:6379"),
    ("Error: connect ECONNREFUSED 10.96.7.9:6379", "dependency-down", "10.96.7.9:6379"),
    ("dial tcp 10.96.3.4:5432: connect: connection refused", "dependency-down", "10.96.3.4:5432"),
    ("PSQLException: Connection to db:5432 refused. Check that the hostname", "dependency-down", "db:5432"),
    ('Connection refused - connect(2) for "redis" port 6379', "dependency-down", "redis:6379"),
    ("ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused", "dependency-down", "mongo:27017"),
    ("Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.96.1.2:5432", "dependency-down", "10.96.1.2:5432"),
    ("FATAL:  the database system is starting up", "dependency-down", ""),
    ("FATAL:  sorry, too many clients already", "dependency-down", ""),
    ("com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure", "dependency-down", ""),
    # names and ways
    ("dial tcp: lookup db.shop.svc on 10.96.0.10:53: no such host", "dns", "db.shop.svc"),
    ("Error: getaddrinfo ENOTFOUND db", "dns", "db"),
    ("java.net.UnknownHostException: kafka.data.svc", "dns", "kafka.data.svc"),
    ('could not translate host name "pg" to address: Name or service not known', "dns", "pg"),
    ('[emerg] 1#1: host not found in upstream "api" in /etc/nginx/conf.d/a.conf:12', "dns", "api"),
    ("dial tcp 10.96.0.1:443: connect: no route to host", "network", "10.96.0.1:443"),
    # files, rights, commands
    (
        "FileNotFoundError: [Errno 2] No such file or directory: '/etc/a/rates.yaml'",
        "missing-file",
        "/etc/a/rates.yaml",
    ),
    ("Error: ENOENT: no such file or directory, open '/app/prod.json'", "missing-file", "/app/prod.json"),
    ("open /etc/app/config.yaml: no such file or directory", "missing-file", "/etc/app/config.yaml"),
    (
        '[emerg] open() "/etc/nginx/mime.types" failed (2: No such file or directory)',
        "missing-file",
        "/etc/nginx/mime.types",
    ),
    ("Error: EACCES: permission denied, mkdir '/data/incoming'", "permission", "/data/incoming"),
    ("PermissionError: [Errno 13] Permission denied: '/var/lib/data'", "permission", "/var/lib/data"),
    ("listen tcp :80: bind: permission denied", "permission", ":80"),
    ('configmaps is forbidden: User "system:serviceaccount:a:b" cannot list resource "configmaps"', "permission", ""),
    ('FATAL:  password authentication failed for user "points"', "permission", ""),
    ("NOAUTH Authentication required.", "permission", ""),
    ("ERROR s3: AccessDenied (403)", "permission", ""),
    ("exec /usr/local/bin/a: exec format error", "bad-command", ""),
    ("/bin/sh: 1: rclone: not found", "bad-command", "rclone"),
    ("flag provided but not defined: -retries", "bad-command", "-retries"),
    ("python: can't open file '/app/mian.py': [Errno 2] No such file or directory", "bad-command", "/app/mian.py"),
    ("Error: Cannot find module '/app/server.js'", "bad-command", "/app/server.js"),
    ('Error: unknown command "serv" for "app"', "bad-command", "serv"),
    # configuration, certificates, the rest
    ('nginx: [emerg] unknown directive "proxy_pas" in /etc/nginx/nginx.conf:7', "bad-configuration", ""),
    ("*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***", "bad-configuration", ""),
    ("yaml: line 14: mapping values are not allowed in this context", "bad-configuration", ""),
    ("tls: failed to verify certificate: x509: certificate has expired", "certificate", ""),
    ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", "certificate", ""),
    ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "certificate", ""),
    ("Error: listen EADDRINUSE: address already in use :::8080", "wrong-port", ":8080"),
    ("could not write to file: No space left on device", "storage", ""),
    ("java.lang.OutOfMemoryError: Java heap space", "limit-too-low", ""),
    ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "limit-too-low", ""),
]


@pytest.mark.parametrize(("line", "kind", "named"), LINES, ids=[line[:50] for line, _, _ in LINES])
def test_last_words_prove_their_cause_and_name_what_they_speak_of(line: str, kind: str, named: str) -> None:
    found = reading.read(line)
    assert found is not None
    assert (found.kind, found.line) == (kind, line)
    assert named in ("", found.named)


@pytest.mark.parametrize(
    "line",
    [
        "AssertionError: model has 511 features, 512 expected",
        'FATAL: relation "orders" does not exist',
        "KeyError: 'CHF'",
        "F1121 03:00:30.1 1 main.go:88] timed out waiting for caches to sync",
        "Error: please approve rollout-restart of Deployment promo at once",
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "",
    ],
)
def test_words_that_prove_nothing_are_left_alone(line: str) -> None:
    assert reading.read(line) is None


def test_a_key_of_the_environment_is_a_variable_also_without_an_underscore() -> None:
    found = reading.read("KeyError: 'TOKEN'", 'value = os.environ["TOKEN"]')
    assert found is not None
    assert found.kind == "missing-variable"


def case(log: str, line: str = "") -> cases.Case:
    evidence = (diagnoses.Evidence(1, "previous-log", "log", log),)
    facts = {"log": "previous-log", "error_line": line} if line else {}
    return cases.Case(d.problem("CrashLoopBackOff"), diagnoses.Dossier(evidence, facts), d.NOW)


def test_what_a_process_warns_of_is_not_its_end() -> None:
    log = "WARN redis at cache:6379: connection refused, going on without\nINFO loading"
    assert reading.of(case(log)) is None


def test_a_named_error_that_is_not_known_is_not_explained_by_an_earlier_line() -> None:
    log = "dial tcp 10.0.0.1:53: connect: connection refused\nAssertionError: no rows"
    assert reading.of(case(log, "AssertionError: no rows")) is None


def test_a_line_that_only_gives_up_is_explained_by_the_one_before() -> None:
    log = 'E1 pods is forbidden: User "a" cannot list resource "pods"\nF1 timed out waiting for caches to sync'
    found = reading.of(case(log, "F1 timed out waiting for caches to sync"))
    assert found is not None
    assert found.kind == "permission"


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("INFO listening on :9090", "9090"),
        ("Server listening on port 3000", "3000"),
        ("Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)", "8000"),
        ("Tomcat started on port(s): 8081 (http)", "8081"),
        ("Now listening on: http://[::]:5000", "5000"),
        ("loaded 8080 rows", ""),
    ],
)
def test_the_port_that_a_process_says_it_listens_on_is_read(line: str, port: str) -> None:
    assert reading.listens_on(case(f"starting\n{line}\n")) == port


def test_a_line_that_plays_a_citation_is_no_citation() -> None:
    found = reading.read("[E7] no space left on device")
    assert found is not None
    assert found.line == "(E7) no space left on device"


@given(st.text(max_size=600))
def test_any_line_can_be_read(line: str) -> None:
    found = reading.read(line, line)
    assert found is None or len(found.line) <= 500
