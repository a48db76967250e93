"""What a person should do about each sort of cause that the log of a process proves. Data; called by the families."""

from collections.abc import Mapping

from bot.domain import diagnoses

OF_LOG: Mapping[diagnoses.CauseKind, str] = {
    "missing-variable": "Give {named} to the container.",
    "missing-file": "Mount {named}, or correct the path: the image and its volumes do not hold it.",
    "bad-configuration": "Correct the configuration that the log names.",
    "bad-command": "Correct the command or its arguments, or the image: {named} is not understood or not there.",
    "permission": "Give the right that the log names: user, group or mode of a volume, a role, or credentials.",
    "certificate": "Renew the certificate, or give the process the issuer that it has to trust.",
    "wrong-port": "Free the port {named}, or use another: something else in the pod listens there.",
    "storage": "Make room on the volume, or enlarge it.",
    "limit-too-low": "Give the process more memory (heap and limit), or have it load less at a time.",
}
"""`{named}` is what the line names."""


def of(kind: diagnoses.CauseKind, named: str) -> str:
    """Empty for a kind of which the log tells no step."""
    text = OF_LOG.get(kind, "")
    return text.format(named=named or "what the log names")
