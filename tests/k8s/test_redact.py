"""Redaction: planted secrets of every form never survive, look-alikes do, and hostile input costs linear time.

No secret-looking literal stands in this file: each is put together when the tests run, so that scanners stay quiet.
"""

import base64
import json
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import redact

UPPER = "QWERTYUIOPASDFGH"
MIXED = "Ab3dEf7hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf7hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf7h"
HEX = "0123456789abcdef" * 8
PASSWORD = "hunter2" + "-Xq9"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def unpadded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


JWT = ".".join((unpadded('{"alg":"HS256","typ":"JWT"}'), unpadded('{"sub":"1234567890"}'), MIXED[:43]))
PEM_BODY = "\n".join(MIXED[:64] for _ in range(4)) + "\nAb3d=="


def pem(label: str, body: str = PEM_BODY) -> str:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"


def escaped(text: str) -> str:
    return text.replace("\n", "\\n")


# Secret → the text that it is planted in ({} is where it stands).
TOKENS: dict[str, str] = {
    "aws key id": "AK" + "IA" + UPPER,
    "aws temporary key id": "AS" + "IA" + UPPER,
    "gcp api key": "AI" + "za" + MIXED[:35],
    "gcp access token": "ya" + "29." + MIXED[:60],
    "gcp client secret": "GOC" + "SPX-" + MIXED[:28],
    "gcp refresh token": "1/" + "/0" + MIXED[:40],
    "azure client secret": "abc" + "8Q~" + MIXED[:34],
    "azure storage key": MIXED[:72] + MIXED[:14] + "==",
    "github token": "gh" + "p_" + MIXED[:36],
    "github server token": "gh" + "s_" + MIXED[:36],
    "github fine-grained": "github" + "_pat_" + MIXED[:22] + "_" + MIXED[:59],
    "gitlab token": "gl" + "pat-" + MIXED[:20],
    "gitlab deploy token": "gl" + "dt-" + MIXED[:20],
    "gitlab runner token": "GR13" + "48941" + MIXED[:20],
    "slack bot token": "xo" + "xb-123456789012-1234567890123-" + MIXED[:24],
    "slack app token": "xa" + "pp-1-A0123456789-1234567890123-" + HEX[:64],
    "slack rotated token": "xo" + "xe.xo" + "xp-1-" + MIXED[:40],
    "stripe key": "sk" + "_live_" + MIXED[:24],
    "stripe restricted": "rk" + "_test_" + MIXED[:24],
    "stripe webhook": "wh" + "sec_" + MIXED[:32],
    "anthropic key": "sk-" + "ant-api03-" + MIXED[:60],
    "openai key": "sk-" + MIXED[:48],
    "openai project key": "sk-" + "proj-" + MIXED[:60],
    "npm token": "np" + "m_" + MIXED[:36],
    "pypi token": "py" + "pi-AgEIcHlwaS5vcmc" + MIXED[:60],
    "sendgrid key": "SG" + "." + MIXED[:22] + "." + MIXED[:43],
    "mailgun key": "ke" + "y-" + HEX[:32],
    "twilio key": "S" + "K" + HEX[:32],
    "hugging face token": "h" + "f_" + MIXED[:34],
    "databricks token": "da" + "pi" + HEX[:32],
    "digitalocean token": "do" + "p_v1_" + HEX[:64],
    "vault token": "hv" + "s." + MIXED[:24],
    "terraform token": MIXED[:14] + ".atlas" + "v1." + MIXED[:60],
    "doppler token": "dp" + ".pt." + MIXED[:43],
    "grafana token": "gl" + "sa_" + MIXED[:32] + "_" + HEX[:8],
    "new relic key": "NR" + "AK-" + UPPER + UPPER[:11],
    "shopify token": "sh" + "pat_" + HEX[:32],
    "telegram token": "123456789:" + "AA" + MIXED[:33],
    "docker hub token": "dck" + "r_pat_" + MIXED[:27],
    "age key": "AGE-SEC" + "RET-KEY-1" + UPPER * 4,
    "atlassian token": "AT" + "ATT3x" + MIXED[:60],
    "sentry token": "sn" + "trys_" + MIXED[:60],
    "postman key": "PM" + "AK-" + HEX[:24] + "-" + HEX[:34],
    "notion token": "nt" + "n_" + MIXED[:46],
    "rubygems key": "ruby" + "gems_" + HEX[:48],
    "crates token": "ci" + "o" + MIXED[:32],
    "linear key": "li" + "n_api_" + MIXED[:40],
    "planetscale password": "psc" + "ale_pw_" + MIXED[:43],
    "supabase token": "sb" + "p_" + HEX[:40],
    "tailscale key": "ts" + "key-auth-" + MIXED[:12] + "-" + MIXED[:32],
    "groq key": "gs" + "k_" + MIXED[:52],
    "xai key": "xa" + "i-" + MIXED[:70],
    "jwt": JWT,
    "jwt cut short": JWT[:60],
    "bcrypt hash": "$" + "2b$12$" + MIXED[:53],
    "shadow hash": "$" + "6$rounds=5000$" + MIXED[:16] + "$" + MIXED[:60],
    "rsa key": pem("RSA PRIVATE " + "KEY"),
    "encrypted key": pem("ENCRYPTED PRIVATE " + "KEY"),
    "ssh key": pem("OPENSSH PRIVATE " + "KEY"),
    "pgp key": pem("PGP PRIVATE " + "KEY BLOCK"),
    "pem with escaped lines": escaped(pem("PRIVATE " + "KEY")),
    "pem twice escaped": escaped(pem("PRIVATE " + "KEY")).replace("\\", "\\\\"),
    "pem with headers": pem("RSA PRIVATE " + "KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n" + PEM_BODY),
    "pem cut short": pem("PRIVATE " + "KEY").rpartition("\n")[0],
    "putty key": "Private-" + "Lines: 2\n" + MIXED[:64] + "\n" + MIXED[:40],
    "base64 of a url": b64("postgres://app:" + PASSWORD + "@db/prod"),
    "base64 of an env file": b64("DB_PASSWORD=" + PASSWORD + "\nDEBUG=1\n"),
    "base64 of base64": b64(b64("DB_PASSWORD=" + PASSWORD + "\nDEBUG=1\n")),
    "base64 of a kubeconfig": b64("users:\n- name: admin\n  user:\n    token: " + PASSWORD + "\n"),
    "base64 for urls": unpadded("api_key=" + PASSWORD + "???>>>"),
    "compressed": "H4" + "sI" + MIXED[:60],
}

PLANTED: dict[str, tuple[str, str]] = {
    "aws secret beside its id": ("AK" + "IA" + UPPER + ":{}", MIXED[:40]),
    "aws secret in credentials": ("[default]\naws_secret_access_key = {}\nregion = eu", MIXED[:40]),
    "aws signature": ("https://b.s3.amazonaws.com/k?X-Amz-Signature={}&X-Amz-Expires=60", HEX[:64]),
    "azure connection string": ("AccountName=x;AccountKey={};EndpointSuffix=core", "abc" + MIXED[:30] + "=="),
    "azure bus": ("Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey={}", MIXED[:43] + "="),
    "azure sas": ("https://x.blob.core.windows.net/c?sv=2024&sig={}&se=2026", "aB%2F" + MIXED[:30]),
    "gcp key id": ('{{"type": "service_account", "private_key_id": "{}"}}', HEX[:40]),
    "slack webhook": ("POST https://hooks.slack.com/services/{} failed", "T0000/B0000/" + MIXED[:24]),
    "discord webhook": ("https://discord.com/api/webhooks/{}", "123456789/" + MIXED[:60]),
    "url": ("dial postgres://app:{}@db:5432/prod failed", PASSWORD),
    "url with escapes": ("mysql://app:{}@db/prod", "p%40ss%2Fword"),
    "url with an at sign": ("postgres://app:{}@db/prod", "p@ss" + "w0rd"),
    "url with a slash": ("redis://:{}@cache:6379/0", "p/ss" + "w0rd"),
    "url without a user": ("amqp://:{}@mq", PASSWORD),
    "url of many hosts": ("mongodb://app:{}@h1:27017,h2:27017/db?replicaSet=rs0", PASSWORD),
    "url with a driver": ("postgresql+asyncpg://app:{}@db/prod", PASSWORD),
    "url of the web": ("git clone https://bob:{}@git.example.com/x.git", PASSWORD),
    "url with a token as user": ("https://{}@sentry.example.com/4", HEX[:32]),
    "many brokers": ("brokers=app:x@h0,app:{}@h1:9092", PASSWORD),
    "jdbc": ("jdbc:postgresql://db/prod?user=app&password={}&ssl=true", PASSWORD),
    "oracle": ("jdbc:oracle:thin:app/{}@//db:1521/prod", PASSWORD),
    "go dsn": ("app:{}@tcp(db:3306)/prod", PASSWORD),
    "sql server": ("Server=db;Database=prod;User Id=app;Password={};Encrypt=yes", PASSWORD),
    "bearer": ("Authorization: Bearer {}", MIXED[:30]),
    "bearer alone": ("sent header bearer {} upstream", MIXED[:30]),
    "basic": ("Authorization: Basic {}", b64("bob:" + PASSWORD)),
    "basic alone": ("retrying with Basic {}", b64("bob:" + PASSWORD)),
    "authorization in curl": ("curl -H 'Authorization: token {}' https://x", PASSWORD),
    "authorization in json": ('{{"Authorization":"Bearer {}","Accept":"*"}}', PASSWORD),
    "authorization in logfmt": ("authorization=Bearer {} status=401", "abcdefgh" + "1"),
    "digest": ('Authorization: Digest username="bob", response="{}"', HEX[:32]),
    "proxy": ("Proxy-Authorization: Negotiate {}", MIXED[:30]),
    "curl user": ("curl -s -u bob:{} https://x", PASSWORD),
    "cookie": ("Cookie: theme=dark; sid={}; x=1", PASSWORD),
    "set-cookie": ("Set-Cookie: sid={}; HttpOnly", PASSWORD),
    "cookie with quotes": ('Cookie: a="1"; sid={}', PASSWORD),
    "session": ("session_id={} user=bob", PASSWORD),
    "api key header": ("X-Api-Key: {}", PASSWORD),
    "vault header": ("X-Vault-Token: {}", PASSWORD),
    "env": ("DB_PASSWORD={}", PASSWORD),
    "env with comma and ampersand": ("DB_PASSWORD={} next", "a,b&c;d" + "1"),
    "env in quotes": ('export API_KEY="{}"', "with blanks " + PASSWORD),
    "env with a quote inside": ("DB_PASSWORD={}", 'ab"cd' + "ef1"),
    "env of many words": ("AWS_SECRET_ACCESS_KEY: {}", "abcd/efgh+" + MIXED[:30]),
    "env with an ending": ("DB_PASSWORD_PROD={}", PASSWORD),
    "json": ('{{"user":"bob","password":"{}","n":1}}', "a b" + PASSWORD),
    "json with an escaped quote": ('{{"password":"{}","n":1}}', 'ab\\"cd' + "ef1"),
    "json number": ('{{"password": {}, "n": 1}}', "8675309"),
    "json list": ('{{"tokens": ["a1", "{}"]}}', PASSWORD),
    "json in json": ('{{\\"clientSecret\\":\\"{}\\",\\"n\\":1}}', PASSWORD),
    "json in json in json": ('{{\\\\\\"apiKey\\\\\\":\\\\\\"{}\\\\\\"}}', PASSWORD),
    "yaml": ("user: bob\npassword: {}\nhost: db", PASSWORD),
    "yaml with a comma": ("password: {}\nhost: db", "a,b;c'd" + "e1"),
    "yaml of words": ("  passphrase: {}\n", "correct horse battery"),
    "yaml in quotes": ("secret_key: '{}'", PASSWORD),
    "yaml block": ("token: |\n  {}\n  second\nother: x", PASSWORD),
    "yaml in a json string": ('{{"config.yaml":"user: bob\\npassword: {}\\nhost: db\\n"}}', PASSWORD),
    "env entry in yaml": ("- name: DB_PASSWORD\n  value: {}\n- name: B", "two words" + PASSWORD),
    "env entry in json": ('{{"name":"DB_PASSWORD","value":"{}"}}', PASSWORD),
    "env entry in escaped yaml": ('"- name: API_TOKEN\\n  value: {}\\n- name: B"', PASSWORD),
    "logfmt": ("level=info token={} user=bob", PASSWORD),
    "logfmt in quotes": ('level=info secret="{}" user=bob', PASSWORD),
    "sentence": ("login failed, password: {}, will retry", PASSWORD),
    "passphrase in a sentence": ("unlock with passphrase: {}", "correct horse battery"),
    "ruby hash": (":password => '{}'", PASSWORD),
    "go assignment": ('apiKey := "{}"', PASSWORD),
    "percent-encoded query": ("redirect=https%3A%2F%2Fx%3Ftoken%3D{}", PASSWORD),
    "flag": ("mysqladmin --password {} status", PASSWORD),
    "flag with a sign": ("app --api-key={} --port 80", PASSWORD),
    "flag in a list": ('args: ["--token", "{}"]', PASSWORD),
    "mysql flag": ("mysql -u root -p{} prod", PASSWORD),
    "unclosed quote": ('password="{}', PASSWORD),
    "xml": ("<add><password>{}</password></add>", PASSWORD),
    "sql user": ("CREATE USER app WITH PASSWORD '{}'", PASSWORD),
    "sql identified": ("CREATE USER app IDENTIFIED BY '{}'", PASSWORD),
    "netrc": ("machine x login bob password {}", PASSWORD),
    "redis": ("requirepass {}", PASSWORD),
    "npmrc": ("//registry.npmjs.org/:_authToken={}", PASSWORD),
    "short auth": ("redis auth={}", "hunter" + "22"),
    "docker config": ('{{"auths":{{"x":{{"auth":"{}"}}}}}}', b64("bob:" + PASSWORD)),
    "docker identity": ('{{"auths":{{"x":{{"identitytoken":"{}"}}}}}}', PASSWORD),
    "kubeconfig key": ("    client-key-data: {}\n", MIXED),
    "kubeconfig token": ("users:\n- user:\n    token: {}\n", PASSWORD),
    "secret in yaml": ("apiVersion: v1\nkind: Secret\ndata:\n  url: {}\ntype: Opaque", b64("plain words")),
    "secret in yaml block": ("kind: Secret\nstringData:\n  conf: |\n    line\n    {}\ntype: Opaque", "plain words"),
    "secret in json": ('{{"kind":"Secret","data":{{"url":"{}"}},"type":"Opaque"}}', b64("plain words")),
    "secret in an annotation": ('{{\\"kind\\":\\"Secret\\",\\"data\\":{{\\"url\\":\\"{}\\"}}}}', b64("plain words")),
    "secret in a log line": ('msg="kind: Secret\\ndata:\\n  a: {}\\ntype: Opaque"', b64("plain words")),
    "secret among documents": ("kind: Pod\n---\nkind: Secret\ndata:\n  a: {}\n---\nkind: Pod", b64("plain words")),
    "lines of a key alone": ("x\n{}\ny", MIXED[:64]),
    "base64 behind a name": ("dump-{}.bin", b64("password=" + PASSWORD)),
}


@pytest.mark.parametrize("secret", TOKENS.values(), ids=TOKENS.keys())
@pytest.mark.parametrize("place", ["{}", "error: rejected {} by server", '{{"a":"{}"}}', "x={}", "X_{}", "a\n{}\nb"])
def test_a_secret_of_a_known_shape_never_survives_wherever_it_stands(secret: str, place: str) -> None:
    if place == "X_{}" and not secret[0].isalpha():
        place = "X {}"
    text = place.format(secret)
    found = redact.redact(text)
    assert "[redacted:" in found
    for start in range(max(1, len(secret) - 24)):
        assert secret[start : start + 24] not in found
    assert redact.redact(found) == found


@pytest.mark.parametrize(("place", "secret"), PLANTED.values(), ids=PLANTED.keys())
def test_a_secret_in_a_telling_place_never_survives(place: str, secret: str) -> None:
    found = redact.redact(place.format(secret))
    assert "[redacted:" in found
    for start in range(max(1, len(secret) - 6)):
        assert secret[start : start + 6] not in found
    assert redact.redact(found) == found


def test_more_than_eighty_forms_are_planted() -> None:
    assert len(TOKENS) + len(PLANTED) >= 150


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "postgres://app:{}@db:5432/prod?sslmode=disable",
            "postgres://app:[redacted:url-password]@db:5432/prod?sslmode=disable",
        ),
        ("level=info token={} user=bob", "level=info token=[redacted:token] user=bob"),
        ('{{"user":"bob","password":"{}","n":1}}', '{{"user":"bob","password":"[redacted:password]","n":1}}'),
        ("(password={}).", "(password=[redacted:password])."),
        (
            "- name: DB_PASSWORD\n  value: {}\n- name: B\n  value: c",
            "- name: DB_PASSWORD\n  value: [redacted:password]\n- name: B\n  value: c",
        ),
        ("curl -H 'Cookie: a={}' https://x/y", "curl -H 'Cookie: [redacted:cookie]' https://x/y"),
        ("Authorization: Bearer {}", "Authorization: Bearer [redacted:bearer]"),
        ("password: |\n  {}\n  more\nuser: bob", "password: |\n  [redacted:password]\nuser: bob"),
        ("Server=db;Password={};Encrypt=yes", "Server=db;Password=[redacted:password];Encrypt=yes"),
        ("--password {} --port 80", "--password [redacted:password] --port 80"),
        ("mongodb://a:{}@h1,b:{}@h2/db", "mongodb://a:[redacted:url-password]@h2/db"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, left: str) -> None:
    assert redact.redact(text.replace("{}", PASSWORD).replace("{{", "{").replace("}}", "}")) == left.replace(
        "{{", "{"
    ).replace("}}", "}")


def test_a_private_key_among_others_takes_nothing_else_along() -> None:
    key = pem("PRIVATE " + "KEY")
    found = redact.redact(f"first\n{key}\nbetween\n{key}\nlast")
    assert found == "first\n[redacted:private-key]\nbetween\n[redacted:private-key]\nlast"
    torn = key.rpartition("\n")[0]
    found = redact.redact(f"first\n{torn}\nthen the process ended\n{key}\nlast")
    assert found == "first\n[redacted:private-key]\nthen the process ended\n[redacted:private-key]\nlast"


SURVIVORS = [
    "registry.example.com/web@sha256:" + HEX[:64],
    "docker-pullable://web:1.4@sha256:" + HEX[:64],
    "Pulled image web:1.4,sidecar:2.0@sha256:" + HEX[:64],
    "uid 6f1c1f6a-51a0-4b43-b6a5-0d5f7a2b9c11",
    "payments/api-7d9f8b6c5d-x2x4z",
    "sk-frontend-worker-7d9f8b6c5d-abcde is not ready",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "limits: cpu 500m, memory 128Mi, ephemeral-storage 1Gi",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "the token bucket is empty, rate limited",
    'secret "db-creds" not found',
    'MountVolume.SetUp failed for volume "api-token" : secret "tok" not found',
    'secrets "db-creds" is forbidden: User "system:serviceaccount:payments:api" cannot get resource',
    'password authentication failed for user "x"',
    "couldn't find key DB_PASSWORD in ConfigMap payments/settings",
    "couldn't find key password in Secret payments/db-creds",
    "KeyError: 'DB_PASSWORD'",
    'invalid token: signature is invalid: "kid" unknown',
    "token: expired",
    "x509: certificate signed by unknown authority",
    "secretName: db-creds",
    "imagePullSecrets: [regcred]",
    "secretKeyRef:\n  name: db-creds\n  key: password",
    "tokenExpirationSeconds: 3600",
    "automountServiceAccountToken: true",
    "password: null",
    "password: ",
    "token=${API_TOKEN} password=$(DB_PASSWORD) secret=$SECRET",
    "passwordFile: /run/secrets/db",
    "--service-account-signing-key-file=/etc/kubernetes/sa.key",
    "--token-auth-file /etc/tokens.csv",
    "DB_PASSWORD:  <set to the key 'password' in secret 'db-creds'>  Optional: false",
    "password:  24 bytes",
    "input_tokens=512 max_tokens: 4096",
    "PWD=/usr/src/app OLDPWD=/root",
    'reconcile secret="payments/db-creds" done',
    "auth=none smtp_auth=plain",
    "/tokens?limit=5 tokens=12.5",
    'WWW-Authenticate: Bearer realm="https://auth.example.com/x",service="registry"',
    "basic authentication is required",
    "Basic Auth12 is off",
    "bearer authentication failed",
    "--- PASS: TestRollout (0.01s)",
    "grep: /etc/passwd: No such file or directory",
    "std::token::Token::new(x)",
    "ssh://git@git.example.com/x.git and mailto:bob@example.com",
    "http://web:8080/healthz returned 503",
    "GET https://kubernetes.default.svc:443/api/v1/namespaces/payments/pods?labelSelector=app%3Dapi",
    "integrity sha512-" + "A1b2" * 21 + "Cd==",
    "ConfigMap keys: database-password, api.token, session.secret",
    "data:image/png;base64 of " + b64("just some ordinary words here"),
    "2026-11-21T03:00:00.123456789Z stderr F Traceback (most recent call last):",
    '{"level":"error","msg":"connect ECONNREFUSED 10.0.0.7:5432"}',
    "kind: ConfigMap\ndata:\n  greeting: hello",
    "token: {}",
    "compare (password=) and (token=[redacted:github]).",
    "token=,",
    "credentials: [{name: x}]",
    "-----BEGIN CERTIFICATE-----\nshort\n-----END CERTIFICATE-----",
]


@pytest.mark.parametrize("text", SURVIVORS)
def test_a_look_alike_survives_untouched(text: str) -> None:
    assert redact.redact(text) == text


# --- JSON ---


def test_json_is_redacted_by_its_structure() -> None:
    pod = {
        "kind": "Pod",
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "args": ["--token=" + PASSWORD],
                    "env": [
                        {"value": PASSWORD, "name": "DB_PASSWORD"},
                        {"name": "MODE", "value": "fast"},
                        {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "db", "key": "api-key"}}},
                    ],
                }
            ]
        },
        "metadata": {"annotations": {"note": "password=" + PASSWORD}, "generation": 3, "labels": None},
    }
    found = redact.redact_json(pod)
    assert PASSWORD not in json.dumps(found)
    assert isinstance(found, dict)
    (container,) = found["spec"]["containers"]
    assert container["args"] == ["--token=[redacted:token]"]
    assert container["env"] == [
        {"value": "[redacted:secret]", "name": "DB_PASSWORD"},
        {"name": "MODE", "value": "fast"},
        {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "db", "key": "api-key"}}},
    ]
    assert found["metadata"] == {
        "annotations": {"note": "password=[redacted:password]"},
        "generation": 3,
        "labels": None,
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (
            {"kind": "Secret", "data": {"a": "eA==", "b": "", "c": None, "d": {"e": "x"}}, "type": "Opaque"},
            {
                "kind": "Secret",
                "data": {"a": "[redacted:secret]", "b": "", "c": None, "d": {"e": "[redacted:secret]"}},
                "type": "Opaque",
            },
        ),
        ({"password": 12345}, {"password": "[redacted:password]"}),
        ({"token": None, "secret": True}, {"token": None, "secret": True}),
        ({"tokens": ["a", ["b"], {"c": "d"}]}, {"tokens": ["[redacted:token]", ["[redacted:token]"], {"c": "d"}]}),
        (
            {"credentials": {"user": "bob", "password": "x"}},
            {"credentials": {"user": "bob", "password": "[redacted:password]"}},
        ),
        ({"max_tokens": 5, "secretName": "db"}, {"max_tokens": 5, "secretName": "db"}),
        ({"client-key-data": "eA=="}, {"client-key-data": "[redacted:key]"}),
        ({7: "x"}, {7: "x"}),
        (["password=x1", 1.5], ["password=[redacted:password]", 1.5]),
        ("plain", "plain"),
        (None, None),
    ],
)
def test_json_values_under_telling_names_are_blanked(value: object, found: object) -> None:
    assert redact.redact_json(value) == found
    assert redact.redact_json(found) == found


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: {"token": [inner]}])
def test_json_without_end_is_cut_and_never_overflows(wrap: Any) -> None:
    value: Any = PASSWORD
    for _ in range(500):
        value = wrap(value)
    found = json.dumps(redact.redact_json(value))
    assert PASSWORD not in found
    assert "[redacted:depth]" in found
    secret: Any = PASSWORD
    for _ in range(500):
        secret = {"a": secret}
    assert PASSWORD not in json.dumps(redact.redact_json({"kind": "Secret", "data": secret}))


# --- whatever comes ---

alphabet = st.text(alphabet=string.ascii_letters + string.digits + " \n\t\\\"'`:=,;@/&?-_.{}[]<>|$+%", max_size=80)
pieces = st.sampled_from(
    (
        "password",
        "token=",
        "secret:",
        "value:",
        "://",
        "Bearer ",
        "Basic ",
        "Cookie: ",
        "kind: Secret\ndata:\n",
        "eyJ",
        '\\"',
        "|\n",
        "[redacted:",
        "--token ",
        "auth",
        "-----BEGIN PRIVATE " + "KEY-----",
    )
)


MARKER = re.compile(r"\[redacted:[a-z0-9-]+\]")


@settings(deadline=None, max_examples=200)
@given(st.lists(alphabet | pieces, max_size=8).map("".join))
def test_whatever_comes_redacting_only_ever_takes_away(text: str) -> None:
    for _ in range(3):
        left = iter(MARKER.sub("", text))
        text = redact.redact(text)
        assert all(char in left for char in MARKER.sub("", text))


passwords = st.text(alphabet=string.ascii_letters + string.digits + "!#%^*_+-./~", min_size=10, max_size=40).filter(
    lambda text: sum(char.isalnum() for char in text) > 8
)


@settings(deadline=None, max_examples=200)
@given(
    passwords,
    st.sampled_from(("DB_PASSWORD={} x", '{{"token":"{}"}}', "secret: {}\nb: c", "a password={} b", "--api-key {}")),
)
def test_no_part_of_a_password_survives_under_a_telling_name(password: str, place: str) -> None:
    found = redact.redact(place.format(f"Zq7{password}Zq7"))
    core = password.strip("!#%^*_+-./~")
    assert core not in found


HOSTILE = [
    "a",
    " ",
    "\n",
    "\\",
    "-",
    "<",
    '"',
    "=",
    "@",
    "a,",
    "a.",
    "a@",
    "token",
    "token.",
    "password=",
    'password="',
    "password: a ",
    "password\nvalue:",
    "token=[",
    "://a:",
    "redis://:x",
    "eyJ",
    "QUJD",
    "AAAA\n",
    "sk-",
    "bearer ",
    "basic ",
    "mysql ",
    "curl -u ",
    "user a ",
    "<password>",
    'kind: Secret\n"data":{',
    "data:\n  a: b\n",
    "-----BEGIN PRIVATE " + "KEY-----",
    "Private-" + "Lines: 1\n",
    "-----END PRIVATE " + "KEY-----",
    "token: |\n  x\n",
    "Cookie: ",
    "--token ",
    "[redacted:",
    "$6$",
    "x@tcp(",
    "login a password ",
]


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
@pytest.mark.timeout(20)
def test_a_hostile_line_of_fifty_kilobytes_is_done_in_moments(piece: str) -> None:
    """A quadratic pattern would need minutes for this."""
    redact.redact(piece * (50_000 // len(piece)))
    redact.redact("password" + piece * (20_000 // len(piece)) + "@")


@pytest.mark.timeout(20)
def test_a_line_of_a_megabyte_completes() -> None:
    line = "password=" + "x" * 1_000_000
    assert redact.redact(line) == "password=[redacted:password]"
