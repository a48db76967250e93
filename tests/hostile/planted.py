"""Secrets that are none, in the shapes of real ones: made at run time of parts, so that no file of the repository holds
what a scanner would take for one. Each is a line as it stands in a log, a manifest or a file, and the secret in it.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_HEX = "0123456789abcdef"
_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Planted:
    name: str
    line: str
    secret: str
    """What must not be found again."""


def _text(name: str, length: int, alphabet: str = _ALNUM) -> str:
    """The same for a name each time."""
    found: list[str] = []
    for number in range(length // 32 + 1):
        digest = hashlib.sha256(f"{name}{number}".encode()).digest()
        found += (alphabet[byte % len(alphabet)] for byte in digest)
    return "".join(found)[:length]


def _upper(name: str, length: int) -> str:
    return _text(name, length, "ABCDEFGHJKLMNPQRSTUVWXYZ234567")


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _jwt(name: str) -> str:
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": name, "exp": 1900000000})]
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, _text(name, 43)))


def _pem(name: str, kind: str) -> tuple[str, str]:
    body = "\n".join(_text(f"{name}{number}", 64) for number in range(6))
    dashes = "-" * 5
    return f"{dashes}BEGIN {kind}PRIVATE KEY{dashes}\n{body}\n{dashes}END {kind}PRIVATE KEY{dashes}", body.split("\n")[
        3
    ]


def _tokens() -> Mapping[str, str]:
    """By issuer: their published shapes."""
    return {
        "aws key id": "AK" + "IA" + _upper("aws", 16),
        "aws session key id": "AS" + "IA" + _upper("sts", 16),
        "gcp api key": "AI" + "za" + _text("gcp", 35),
        "gcp oauth": "ya" + "29." + _text("oauth", 60),
        "gcp client secret": "GOC" + "SPX-" + _text("client", 28),
        "github pat": "gh" + "p_" + _text("gh", 36),
        "github app": "gh" + "s_" + _text("ghs", 36),
        "github oauth": "gh" + "o_" + _text("gho", 36),
        "github fine grained": "github" + "_pat_" + _text("ghf", 82),
        "gitlab pat": "gl" + "pat-" + _text("gl", 20),
        "gitlab runner": "gl" + "rt-" + _text("glrt", 20),
        "slack bot": "xo" + "xb-" + _text("slack", 11, "0123456789") + "-" + _text("slack2", 24),
        "slack user": "xo" + "xp-" + _text("slack3", 11, "0123456789") + "-" + _text("slack4", 24),
        "slack app": "xa" + "pp-1-" + _upper("slack5", 11) + "-" + _text("slack6", 40),
        "stripe live": "sk" + "_live_" + _text("stripe", 24),
        "stripe restricted": "rk" + "_live_" + _text("stripe2", 24),
        "stripe webhook": "wh" + "sec_" + _text("stripe3", 32),
        "anthropic": "sk" + "-ant-api03-" + _text("anthropic", 80),
        "openai": "sk" + "-proj-" + _text("openai", 48),
        "npm": "np" + "m_" + _text("npm", 36),
        "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + _text("pypi", 60),
        "sendgrid": "S" + "G." + _text("sg", 22) + "." + _text("sg2", 43),
        "mailgun": "ke" + "y-" + _text("mg", 32, _HEX),
        "twilio": "S" + "K" + _text("tw", 32, _HEX),
        "huggingface": "h" + "f_" + _text("hf", 34),
        "databricks": "da" + "pi" + _text("db", 32, _HEX),
        "digitalocean": "do" + "p_v1_" + _text("do", 64, _HEX),
        "vault": "hv" + "s." + _text("vault", 24),
        "doppler": "dp" + ".pt." + _text("doppler", 43),
        "grafana": "gl" + "sa_" + _text("grafana", 41),
        "newrelic": "NR" + "AK-" + _upper("nr", 27),
        "shopify": "shp" + "at_" + _text("shopify", 32, _HEX),
        "telegram": _text("tg", 10, "123456789") + ":A" + "A" + _text("tg2", 33),
        "docker": "dckr" + "_pat_" + _text("docker", 27),
        "age": "AGE-SECRET" + "-KEY-1" + _upper("age", 58),
        "atlassian": "AT" + "ATT" + _text("atl", 40),
        "sentry": "sn" + "trys_" + _text("sentry", 50),
        "postman": "PM" + "AK-" + _text("pm", 24, _HEX) + "-" + _text("pm2", 34, _HEX),
        "rubygems": "ruby" + "gems_" + _text("rg", 48, _HEX),
        "linear": "lin" + "_api_" + _text("linear", 40),
        "planetscale": "pscale" + "_tkn_" + _text("ps", 43),
        "supabase": "sb" + "p_" + _text("sb", 40, _HEX),
        "tailscale": "ts" + "key-auth-" + _text("ts", 20),
        "groq": "gs" + "k_" + _text("groq", 52),
        "jwt": _jwt("jwt"),
        "service account token": _jwt("serviceaccount"),
    }


def _named() -> Iterator[Planted]:
    """Known by the name that they stand under."""
    for name in (
        "DB_PASSWORD",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "SECRET_KEY_BASE",
        "DJANGO_SECRET_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "API_KEY",
        "ENCRYPTION_KEY",
        "SIGNING_KEY",
        "CLIENT_SECRET",
        "SESSION_SECRET",
        "WEBHOOK_SECRET",
        "AUTH_TOKEN",
        "SMTP_PASS",
    ):
        secret = _text(name, 28)
        yield Planted(f"env {name}", f"{name}={secret}", secret)
    for name, line in (
        ("json password", '{{"user": "app", "password": "{}"}}'),
        ("json token", 'level=info msg="got {{\\"access_token\\":\\"{}\\"}}"'),
        ("yaml secret", "  clientSecret: {}"),
        ("flag", "starting: app --api-key={} --verbose"),
        ("header", "> Authorization: Bearer {}"),
        ("cookie", "Cookie: session={}; path=/"),
        ("x-api-key", "X-Api-Key: {}"),
        ("logfmt", 'ts=1 level=debug password="{}" retry=3'),
        ("exception", "auth failed (password={})"),
    ):
        secret = _text(name, 26)
        yield Planted(name, line.format(secret), secret)


def _urls() -> Iterator[Planted]:
    for scheme in ("postgresql", "mysql", "mongodb+srv", "redis", "amqp", "https"):
        secret = _text(scheme, 18)
        yield Planted(f"url {scheme}", f"cannot connect to {scheme}://app:{secret}@db.payments.svc/app", secret)
    hook = _text("hook", 24)
    yield Planted("webhook", f"posting to https://hooks.slack.com/services/T0{'X' * 8}/B0{'Y' * 8}/{hook}", hook)
    signed = _text("signed", 40)
    yield Planted("signed url", f"GET https://b.s3.amazonaws.com/x?X-Amz-Date=1&X-Amz-Signature={signed}", signed)


def _files() -> Iterator[Planted]:
    for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "):
        block, line = _pem(f"pem{kind}", kind)
        yield Planted(f"pem {kind.strip() or 'plain'}", block, line)
        yield Planted(f"pem {kind.strip() or 'plain'} escaped", json.dumps({"msg": block}), line)
    data, token = _text("kube", 120), _text("kubetoken", 60)
    kubeconfig = f"users:\n- name: admin\n  user:\n    client-key-data: {data}\n    token: {token}"
    yield Planted("kubeconfig key", kubeconfig, data)
    yield Planted("kubeconfig token", kubeconfig, token)
    auth = _b64(f"robot:{_text('robot', 20)}")
    yield Planted("dockerconfigjson", json.dumps({"auths": {"registry.local": {"auth": auth}}}), auth)
    value = _b64(_text("opaque", 24))
    manifest = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  anything: {value}"
    yield Planted("secret manifest", manifest, value)
    yield Planted("secret manifest in a log line", json.dumps({"msg": f"applied {manifest}"}), value)
    netrc = _text("netrc", 20)
    yield Planted("netrc", f"machine api.local login bot password {netrc}", netrc)
    basic = _b64(f"admin:{_text('basic', 16)}")
    yield Planted("basic auth", f"Authorization: Basic {basic}", basic)


def _wrapped() -> Iterator[Planted]:
    """base64 of what would be seen in the clear."""
    tokens = _tokens()
    for name in ("github pat", "slack bot", "stripe live", "anthropic", "jwt", "gitlab pat", "npm"):
        hidden = _b64(f"token={tokens[name]}")
        yield Planted(f"base64 of {name}", f"blob: {hidden}", hidden)
    dotenv = _b64(f"DB_PASSWORD={_text('dotenv', 20)}\nDEBUG=1\n")
    yield Planted("base64 of .env", f"config: {dotenv}", dotenv)


def everything() -> tuple[Planted, ...]:
    lines = (
        "starting with {}",
        "level=error msg=rejected key={} attempt=2",
    )
    shaped = (
        Planted(name, lines[number % len(lines)].format(token), token)
        for number, (name, token) in enumerate(_tokens().items())
    )
    return (*shaped, *_named(), *_urls(), *_files(), *_wrapped())
