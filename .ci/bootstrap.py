"""Makes `.venv` from uv.lock on a machine that has Python 3.11+ and nothing else. Called by `make setup`.

Standard library only. uv goes into `.venv/uv`, beside the locked packages and not among them, so that a sync may make
the environment exactly what the lock says. Debian's Python comes without ensurepip unless python3-venv is installed:
then pip's own wheel is fetched, checked and run as it is, for the one command that needs it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from pathlib import Path

OLDEST = (3, 11)
UV = "0.13.8"
PIP_URL = (
    "https://files.pythonhosted.org/packages/07/25/"
    "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
)
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV_BIN = VENV / "uv" / "bin" / "uv"


def main() -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"setup: Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version.split()[0]}")
    if not usable():
        print(f"setup: making .venv with Python {sys.version.split()[0]}", flush=True)
        if VENV.exists():
            shutil.rmtree(VENV)
        venv.create(VENV, symlinks=True)
    if not current_uv():
        print(f"setup: installing uv {UV} into .venv/uv", flush=True)
        install_uv()
    print("setup: installing what uv.lock names", flush=True)
    environ = os.environ | {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    environ.pop("VIRTUAL_ENV", None)  # another one that happens to be active
    run([str(UV_BIN), "sync", "--frozen", "--quiet", "--python", str(PYTHON)], environ)


def usable() -> bool:
    """Whether `.venv` holds a Python that is new enough and still there (its base may have been upgraded away)."""
    check = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([PYTHON, "-c", check], check=False).returncode == 0
    except OSError:
        return False


def current_uv() -> bool:
    try:
        answer = subprocess.run([UV_BIN, "--version"], check=False, capture_output=True, text=True).stdout
    except OSError:
        return False
    return answer.split()[1:2] == [UV]


def install_uv() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip"]
        if subprocess.run([*pip, "--version"], check=False, capture_output=True).returncode != 0:
            pip = [sys.executable, str(fetched_pip(Path(folder)) / "pip")]
        if UV_BIN.parent.parent.exists():
            shutil.rmtree(UV_BIN.parent.parent)
        options = [
            "--quiet",
            "--no-deps",
            "--only-binary",
            "uv",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]
        run([*pip, "install", *options, "--target", str(UV_BIN.parent.parent), f"uv=={UV}"], dict(os.environ))


def fetched_pip(folder: Path) -> Path:
    wheel = folder / PIP_URL.rpartition("/")[2]
    try:
        with urllib.request.urlopen(PIP_URL, timeout=60) as answer:
            content = answer.read()
    except urllib.error.URLError as error:
        sys.exit(f"setup: pip could not be fetched ({error}); install python3-venv and python3-pip, then try again")
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        sys.exit(f"setup: what came from {PIP_URL} is not what was expected")
    wheel.write_bytes(content)
    return wheel


def run(command: list[str], environ: dict[str, str]) -> None:
    ended = subprocess.run(command, check=False, cwd=ROOT, env=environ)
    if ended.returncode != 0:
        sys.exit(f"setup: {Path(command[0]).name} failed (exit {ended.returncode}); its own words are above")


if __name__ == "__main__":
    main()
