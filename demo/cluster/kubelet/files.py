"""The files of a running container and the few commands that exec and exec probes find in it.

Commands answer as those of busybox do; there is no shell. `Run.files` puts files there, `pods/exec` and probes read
and change them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_NO_FILE = "No such file or directory"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    """How long it takes, which only an exec waits for."""


class NoBinaryError(Exception):
    """The container has no such command; the text is that of the runtime, without its prefix."""


@dataclass
class FileSystem:
    """Files by absolute path. Every folder exists."""

    files: dict[str, str] = field(default_factory=dict)

    def run(self, argv: Sequence[str]) -> Result:
        """Run a command; `NoBinaryError` when there is none of that name."""
        name = argv[0] if argv else ""
        command = _COMMANDS.get(name.removeprefix("/bin/"))
        if command is None:
            why = f"stat {name}: no such file or directory" if "/" in name else "executable file not found in $PATH"
            raise NoBinaryError(
                f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{name}": {why}: '
                "unknown"
            )
        return command(self, list(argv[1:]))

    def cat(self, arguments: list[str]) -> Result:
        missing = [path for path in arguments if path not in self.files]
        errors = "".join(f"cat: can't open '{path}': {_NO_FILE}\n" for path in missing)
        return Result(bool(missing), "".join(self.files.get(path, "") for path in arguments), errors)

    def touch(self, arguments: list[str]) -> Result:
        for path in arguments:
            self.files.setdefault(path, "")
        return Result()

    def rm(self, arguments: list[str]) -> Result:
        force = any(each in ("-f", "-rf", "-fr") for each in arguments)
        paths = [each for each in arguments if not each.startswith("-")]
        missing = [path for path in paths if self.files.pop(path, None) is None]
        if force:
            return Result()
        errors = "".join(f"rm: can't remove '{path}': {_NO_FILE}\n" for path in missing)
        return Result(bool(missing), "", errors)

    def ls(self, arguments: list[str]) -> Result:
        output, errors = "", ""
        for path in [each for each in arguments if not each.startswith("-")] or ["/"]:
            folder = path.rstrip("/") + "/"
            inside = {each.removeprefix(folder).partition("/")[0] for each in self.files if each.startswith(folder)}
            if path in self.files:
                output += f"{path}\n"
            elif inside or folder == "/":
                output += "".join(f"{each}\n" for each in sorted(inside))
            else:
                errors += f"ls: {path}: {_NO_FILE}\n"
        return Result(bool(errors), output, errors)

    def test(self, arguments: list[str]) -> Result:
        """`test -f FILE` and `test -e FILE`."""
        return Result(not (len(arguments) == 2 and arguments[0] in ("-f", "-e") and arguments[1] in self.files))


_COMMANDS: dict[str, Callable[[FileSystem, list[str]], Result]] = {
    "cat": FileSystem.cat,
    "touch": FileSystem.touch,
    "rm": FileSystem.rm,
    "ls": FileSystem.ls,
    "test": FileSystem.test,
    "echo": lambda _, words: Result(stdout=" ".join(words) + "\n"),
    "sleep": lambda _, words: Result(seconds=float(words[0])),
    "true": lambda _, __: Result(),
    "false": lambda _, __: Result(1),
}
