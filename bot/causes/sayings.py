"""What programs say at their end, and what each saying proves. Data; read by `reading`, in this order.

The wordings are those of the programs themselves: the runtimes and common libraries of Python, Go, Java, Node, Ruby,
.NET and Rust, shells, nginx, Apache, PostgreSQL, MySQL, Redis, MongoDB, Kafka. `named` is what a line speaks of; every
repetition is bounded and every host and path begins at a boundary, since a line is anybody's text.
"""

import re
from collections.abc import Sequence

from bot.domain import diagnoses

_Q = r"['\"`]?"
_UPPER = rf"{_Q}(?P<named>(?-i:\b[A-Z][A-Z0-9_]{{1,60}}\b)){_Q}"
_VARIABLE = r"(?:environment variable|env var|variable|setting)s?"
_PATH = r"['\"`]?(?<![\w/])(?P<named>/[^\s'\"`:;,)]{1,200})"
_HOST = r"(?<![\w.-])(?P<named>[A-Za-z0-9][A-Za-z0-9.-]{0,200})"
_SOURCE = r"(?<!\.go)(?<!\.py)(?<!\.js)(?<!\.ts)(?<!\.rb)(?<!\.cs)(?<!\.java)"
"""A file of code with a line is no host with a port."""
_NAME = r"[A-Za-z][A-Za-z0-9.-]{0,200}|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:]{2,45}\]"
_AT = rf"(?<![\w.-])(?P<named>(?:{_NAME}){_SOURCE}:\d{{1,5}})"
_NOT = r"(?:can't|cannot|could not|couldn't|unable to|failed to|error)"

_SAYINGS: Sequence[tuple[diagnoses.CauseKind, Sequence[str]]] = (
    ("missing-file", (rf"cannot load certificate {_PATH}.{{0,200}}no such file",)),
    (
        "bad-command",
        (
            rf"(?:can't open file|cannot find module|unable to access jarfile) {_Q}(?P<named>[^\s'\"`]{{1,200}})",
            r"could not find or load main class (?P<named>\S{1,200})",
        ),
    ),
    (
        "certificate",
        (
            r"x509: |certificate (?:has expired|is not yet valid|signed by unknown|verify failed|is not trusted)",
            r"CERTIFICATE_VERIFY_FAILED|CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF|SELF_SIGNED_CERT|ERR_TLS_CERT",
            r"PKIX path|unable to find valid certification path|self[- ]signed certificate",
            r"remote certificate (?:is|was) (?:invalid|rejected)|tls: (?:bad|unknown|expired) certificate",
        ),
    ),
    (
        "missing-variable",
        (
            rf"required key {_UPPER} missing value",
            rf"{_VARIABLE}:? {_UPPER}.{{0,40}}(?:not set|missing|required|undefined|unset|not found|empty|must be)",
            rf"(?:missing|undefined|unset|required|set the|expected) (?:required )?{_VARIABLE}:? {_UPPER}",
            rf"(?:set the|missing) {_UPPER} environment variable",
            rf"{_UPPER} (?:is |was )?(?:a )?(?:not set|not defined|undefined|unset|required|missing)",
            rf"{_UPPER} must be (?:set|provided|given|specified)",
            r"connection string '?(?P<named>[\w.-]{1,60})'? (?:not found|is missing)",
            rf"{_UPPER} not found\. Declare it as envvar",
            rf"{_UPPER}: (?:parameter (?:null or )?not set|unbound variable)",
            rf"could not resolve placeholder {_Q}(?P<named>[A-Za-z][A-Za-z0-9_.-]{{1,80}})",
            rf"key not found: {_UPPER}",
            r"(?:password|password option) is not specified",
        ),
    ),
    (
        "permission",
        (
            rf"(?:EACCES|EPERM)[^/]{{0,80}}{_PATH}",
            rf"permission denied:? {_PATH}",
            rf"{_PATH}: (?:permission denied|operation not permitted|read-only file system)",
            r"(?P<named>:\d{1,5}): bind: permission denied",
            r"bind\(\) to (?P<named>\S{1,80}) failed \(13",
            r"is forbidden: User|cannot (?:list|get|watch|create|update|patch|delete) resource",
            r"EACCES|EPERM|\[Errno (?:1|13|30)\]|AccessDenied",
            r"read-only file system|permission denied|operation not permitted",
            r"(?:authentication failed|access denied|login failed) for user|is not authorized to perform",
            r"\b(?:NOAUTH|WRONGPASS)\b|invalid credentials|authentication failed|role \S{1,80} does not exist",
            r"\b40[13] (?:unauthori[sz]ed|forbidden)\b",
        ),
    ),
    ("storage", (r"no space left on device|ENOSPC|disk quota exceeded|input/output error|stale file handle",)),
    (
        "limit-too-low",
        (
            r"java\.lang\.OutOfMemoryError|reached heap limit|heap out of memory|runtime: out of memory",
            r"^\s{0,20}MemoryError\b|std::bad_alloc|cannot allocate memory",
        ),
    ),
    (
        "wrong-port",
        (
            r"address already in use.{0,40}(?P<named>:\d{1,5})\b",
            r"(?P<named>:\d{1,5}): bind: address already in use",
            r"EADDRINUSE|address already in use",
        ),
    ),
    (
        "bad-command",
        (
            r"exec format error|executable file not found|exec user process caused|no such file or directory: unknown",
            r"sh: (?:(?:line )?\d{1,5}: )?(?P<named>[\w./-]{1,100}): (?:command )?not found|command not found",
            r"flag provided but not defined: (?P<named>\S{1,80})",
            r"unknown (?:shorthand )?(?:flag|option|command):? ?(?P<named>\S{1,80})",
            r"unrecogni[sz]ed (?:argument|option)s?:? ?(?P<named>\S{1,80})",
        ),
    ),
    (
        "bad-configuration",
        (
            r"\[emerg\].{0,200}(?:invalid (?:number|parameter|value)|unexpected|is not allowed|directive)",
            r"fatal config file error|bad directive or wrong number of arguments",
            r"configuration file .{1,200} (?:test failed|contains errors)|unrecogni[sz]ed configuration parameter",
            r"\byaml: (?:line \d|unmarshal|did not)|yaml\.(?:scanner|parser)\.\w{0,40}Error|\btoml: ",
            rf"{_NOT} (?:load|pars|read|decod|unmarshal|initiali[sz])\w{{0,6}} (?:the )?(?:\w{{1,20}} )?config",
            r"invalid config|config(?:uration)? (?:is invalid|error|validation)|ImproperlyConfigured",
            r"failed to bind properties|AH00526|syntax error on line|invalid value \S{1,80} for (?:flag|option)",
            r"(?:JSONDecodeError|SyntaxError|parse error)\b.{0,200}\b(?:settings|config\w{0,10})\b",
            r"database \S{1,80} does not exist|validation errors? for \w{0,40}(?:settings|config)",
        ),
    ),
    (
        "dns",
        (
            rf"lookup {_HOST}.{{0,80}}(?:no such host|server misbehaving|timeout)",
            rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_HOST}",
            rf"(?:could not translate host name|host not found in upstream|failed to resolve) {_Q}{_HOST}",
            rf"(?:could not resolve host:?|UnknownHostException:) {_Q}{_HOST}",
            r"no such host|name or service not known|temporary failure in name resolution|nodename nor servname",
            r"(?-i:\bENOTFOUND|\bEAI_AGAIN)",
        ),
    ),
    (
        "network",
        (
            rf"{_AT}.{{0,40}}(?:no route to host|network is unreachable)",
            rf"(?:EHOSTUNREACH|ENETUNREACH) {_AT}",
            r"no route to host|network is unreachable|EHOSTUNREACH|ENETUNREACH",
        ),
    ),
    (
        "dependency-down",
        (
            rf"(?:ECONNREFUSED|ETIMEDOUT|ECONNRESET) {_AT}",
            rf"dial tcp {_AT}: (?:connect: )?(?:connection (?:refused|timed out|reset)|i/o timeout)",
            rf"at {_Q}{_HOST}{_Q}.{{0,60}}port (?P<port>\d{{1,5}}) failed",
            rf"host={_Q}{_HOST}{_Q}, ?port=(?P<port>\d{{1,5}})",
            rf"for {_Q}{_HOST}{_Q} port (?P<port>\d{{1,5}})",
            rf"connect(?:ing|ion)? to\D{{0,30}}?{_AT}.{{0,80}}(?:refused|failed|timed? ?out|could not|unable)",
            rf"{_AT}.{{0,60}}(?:connection refused|refused the connection|could not be established)",
            r"(?:connection ?refused|ECONNREFUSED|ETIMEDOUT|connect(?:ion)? timed out|connection reset by peer)",
            r"\[Errno 1(?:04|10|11)\]|communications link failure|waiting for a node assignment",
            r"BrokerUnreachable|ServerSelection(?:Timeout)?Error|CannotConnect(?:Now)?(?:Error|Exception)",
            rf"{_NOT} (?:reach|contact) (?:the )?(?:\w{{1,20}} ){{1,3}}at {_Q}{_AT}",
            rf"{_NOT} connect to (?:the )?(?:\w{{1,20}} ){{0,3}}(?P<named>[\w.:-]{{2,120}})",
            r"the database system is (?:starting up|shutting down|in recovery)|remaining connection slots",
            r"too many (?:clients|connections)|Redis is loading the dataset",
            r"connection is not available, request timed out|no healthy upstream",
            r"\b50[234] (?:bad gateway|service unavailable|gateway time-?out)\b",
        ),
    ),
    (
        # Last: many a line about something else also ends with these words.
        "missing-file",
        (
            rf"open\(\) {_PATH}.{{0,20}}failed \(2",
            rf"(?:no such file or directory|ENOENT|FileNotFound\w{{0,12}})[^/]{{0,60}}{_PATH}",
            rf"{_PATH}{_Q}:? ?\(?no such file",
            r"no such file or directory|ENOENT|FileNotFound(?:Error|Exception)",
        ),
    ),
)

PATTERNS: Sequence[tuple[diagnoses.CauseKind, re.Pattern[str]]] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE)) for kind, patterns in _SAYINGS for pattern in patterns
)
