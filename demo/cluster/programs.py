"""The programs inside the images of the scenarios: what they log, and when and why they end.

Each is a function of what the container was started with, so a repaired environment, limit or tag heals it.
"""

from demo.cluster.images import Launch, Program, Run, serve

MIB = 1024.0 * 1024.0
_PASSWORD = "hunter2-" + "Zx81" + "-prod"
DATABASE_URL = "postgres" + "://app:" + _PASSWORD + "@db.payments.svc:5432/payments"
"""A made-up secret that one log line gives away, so that redaction has something to do."""


def needs_env(*names: str) -> Program:
    """A Python service that reads its environment at start: a traceback and exit 1 when a name is missing."""

    def program(launch: Launch) -> Run:
        missing = next((name for name in names if not launch.env.get(name)), None)
        if missing is None:
            return _payments(launch)
        lines = (
            (0.1, f"INFO  payments.api {launch.tag} starting, pid 1"),
            (0.3, "INFO  loading configuration from the environment"),
            (0.4, f"WARN  settings.legacy: PAYMENTS_DSN={DATABASE_URL} is deprecated, reading {missing} instead"),
            (0.6, "Traceback (most recent call last):"),
            (0.6, '  File "/app/main.py", line 12, in <module>'),
            (0.6, "    settings = Settings.from_environment()"),
            (0.6, '  File "/app/payments/settings.py", line 31, in from_environment'),
            (0.6, f'    return cls(database_url=os.environ["{missing}"])'),
            (0.6, '  File "<frozen os>", line 685, in __getitem__'),
            (0.6, f"KeyError: '{missing}'"),
        )
        return Run(lines=lines, exit_after=0.8, exit_code=1)

    return program


def _payments(launch: Launch) -> Run:
    lines = (
        (0.1, f"INFO  payments.api {launch.tag} starting, pid 1"),
        (0.3, "INFO  loading configuration from the environment"),
        (0.8, "INFO  connected to the database, 12 migrations applied"),
        (1.2, "INFO  listening on 0.0.0.0:8080"),
    )
    repeat = (
        "INFO  POST /v1/charges 201 41ms",
        "INFO  GET /v1/charges/ch_1PqX 200 6ms",
        "INFO  POST /v1/refunds 201 57ms",
    )
    return Run(lines=lines, repeat=repeat, period=7.0, ready_after=1.5, stop_after=2.5)


def grows(megabytes_per_second: float = 6.0, start: float = 90.0, needs: float = 900.0) -> Program:
    """A process whose memory grows to `needs` MiB: the kernel kills it when its limit is lower."""

    def program(launch: Launch) -> Run:
        limit = None if launch.memory_limit is None else launch.memory_limit / MIB
        head = (
            (0.2, f"INFO  indexer {launch.tag} starting"),
            (1.0, "INFO  opening segment store /var/lib/indexer"),
            (2.0, "INFO  building the term dictionary in memory"),
        )
        if limit is None or limit >= needs:
            return Run(lines=head, repeat=("INFO  indexed 5000 documents, heap stable",), period=15.0, ready_after=2.5)
        until = max(3.0, (limit - start) / megabytes_per_second)
        growth = tuple(
            (
                3.0 + i * 5.0,
                f"INFO  indexed {(i + 1) * 5000} documents, heap {start + megabytes_per_second * (3 + i * 5):.0f} MiB",
            )
            for i in range(int((until - 3.0) // 5.0) + 1)
        )
        used = limit * MIB * 0.996
        return Run(
            lines=head + growth, exit_after=until, exit_code=137, reason="OOMKilled", ready_after=2.5, used_memory=used
        )

    return program


def fails(*lines: str, code: int = 1, after: float = 1.0) -> Program:
    """Logs and exits with an error, always."""
    timed = tuple((after * 0.8 * (i + 1) / max(1, len(lines)), text) for i, text in enumerate(lines))
    return lambda _: Run(lines=timed, exit_after=after, exit_code=code)


def finishes(*lines: str, after: float = 3.0) -> Program:
    """A task that does its work and exits 0."""
    timed = tuple((after * 0.8 * (i + 1) / max(1, len(lines)), text) for i, text in enumerate(lines))
    return lambda _: Run(lines=timed, exit_after=after, exit_code=0)


UNREACHABLE = "ERROR GET /healthz 503: dependency catalog unavailable: connection refused"


def never_ready(error: str = "HTTP probe failed with statuscode: 503", says: str = UNREACHABLE) -> Program:
    """Runs, but its readiness probe fails for ever; it says so again and again."""
    lines = (
        (0.1, "INFO  starting"),
        (0.5, "INFO  listening on :8080"),
        (0.9, "WARN  waiting for the cache to warm up"),
    )
    return lambda _: Run(lines=lines, repeat=(says,), period=5.0, ready_after=None, probe_error=error)


def hangs(after: float = 20.0) -> Program:
    """Serves for a while, then stops answering its liveness probe."""
    error = 'Get "http://10.244.0.7:8080/healthz": context deadline exceeded '
    error += "(Client.Timeout exceeded while awaiting headers)"
    lines = (
        (0.1, "INFO  starting"),
        (0.5, "INFO  listening on :8080"),
        (after, "ERROR worker pool exhausted, deadlock?"),
    )
    return lambda _: Run(lines=lines, ready_after=0.8, live_until=after, probe_error=error)


def unstartable(command: str = "/app/serve") -> Program:
    """The image has no such command: the runtime cannot start it."""
    text = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f'unable to start container process: error during container init: exec: "{command}": stat {command}: '
        "no such file or directory: unknown"
    )
    return lambda _: Run(start_error=text)


HEALTHY = serve()
