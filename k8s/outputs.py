"""What is said of a command that runs or ran in a container: before, as what will run; after, how it ended.

Pure. Called by `k8s.executor` alone. What a command prints is text of a cluster: it is redacted here, and bounded.
"""

from k8s import commands, fields, model, redact

KEPT = 4000
"""Characters that are kept of what it printed: what a thread can show."""


def told(operation: model.Operation) -> list[str]:
    """In place of a dry run's diff: the exact words, and where."""
    return [f"> {line}" for line in (_line(operation), f"in container {fields.text(operation.body, 'container')}")]


def ended(
    operation: model.Operation, code: int | None, stdout: str, stderr: str, image: model.Json | None
) -> model.Outcome:
    """Exit code 0 is done; any other is a failure of what was run all the same; no exit code is an open end."""
    output = _joined(stdout, stderr)
    if code is None:
        seconds = fields.count(operation.body, "seconds")
        detail = f"The command had not ended after {seconds} s. It may run on in the container. It is not run again."
        return model.Outcome("unknown", detail, pre_image=image, output=output)
    if code:
        detail = f"The command was run, and ended with exit code {code}. It is not run again."
        return model.Outcome("failed", detail, pre_image=image, written=True, output=output)
    return model.Outcome("succeeded", "The command ended with exit code 0.", pre_image=image, output=output)


def lost(message: str, image: model.Json | None) -> model.Outcome:
    """The connection went while it ran, or before it had begun."""
    detail = f"The command was sent and its end never came: {redact.redact(message)}. Whether it ran cannot be seen."
    return model.Outcome("unknown", f"{detail} It is not run again.", pre_image=image)


def _line(operation: model.Operation) -> str:
    words = fields.value(operation.body, "command")
    return commands.line([word for word in words if isinstance(word, str)]) if isinstance(words, list) else ""


def _joined(stdout: str, stderr: str) -> str:
    """Both, the end of each where it is too long; redacted whole, before it is cut."""
    out, err = redact.redact(stdout).strip("\n"), redact.redact(stderr).strip("\n")
    if err:
        half = KEPT // 2
        return f"{_tail(out, half)}\n--- error output\n{_tail(err, half)}".strip("\n")
    return _tail(out, KEPT)


def _tail(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"[…]\n{text[-most:].partition(chr(10))[2] or text[-most:]}"
