"""Hosts by environment and log: what is one, what is none, and that no password comes with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.evidence import hosts


def container(**env: str) -> dict[str, object]:
    return {"name": "app", "env": [{"name": name, "value": value} for name, value in env.items()]}


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({"DB_URL": "postgres://app:hunter2@db.payments:5432/app"}, [("db.payments", 5432)]),
        ({"DB_HOST": "db", "DB_PORT": "5432"}, [("db", 5432)]),
        (
            {"KAFKA_BROKERS": "kafka-0.kafka:9092,kafka-1.kafka:9092"},
            [("kafka-0.kafka", 9092), ("kafka-1.kafka", 9092)],
        ),
        ({"MONGO": "mongodb://u:p@a:27017,b:27018/x?x=1"}, [("a", 27017), ("b", 27018)]),
        ({"DSN": "host=db port=5432 user=app password=x"}, [("db", 5432)]),
        ({"JDBC": "jdbc:postgresql://db.svc-x.svc.cluster.local:5432/x"}, [("db.svc-x.svc.cluster.local", 5432)]),
        ({"CATALOG_SERVICE": "catalog"}, [("catalog", 0)]),
        ({"LOG_LEVEL": "info", "MODE": "release:1", "IMAGE": "nginx:1"}, []),
        ({"LISTEN_ADDR": "web:8080", "POD_HOST": "me", "URL": "http://localhost:80", "BIND": "127.0.0.1:80"}, []),
        ({"PLACE": "main.go:12", "AT": "12:30", "IMAGE_TAG": "v1"}, []),
    ],
)
def test_what_a_container_is_told_to_talk_to(env: dict[str, str], found: list[tuple[str, int]]) -> None:
    assert [(one.host, one.port) for one in hosts.of_container(container(**env))] == found


def test_arguments_name_hosts_as_well() -> None:
    shown = hosts.of_container({"args": ["--upstream=http://catalog:8080/x", "--cache=redis.cache.svc:6379"]})
    assert [(one.host, one.port) for one in shown] == [("catalog", 8080), ("redis.cache.svc", 6379)]


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        ("dial tcp: lookup db.payments.svc on 10.96.0.10:53: no such host", "db.payments.svc", 0),
        ("Error: getaddrinfo ENOTFOUND db", "db", 0),
        ('could not translate host name "db" to address: Name or service not known', "db", 0),
        ("java.net.UnknownHostException: catalog", "catalog", 0),
        ('connection to server at "db" (10.96.0.3), port 5432 failed: Connection refused', "db", 5432),
        ("HTTPConnectionPool(host='catalog', port=80): Max retries exceeded: Connection refused", "catalog", 80),
        ("dial tcp 10.96.4.7:5432: connect: connection refused", "10.96.4.7", 5432),
        ("connect ECONNREFUSED 10.96.4.7:5432", "10.96.4.7", 5432),
        ("Connection to db.payments:5432 refused", "db.payments", 5432),
    ],
)
def test_what_a_log_complains_about(line: str, host: str, port: int) -> None:
    assert (host, port) in [(one.host, one.port) for one in hosts.of_log([line])]


def test_a_line_without_trouble_complains_about_nothing() -> None:
    assert hosts.of_log(["INFO connected to db:5432", "INFO timeout set to 30s for db:5432"]) == []


@pytest.mark.parametrize(
    ("host", "first"),
    [
        ("db", ("shop", "db")),
        ("db.payments", ("payments", "db")),
        ("db.payments.svc", ("payments", "db")),
        ("db-0.db.payments.svc.cluster.local", ("payments", "db")),
        ("db-0.db.payments", ("payments", "db")),
    ],
)
def test_a_name_means_a_service(host: str, first: tuple[str, str]) -> None:
    assert hosts.services(host, "shop")[0] == first


def test_a_long_name_outside_of_the_cluster_means_none() -> None:
    assert hosts.services("hooks.eu.api.example.com", "shop") == []
    assert hosts.services("api.example.com", "shop") == []
    assert not hosts.sure("api.example.com")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["DB_URL", "X_HOST", "ANY"]))
def test_no_text_is_too_odd(text: str, name: str) -> None:
    for one in (*hosts.of_container(container(**{name: text})), *hosts.of_log([f"refused {text}"])):
        assert 0 <= one.port < 65536
        assert one.host == one.host.lower()
        hosts.services(one.host, "shop")


@settings(max_examples=40, deadline=None)
@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789:_-", min_size=8, max_size=30))
def test_a_password_in_an_address_is_not_a_host(password: str) -> None:
    shown = hosts.of_container(container(DB_URL=f"postgres://app:{password}@db:5432/app"))
    assert [(one.host, one.port) for one in shown] == [("db", 5432)]


def test_what_stands_in_the_environment_goes_before_what_comes_from_config_maps() -> None:
    container = {
        "envFrom": [
            {"configMapRef": {"name": "a"}},
            {"configMapRef": {"name": "b"}, "prefix": "X_"},
            {"secretRef": {}},
        ],
        "env": [
            {"name": "DB_HOST", "value": "own"},
            {"name": "MQ_HOST", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "mq"}}},
            {"name": "S_HOST", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
    }
    assert hosts.config_maps(container) == ["a", "b", "c"]
    data = {"a": {"DB_HOST": "other", "S_HOST": "plain"}, "b": {"HOST": "b"}, "c": {"mq": "mq", "no": "no"}}
    assert hosts.environment(container, data) == {"DB_HOST": "own", "X_HOST": "b", "MQ_HOST": "mq"}
    assert hosts.environment(container, {}) == {"DB_HOST": "own"}
