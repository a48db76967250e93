"""Secrets that are known by their own shape, wherever they stand. Called by `k8s.redact` alone.

The shapes are the issuers' published token formats. No pattern can take more than linear time: each starts at a word's
edge or a literal, each repeat is possessive or bounded.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType

MARKERS = re.compile(r"(?:\[redacted:[a-z0-9-]{1,40}\])+")
MARKED_END = re.compile(r"\[redacted:[a-z0-9-]{1,40}\]\Z")
_EDGE = r"(?<![A-Za-z0-9])"

_TOKENS: Mapping[str, str] = MappingProxyType(
    {
        "aws": r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9])",
        "gcp": r"AIza[\w-]{35}|ya29\.[\w.-]{20,}+|GOCSPX-[\w-]{20,}+|1//0[\w-]{20,}+",
        "github": r"gh[pousr]_[A-Za-z0-9_.-]{30,}+|github_pat_\w{22,}+",
        "gitlab": r"gl(?:pat|ptt|dt|rt|cbt|ft|agent|imt|soat|ffct|oas)-[\w.-]{16,}+|GR1348941[\w-]{20,}+",
        "slack": r"xox[abceoprs]-[A-Za-z0-9-]{10,}+|xoxe\.xox[bp]-[A-Za-z0-9-]{10,}+|xapp-[0-9]-[A-Za-z0-9-]{10,}+",
        "stripe": r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}+|whsec_[A-Za-z0-9+/]{20,}+={0,2}",
        "anthropic": r"sk-ant-[\w-]{20,}+",
        "openai": r"sk-[\w-]{20,}+",
        "npm": r"npm_[A-Za-z0-9]{30,}+",
        "pypi": r"pypi-[\w-]{50,}+",
        "sendgrid": r"SG\.[\w-]{16,}+\.[\w-]{16,}+",
        "mailgun": r"key-[0-9a-f]{32}(?![0-9a-f])",
        "twilio": r"SK[0-9a-f]{32}(?![0-9a-f])",
        "huggingface": r"hf_[A-Za-z0-9]{30,}+",
        "databricks": r"dapi[0-9a-f]{32}(?:-[0-9])?",
        "digitalocean": r"do[opr]_v1_[0-9a-f]{40,}+",
        "vault": r"hv[sbr]\.[\w-]{20,}+",
        "doppler": r"dp\.(?:pt|st|sa|ct|scim|audit)\.[\w.-]{30,}+",
        "grafana": r"gl(?:sa|c)_[A-Za-z0-9+/=_]{30,}+",
        "newrelic": r"NRAK-[A-Z0-9]{20,}+",
        "shopify": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
        "telegram": r"[0-9]{8,10}:AA[\w-]{33}",
        "docker": r"dckr_[po]at_[\w-]{20,}+",
        "age": r"AGE-SECRET-KEY-1[0-9A-Z]{50,}+",
        "atlassian": r"AT(?:ATT|CTT|BB)[A-Za-z0-9_=-]{24,}+",
        "sentry": r"sntrys_[\w+/=-]{30,}+",
        "postman": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
        "notion": r"ntn_[A-Za-z0-9]{40,}+|secret_[A-Za-z0-9]{43}(?![A-Za-z0-9])",
        "rubygems": r"rubygems_[0-9a-f]{48}",
        "crates": r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])",
        "linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}+",
        "planetscale": r"pscale_(?:tkn|pw|oauth)_[\w.-]{30,}+",
        "supabase": r"sbp_[0-9a-f]{40}",
        "tailscale": r"tskey-[a-z]{2,12}-[A-Za-z0-9-]{16,}+",
        "groq": r"gsk_[A-Za-z0-9]{40,}+",
        "xai": r"xai-[A-Za-z0-9]{60,}+",
        "jwt": r"eyJ[\w-]{12,}+(?:\.[\w-]*+){0,4}",
        "hash": r"\$(?:2[abxy]|5|6|y|apr1|argon2(?:id?|d)|scrypt|pbkdf2-sha(?:256|512))\$[\w./$,=+-]{20,}+",
    }
)
_TOKEN = re.compile(
    f"{_EDGE}(?=[A-Za-z0-9$])(?:" + "|".join(f"(?P<{kind}>{shape})" for kind, shape in _TOKENS.items()) + ")"
)

_AZURE = re.compile(r"(?<![A-Za-z0-9])[\w~.-]{3}[0-9]Q~[\w~.-]{31,40}")
_TERRAFORM = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}+")
_AWS_PAIR = re.compile(r"(\[redacted:aws\][\s:,;/|\"'\\]{1,8})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_LONG_BASE64 = re.compile(r"(?<![A-Za-z0-9+/-])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])")

_WEBHOOK = re.compile(
    r"((?:hooks\.slack\.com/(?:services|workflows|triggers)|hooks\.slack-gov\.com/services"
    r"|discord(?:app)?\.com/api/webhooks|\.webhook\.office\.com/webhookb2)/)[\w/@.-]{8,}+"
)

# The part before the @ holds no raw slash, but drivers of databases take one, and so do people.
_URL = re.compile(
    r"(?<![A-Za-z0-9])"
    r"((?:postgres(?:ql)?|mysql|mariadb|mongodb|redis|rediss|amqps?|cockroachdb|clickhouse|sqlserver|mssql|nats|kafka|ldaps?)"
    r"(?:\+[A-Za-z0-9]{1,20}){0,2}://[^\s/@:\"'<>\[]{0,256}+:)"
    r"((?:(?!://)[^\s\"'<>`]){1,512})@"
)
_PLAIN_URL = re.compile(r"(://[^\s/@:\"'<>\[]{0,256}+:)([^\s/\"'<>`]{1,512})@(?!sha[0-9]{3}:)")
_TOKEN_URL = re.compile(r"(?<=://)(?=[^@/\s]{0,300}[0-9])[\w.~%-]{16,300}+(?=@)")
_HOSTS_WITH_USERS = re.compile(r"(?<=,)([\w.%-]{1,128}+:)[^\s/@,:\"'<>\[\]]{1,256}+(?=@(?!sha[0-9]{3}:)[\w.-])")
_GO_DSN = re.compile(r"(?<![\w.%-])([\w.%-]{1,128}+:)[^\s@\"'/]{1,256}+(?=@(?:tcp|tcp4|tcp6|unix|udp)\()")
_ORACLE = re.compile(r"(jdbc:oracle:[a-z0-9]{1,10}:[^\s/@\"']{1,128}+/)[^\s@\"']{1,256}+(?=@)")

_SIGNED = re.compile(r"([?&](?:sig|signature)=)([^&\s\"'#<>]{8,512}+)")

_BEARER = re.compile(
    r"(?<![A-Za-z0-9])((?i:bearer)[ \t]{1,8})(?=\S{0,300}?(?:[0-9]|[a-z][A-Z])|\S{24})([A-Za-z0-9._~+/-]{8,}+=*+)"
)
_BASIC = re.compile(r"(?i)(?<![A-Za-z0-9])(basic[ \t]{1,8})([A-Za-z0-9+/_-]{6,}+={0,2})")
_SQL = re.compile(
    r"(?i)((?:identified\s{1,4}(?:with\s{1,4}\S{1,64}+\s{1,4})?by"
    r"|(?:with|encrypted|user\s{1,4}\S{1,128}+|role\s{1,4}\S{1,128}+)\s{1,4}password)"
    r"\s{0,4}=?\s{0,4}N?')([^'\n]{1,512})(?=')"
)
_NETRC = re.compile(r"(?i)(login[ \t]{1,8}\S{1,256}+\s{1,8}password[ \t]{1,8})(\S{1,512}+)")
_REDIS = re.compile(r"(?i)(?<![\w-])((?:requirepass|masterauth)[ \t]{1,8})(\S{1,512}+)")
_MYSQL_FLAG = re.compile(
    r"((?:mysql|mysqldump|mysqladmin|mariadb)[ \t][^\n]{0,100}?[ \t]-p)(?![ \t])([^\s\"'-][^\s\"']{2,256})"
)
_CURL_USER = re.compile(
    r"((?:curl|wget|http)[ \t][^\n]{0,80}?[ \t](?:-u|--user)[ =\"']{1,3}[^\s:\"']{1,128}+:)([^\s\"']{1,256}+)"
)
_XML = re.compile(
    r"(?i)(<([\w.:-]{0,40}?(?:password|passwd|secret|token|apikey|api-key|privatekey|credential)[\w.:-]{0,20})>)"
    r"([^<>]{1,4096})(?=</)"
)

_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_TORN = re.compile(
    r"(?:(?:\s|\\+[nrt]|[\"'|,+>]){0,40}+(?:[A-Za-z0-9+/=]{16,}+|(?:Proc-Type|DEK-Info):[^\n\\]{0,200}+)){0,400}+"
    r"(?:(?:\s|\\+[nr]){1,8}+[A-Za-z0-9+/]{1,15}={1,2})?+"
)
_MOST_PEM = 32_768
_PUTTY = re.compile(
    r"(Private-Lines: [0-9]{1,4}\s{1,4})(?=[A-Za-z0-9+/=])"
    r"(?:[A-Za-z0-9+/=]{1,100}+(?:\r?\n|\\+[nr])){0,400}+(?:[A-Za-z0-9+/=]{16,100}+)?"
)


def blocks(text: str) -> str:
    """Private keys in PEM form, with real or escaped line ends; also those whose end was cut off."""
    if "Private-Lines:" in text:
        text = _PUTTY.sub(r"\1[redacted:private-key]", text)
    if "PRIVATE KEY" not in text:
        return text
    parts: list[str] = []
    done = 0
    begins = [match.span() for match in _BEGIN.finditer(text)]
    ends = [match.span() for match in _END.finditer(text)]
    next_end = 0
    for position, (start, body) in enumerate(begins):
        while next_end < len(ends) and ends[next_end][0] < body:
            next_end += 1
        following = begins[position + 1][0] if position + 1 < len(begins) else len(text)
        end = ends[next_end] if next_end < len(ends) else (len(text), len(text))
        whole = next_end < len(ends) and end[0] <= following and end[1] - start <= _MOST_PEM
        torn = None if whole else _TORN.match(text, body)
        parts += (text[done:start], "[redacted:private-key]")
        done = end[1] if torn is None else torn.end()
    return "".join((*parts, text[done:]))


def shapes(text: str) -> str:
    """Tokens, URLs with passwords, authorisation schemes, and the few command forms that name no field."""
    if "://" in text or "@" in text:
        text = _addresses(text)
    text = _TOKEN.sub(_token, text)
    if "Q~" in text:
        text = _AZURE.sub("[redacted:azure]", text)
    if ".atlasv1." in text:
        text = _TERRAFORM.sub("[redacted:terraform]", text)
    text = _AWS_PAIR.sub(r"\1[redacted:aws]", text)
    text = _LONG_BASE64.sub("[redacted:base64]", text)
    text = _WEBHOOK.sub(r"\1[redacted:webhook]", text)
    text = _BEARER.sub(r"\1[redacted:bearer]", text)
    text = _BASIC.sub(_basic, text)
    text = _SIGNED.sub(lambda match: _after(match, 2, "signature"), text)
    for pattern in (_SQL, _NETRC, _REDIS, _MYSQL_FLAG, _CURL_USER):
        text = pattern.sub(lambda match: _after(match, 2, "password"), text)
    return _XML.sub(lambda match: _after(match, 3, "value"), text)


def _addresses(text: str) -> str:
    for pattern in (_URL, _PLAIN_URL):
        text = pattern.sub(lambda match: f"{_after(match, 2, 'url-password')}@", text)
    text = _TOKEN_URL.sub("[redacted:url-token]", text)
    for pattern in (_HOSTS_WITH_USERS, _GO_DSN, _ORACLE):
        text = pattern.sub(r"\1[redacted:url-password]", text)
    return text


def _after(match: re.Match[str], group: int, kind: str) -> str:
    """What stands before the secret, then the marker; as it is where the secret is a marker already."""
    secret = match.group(group)
    return f"{match.group(1)}{secret if MARKERS.fullmatch(secret) else f'[redacted:{kind}]'}"


def _token(match: re.Match[str]) -> str:
    """`sk-` may begin a pod's name too, which has no capitals."""
    if match.lastgroup == "openai" and match.group().islower():
        return match.group()
    return f"[redacted:{match.lastgroup}]"


def _basic(match: re.Match[str]) -> str:
    """`Basic` is a common word: only what decodes to `user:password` is a credential."""
    return f"{match.group(1)}[redacted:basic]" if ":" in decoded(match.group(2)) else match.group()


def decoded(token: str) -> str:
    """The text that base64 (either alphabet, padded or not) stands for; "" where it stands for no text."""
    body = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        plain = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return plain if all(char.isprintable() or char in "\r\n\t" for char in plain) else ""
