"""Processes that end: what their own last words, of many languages, say about why."""

from collections.abc import Sequence

from evals import stories as s
from evals.values import UNDO, Case

TRACE = ("Traceback (most recent call last):", '  File "/app/main.py", line 9, in <module>', "    main()")

CASES: Sequence[Case] = (
    Case(
        "python-variable-removed",
        "A rollout took DB_URL away; the process asks os.environ for it.",
        (
            s.rolled_out(
                "orders",
                {"env": s.variables(DB_URL=None)},
                env={"DB_URL": "postgres://db/orders", "LOG": "info"},
                before=s.unless(
                    "DB_URL",
                    "postgres://db/orders",
                    s.dies(*TRACE, '    url = os.environ["DB_URL"]', "KeyError: 'DB_URL'"),
                ),
            ),
        ),
        "orders",
        "CrashLoopBackOff",
        "missing-variable",
        cites=("DB_URL",),
        may=UNDO | {"set-env"},
        must="rollout-undo",
        least="high",
    ),
    Case(
        "go-variable-never-set",
        "A new Deployment was made without a variable that the process requires.",
        (s.broken("mailer", s.dies("required key SMTP_HOST missing value")),),
        "mailer",
        "CrashLoopBackOff",
        "missing-variable",
        cites=("SMTP_HOST",),
    ),
    Case(
        "node-variable-missing",
        "A new Deployment of a Nest service lacks JWT_ISSUER.",
        (
            s.broken(
                "login",
                s.dies(
                    '[Nest] 1  - ERROR [ExceptionHandler] Config validation error: "JWT_ISSUER" is required',
                    'Error: Config validation error: "JWT_ISSUER" is required',
                    "    at ConfigModule.forRoot (/app/node_modules/@nestjs/config/dist/config.module.js:77:23)",
                    "    at Object.<anonymous> (/app/dist/app.module.js:21:35)",
                    "    at Module._compile (node:internal/modules/cjs/loader:1554:14)",
                ),
            ),
        ),
        "login",
        "CrashLoopBackOff",
        "missing-variable",
        cites=("JWT_ISSUER",),
    ),
    Case(
        "spring-placeholder",
        "A Spring service has no value for PAYMENTS_API_BASE.",
        (
            s.broken(
                "billing",
                s.dies(
                    "2026-11-21 03:00:01.123 ERROR 1 --- [main] o.s.boot.SpringApplication : Application run failed",
                    "org.springframework.beans.factory.BeanCreationException: Error creating bean with name 'gateway'",
                    "\tat org.springframework.beans.factory.support.AbstractBeanFactory.doGetBean(AbstractBeanFactory.java:336)",
                    "Caused by: java.lang.IllegalArgumentException: Could not resolve placeholder 'PAYMENTS_API_BASE' in value"
                    ' "${PAYMENTS_API_BASE}"',
                    "\tat org.springframework.util.PropertyPlaceholderHelper.parseStringValue(PropertyPlaceholderHelper.java:180)",
                    "\t... 42 common frames omitted",
                ),
            ),
        ),
        "billing",
        "CrashLoopBackOff",
        "missing-variable",
        cites=("PAYMENTS_API_BASE",),
    ),
    Case(
        "postgres-image-without-password",
        "The official postgres image was started with no password variable.",
        (
            s.broken(
                "pg",
                s.dies(
                    "Error: Database is uninitialized and superuser password is not specified.",
                    "       You must specify POSTGRES_PASSWORD to a non-empty value for the",
                    '       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".',
                ),
            ),
        ),
        "pg",
        "CrashLoopBackOff",
        "missing-variable",
        also=frozenset({"bad-configuration"}),
        cites=("superuser password is not specified",),
    ),
    Case(
        "python-file-missing",
        "A release reads a settings file that the image does not hold.",
        (
            s.rolled_out(
                "quotes",
                {"image": s.image("quotes", "v2")},
                after=s.dies(
                    *TRACE, "FileNotFoundError: [Errno 2] No such file or directory: '/etc/quotes/rates.yaml'"
                ),
            ),
        ),
        "quotes",
        "CrashLoopBackOff",
        "missing-file",
        also=frozenset({"bad-rollout"}),
        cites=("/etc/quotes/rates.yaml",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "nginx-bad-directive",
        "The server's own configuration has a typo, since it was made.",
        (
            s.broken(
                "edge",
                s.dies(
                    "/docker-entrypoint.sh: Configuration complete; ready for start up",
                    '2026/11/21 03:00:00 [emerg] 1#1: unknown directive "proxy_pas" in /etc/nginx/conf.d/default.conf:7',
                    'nginx: [emerg] unknown directive "proxy_pas" in /etc/nginx/conf.d/default.conf:7',
                ),
            ),
        ),
        "edge",
        "CrashLoopBackOff",
        "bad-configuration",
        cites=("proxy_pas",),
    ),
    Case(
        "redis-bad-config",
        "redis does not know a directive of its configuration file.",
        (
            s.broken(
                "cache",
                s.dies(
                    "*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***",
                    "Reading the configuration file, at line 3",
                    ">>> 'maxmemory-polcy allkeys-lru'",
                    "Bad directive or wrong number of arguments",
                ),
            ),
        ),
        "cache",
        "CrashLoopBackOff",
        "bad-configuration",
    ),
    Case(
        "go-yaml-config",
        "A rollout points to another configuration, which is not valid YAML.",
        (
            s.rolled_out(
                "router",
                {"env": s.variables(CONFIG="/etc/router/next.yaml")},
                env={"CONFIG": "/etc/router/now.yaml"},
                before=s.unless(
                    "CONFIG",
                    "/etc/router/now.yaml",
                    s.dies(
                        'level=fatal msg="cannot load config" err="yaml: line 14: mapping values are not allowed in this context"'
                    ),
                ),
            ),
        ),
        "router",
        "CrashLoopBackOff",
        "bad-configuration",
        also=frozenset({"bad-rollout"}),
        cites=("yaml: line 14",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "entrypoint-not-in-image",
        "The image does not hold the command that its pod names.",
        (
            s.broken(
                "worker",
                s.programs.unstartable("/app/serve"),
                command=["/app/serve"],
            ),
        ),
        "worker",
        "ConfigError",
        "bad-command",
    ),
    Case(
        "shell-command-not-found",
        "The shell of the container does not find the program: exit 127.",
        (s.broken("sync", s.dies("/bin/sh: 1: rclone: not found", code=127)),),
        "sync",
        "CrashLoopBackOff",
        "bad-command",
        cites=("rclone",),
    ),
    Case(
        "wrong-architecture",
        "An arm64 image on amd64 nodes, since a rollout.",
        (
            s.rolled_out(
                "resize",
                {"image": s.image("resize", "v2")},
                after=s.dies("exec /usr/local/bin/resize: exec format error", code=255, after=0.2),
            ),
        ),
        "resize",
        "CrashLoopBackOff",
        "bad-image",
        also=frozenset({"bad-command", "bad-rollout"}),
        cites=("exec format error",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "unknown-flag",
        "A flag that this version does not know.",
        (
            s.rolled_out(
                "scraper",
                {"args": ["--retries=3"], "image": s.image("scraper", "v2")},
                after=s.dies(
                    "flag provided but not defined: -retries", "Usage of /scraper:", "  -interval duration", code=2
                ),
            ),
        ),
        "scraper",
        "CrashLoopBackOff",
        "bad-command",
        also=frozenset({"bad-rollout", "bad-configuration"}),
        cites=("-retries",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "volume-permission",
        "The process runs as another user than its volume belongs to.",
        (
            s.broken(
                "uploads",
                s.dies(
                    "node:internal/fs/utils:356",
                    "    throw err;",
                    "Error: EACCES: permission denied, mkdir '/data/incoming'",
                    "    at Object.mkdirSync (node:fs:1364:26)",
                    "    at Object.<anonymous> (/app/server.js:12:4)",
                    "  errno: -13,",
                    "  code: 'EACCES',",
                    "}",
                    "Node.js v22.11.0",
                ),
            ),
        ),
        "uploads",
        "CrashLoopBackOff",
        "permission",
        cites=("/data/incoming",),
    ),
    Case(
        "rbac-forbidden",
        "The ServiceAccount may not list what the controller watches.",
        (
            s.broken(
                "operator",
                s.dies(
                    'E1121 03:00:00.1 1 reflector.go:166] "Unhandled Error" err="failed to list *v1.ConfigMap: configmaps is forbidden: '
                    'User \\"system:serviceaccount:shop:operator\\" cannot list resource \\"configmaps\\" in API group \\"\\" at the cluster scope"',
                    "F1121 03:00:30.1 1 main.go:88] timed out waiting for caches to sync",
                ),
            ),
        ),
        "operator",
        "CrashLoopBackOff",
        "permission",
        cites=("cannot list resource",),
    ),
    Case(
        "privileged-port",
        "A non-root process binds port 80.",
        (s.broken("front", s.dies("2026/11/21 03:00:00 listen tcp :80: bind: permission denied")),),
        "front",
        "CrashLoopBackOff",
        "permission",
        also=frozenset({"wrong-port"}),
        cites=(":80",),
    ),
    Case(
        "certificate-expired",
        "The certificate of a partner has run out; the process ends at its start.",
        (
            s.broke(
                "fx",
                s.dies(
                    'panic: Get "https://rates.partner.example/v2": tls: failed to verify certificate: x509: certificate has '
                    "expired or is not yet valid: current time 2026-11-21T03:00:00Z is after 2026-11-21T00:00:00Z",
                    "",
                    "goroutine 1 [running]:",
                    "main.main()",
                    "\t/src/main.go:41 +0x1d",
                    code=2,
                ),
            ),
        ),
        "fx",
        "CrashLoopBackOff",
        "certificate",
        cites=("expired",),
    ),
    Case(
        "java-untrusted-issuer",
        "The JVM does not trust the issuer of an internal certificate.",
        (
            s.broken(
                "audit",
                s.dies(
                    'Exception in thread "main" javax.net.ssl.SSLHandshakeException: PKIX path building failed',
                    "\tat java.base/sun.security.ssl.Alert.createSSLException(Alert.java:131)",
                    "Caused by: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to"
                    " requested target",
                    "\t... 30 more",
                ),
            ),
        ),
        "audit",
        "CrashLoopBackOff",
        "certificate",
    ),
    Case(
        "database-scaled-away",
        "Somebody scaled the database to nothing; its client ends at its start.",
        (
            s.away("db", port=5432),
            s.broke(
                "ledger",
                s.dies(
                    *TRACE,
                    'psycopg2.OperationalError: connection to server at "db" (10.96.12.7), port 5432 failed: Connection refused',
                    "\tIs the server running on that host and accepting TCP/IP connections?",
                ),
                env={"DB_HOST": "db", "DB_PORT": "5432"},
            ),
        ),
        "ledger",
        "CrashLoopBackOff",
        "dependency-down",
        cites=("5432",),
    ),
    Case(
        "java-kafka-away",
        "The broker does not answer.",
        (
            s.broke(
                "stream",
                s.dies(
                    "WARN org.apache.kafka.clients.NetworkClient - [AdminClient clientId=adminclient-1] Connection to node -1 "
                    "(kafka.data.svc/10.96.4.4:9092) could not be established. Node may not be available.",
                    "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: listTopics",
                ),
            ),
        ),
        "stream",
        "CrashLoopBackOff",
        "dependency-down",
        cites=("kafka",),
    ),
    Case(
        "node-redis-refused",
        "The cache is away, and the client gives up.",
        (
            s.broke(
                "session",
                s.dies(
                    "node:events:502",
                    "Error: connect ECONNREFUSED 10.96.7.9:6379",
                    "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)",
                    "  errno: -111,",
                    "  code: 'ECONNREFUSED',",
                    "  syscall: 'connect',",
                    "  address: '10.96.7.9',",
                    "  port: 6379",
                    "}",
                ),
            ),
        ),
        "session",
        "CrashLoopBackOff",
        "dependency-down",
        cites=("6379",),
    ),
    Case(
        "dotnet-rabbit-unreachable",
        ".NET: the broker refuses connections.",
        (
            s.broke(
                "notify",
                s.dies(
                    "Unhandled exception. RabbitMQ.Client.Exceptions.BrokerUnreachableException: None of the specified endpoints"
                    " were reachable",
                    " ---> System.AggregateException: One or more errors occurred. (Connection failed, host 10.96.3.3:5672)",
                    "   at RabbitMQ.Client.ConnectionFactory.CreateConnection(IList`1 endpoints)",
                    code=134,
                ),
            ),
        ),
        "notify",
        "CrashLoopBackOff",
        "dependency-down",
    ),
    Case(
        "ruby-host-unknown",
        "The name of the database does not resolve: it was never a Service.",
        (
            s.broken(
                "blog",
                s.dies(
                    "bundler: failed to load command: puma (/usr/local/bundle/bin/puma)",
                    'PG::ConnectionBad: could not translate host name "postgress" to address: Name or service not known',
                ),
            ),
        ),
        "blog",
        "CrashLoopBackOff",
        "dns",
        also=frozenset({"dependency-down", "bad-configuration"}),
        cites=("postgress",),
    ),
    Case(
        "go-lookup-fails",
        "A rollout mistyped a host name.",
        (
            s.rolled_out(
                "search",
                {"env": s.variables(INDEX_HOST="elastc.shop.svc")},
                env={"INDEX_HOST": "elastic.shop.svc"},
                before=s.unless(
                    "INDEX_HOST",
                    "elastic.shop.svc",
                    s.dies("panic: dial tcp: lookup elastc.shop.svc on 10.96.0.10:53: no such host", code=2),
                ),
            ),
        ),
        "search",
        "CrashLoopBackOff",
        "dns",
        also=frozenset({"bad-rollout", "bad-configuration"}),
        cites=("elastc",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "database-password-wrong",
        "A rollout changed the user of the database to one whose password is another.",
        (
            s.rolled_out(
                "points",
                {"env": s.variables(DB_USER="points_rw")},
                env={"DB_USER": "points"},
                before=s.unless(
                    "DB_USER", "points", s.dies('FATAL:  password authentication failed for user "points_rw"')
                ),
            ),
        ),
        "points",
        "CrashLoopBackOff",
        "permission",
        also=frozenset({"bad-configuration", "bad-rollout"}),
        cites=("points_rw",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "port-taken-in-pod",
        "Two containers of a pod want the same port.",
        (
            s.broken(
                "proxy",
                s.dies(
                    "Error: listen EADDRINUSE: address already in use :::8080",
                    "    at Server.setupListenHandle [as _listen2] (node:net:1908:16)",
                ),
            ),
        ),
        "proxy",
        "CrashLoopBackOff",
        "wrong-port",
        also=frozenset({"bad-configuration"}),
        cites=("8080",),
    ),
    Case(
        "disk-full",
        "The volume of a data store is full.",
        (s.broke("store", s.dies('PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device')),),
        "store",
        "CrashLoopBackOff",
        "storage",
        cites=("No space left on device",),
    ),
    Case(
        "code-panics-since-rollout",
        "A release dereferences nil; nothing around it is at fault.",
        (
            s.rolled_out(
                "cart",
                {"image": s.image("cart", "v2")},
                after=s.dies(
                    "panic: runtime error: invalid memory address or nil pointer dereference",
                    "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x5f1a2c]",
                    "goroutine 1 [running]:",
                    "main.newServer(...)",
                    "\t/src/server.go:57",
                    code=2,
                ),
            ),
        ),
        "cart",
        "CrashLoopBackOff",
        "bad-rollout",
        also=frozenset({"application"}),
        cites=("nil pointer",),
        may=UNDO,
        must="rollout-undo",
        most="medium",
    ),
    Case(
        "code-asserts-without-rollout",
        "A process fails by itself over its data; nothing was rolled out.",
        (s.broke("ranker", s.dies(*TRACE, "AssertionError: model has 511 features, 512 expected")),),
        "ranker",
        "CrashLoopBackOff",
        "application",
        cites=("512 expected",),
        most="medium",
    ),
    Case(
        "silent-crash",
        "It ends with code 1 and says nothing.",
        (s.broken("mute", s.dies("starting")),),
        "mute",
        "CrashLoopBackOff",
        "application",
        also=frozenset({"unknown"}),
        most="low",
    ),
    Case(
        "task-in-a-deployment",
        "A program that does its work and ends runs in a Deployment, which starts it for ever.",
        (s.broken("seed", s.programs.finishes("seeding 12 tables", "done")),),
        "seed",
        "CrashLoopBackOff",
        "bad-command",
        also=frozenset({"application"}),
    ),
    Case(
        "init-migration",
        "The migration of an init container fails: a table is missing.",
        (s.scenarios.init_failing(),),
        "catalog",
        "InitFailing",
        "application",
        cites=('relation "orders" does not exist',),
    ),
    Case(
        "java-heap",
        "The heap of the JVM is smaller than what it loads.",
        (
            s.broke(
                "report",
                s.dies(
                    'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
                    "\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)",
                    "\tat com.shop.report.Loader.load(Loader.java:88)",
                ),
            ),
        ),
        "report",
        "CrashLoopBackOff",
        "limit-too-low",
        also=frozenset({"leak", "application"}),
        cites=("Java heap space",),
    ),
)
