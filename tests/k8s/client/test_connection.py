"""Opening the way to a cluster: kubeconfigs, contexts, users, fresh credentials, timeouts, bounded concurrency."""

import asyncio
import contextlib
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import pytest
import time_machine
from aiohttp import web

from k8s.client import connection, errors
from tests.cluster import pki
from tests.k8s.client import servers

AUTHORITIES = Path(certifi.where()).read_bytes()
VERSION = servers.always({"gitVersion": "v1.34.1"})


def tokens(server: servers.Server) -> list[str]:
    return [seen.headers.get("Authorization", "") for seen in server.seen]


async def opened(path: Path | None, **more: Any) -> connection.Connection:
    return await connection.Connection.open(connection.ClusterAccess("prod-eu", path, **more), servers.QUICK)


async def test_it_says_who_we_are_and_reads_the_version(tmp_path: Path) -> None:
    async with servers.serving(VERSION) as server, servers.connected(server, tmp_path) as over:
        assert over.name == "prod-eu"
        assert over.server == server.url
        assert await over.version() == "v1.34.1"
    assert tokens(server) == ["Bearer reading-token"]
    assert server.seen[0].headers["User-Agent"] == "watchkeeper"


async def test_another_user_of_the_kubeconfig_can_be_taken(tmp_path: Path) -> None:
    async with servers.serving(VERSION) as server:
        over = await opened(servers.kubeconfig(tmp_path, server.url), context="staging", user="writer")
        await over.version()
        await over.close()
    assert tokens(server) == ["Bearer writing-token"]


async def test_a_wrong_context_is_named_with_the_file_and_the_nearest_match(tmp_path: Path) -> None:
    path = servers.kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(errors.ConfigurationError) as caught:
        await opened(path, context="prod-uE")
    assert str(path) in caught.value.message
    assert "known: prod-eu, staging" in caught.value.message
    assert "Did you mean 'prod-eu'?" in caught.value.message


async def test_a_wrong_user_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="no user 'writter'; known: reader, writer"):
        await opened(servers.kubeconfig(tmp_path, "http://127.0.0.1:1"), user="writter")


async def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"there is no kubeconfig at .*nowhere"):
        await opened(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text",
        "- a\n- list",
        "contexts: 7",
        "{",
        "contexts: [{name: prod-eu}]",
        "current-context: prod-eu\ncontexts: [{name: prod-eu, context: {cluster: gone, user: u}}]\n",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: null}]",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c}]\nusers: []",
    ],
)
async def test_a_broken_kubeconfig_is_a_configuration_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(errors.ConfigurationError) as caught:
        await opened(path)
    assert str(path) in caught.value.message


async def test_a_broken_kubeconfig_does_not_tell_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("users:\n- name: a\n  user: {token: s3cr3t\n", encoding="utf-8")
    with pytest.raises(errors.ConfigurationError) as caught:
        await opened(path)
    assert "s3cr3t" not in str(caught.value)


async def test_missing_certificates_are_a_configuration_error(tmp_path: Path) -> None:
    path = servers.kubeconfig(tmp_path, "https://127.0.0.1:1", authority="gone.pem")
    with pytest.raises(errors.ConfigurationError):
        await opened(path)


async def test_broken_certificates_are_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate", encoding="utf-8")
    path = servers.kubeconfig(tmp_path, "https://127.0.0.1:1", authority="ca.pem")
    with pytest.raises(errors.ConfigurationError, match="certificates cannot be used"):
        await opened(path)


# --- credentials that change ------------------------------------------------------------------------------------------


def plugin(folder: Path, body: str) -> dict[str, Any]:
    """A credential plugin that prints an ExecCredential; `body` is Python that sets `status`."""
    script = folder / "plugin.py"
    answer = "{'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status': status}"
    script.write_text(f"#!{sys.executable}\nimport json, pathlib\n{body}\nprint(json.dumps({answer}))\n", "utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "args": []}}


COUNTING = """
count = pathlib.Path(__file__).with_name("count")
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
status = {"token": f"token-{number}"}
"""


async def test_a_credential_plugin_is_asked_once_for_many_requests(tmp_path: Path) -> None:
    async with servers.serving(VERSION) as server:
        over = await opened(servers.kubeconfig(tmp_path, server.url, plugin(tmp_path, COUNTING)))
        for _ in range(3):
            await over.version()
        await over.close()
    assert tokens(server) == ["Bearer token-1"] * 3


async def test_after_a_401_the_plugin_is_asked_again_and_the_request_repeated_once(tmp_path: Path) -> None:
    async def fresh_only(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer token-1":
            return await servers.status(401, "Unauthorized")(request)
        return await VERSION(request)

    async with servers.serving(fresh_only) as server:
        over = await opened(servers.kubeconfig(tmp_path, server.url, plugin(tmp_path, COUNTING)))
        over.forget_credentials()
        assert await over.version() == "v1.34.1"
        await over.close()
    assert tokens(server)[-1] == "Bearer token-2"


async def test_a_401_with_fresh_credentials_is_final(tmp_path: Path) -> None:
    async with (
        servers.serving(servers.status(401, "Unauthorized")) as server,
        servers.connected(server, tmp_path) as over,
    ):
        with pytest.raises(errors.Unauthorized):
            await over.version()
    assert len(server.seen) == 2


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first", encoding="utf-8")
    async with servers.serving(VERSION) as server:
        over = await opened(servers.kubeconfig(tmp_path, server.url, {"tokenFile": str(token)}))
        await over.version()
        token.write_text("second", encoding="utf-8")
        over.forget_credentials()
        await over.version()
        await over.close()
    assert tokens(server) == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("body", ["raise SystemExit(3)", "status = {}", "status = {'clientCertificateData': 'x'}"])
async def test_a_plugin_without_credentials_is_a_configuration_error(tmp_path: Path, body: str) -> None:
    for scheme in ("http", "https"):
        path = servers.kubeconfig(tmp_path, f"{scheme}://127.0.0.1:1", plugin(tmp_path, body))
        with pytest.raises(errors.ConfigurationError, match=r"credential plugin '.*plugin.py' gave no credentials"):
            await opened(path)


async def test_a_plugin_that_is_not_installed_is_a_configuration_error(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(tmp_path / "aws")}}
    with pytest.raises(errors.ConfigurationError, match="gave no credentials"):
        await opened(servers.kubeconfig(tmp_path, "http://127.0.0.1:1", user))


async def test_outside_of_a_cluster_the_service_account_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="not inside a cluster"):
        await opened(None, in_cluster=True, service_account=tmp_path)


# --- TLS --------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def over_tls(folder: Path) -> AsyncIterator[str]:
    """The URL of a server whose certificate is signed by `ca.crt` of the folder and names localhost alone."""
    pki.Authority(folder).issue("server", "server", hosts=("localhost",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    app = web.Application()
    app.router.add_get("/version", VERSION)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_certificate_of_the_kubeconfigs_authority_is_trusted(tmp_path: Path) -> None:
    async with over_tls(tmp_path) as url:
        over = await opened(servers.kubeconfig(tmp_path, url, authority="ca.crt"))
        assert await over.version() == "v1.34.1"
        await over.close()


@pytest.mark.parametrize(
    ("authority", "host", "hint"),
    [("other/ca.crt", "localhost", "certificate-authority"), ("ca.crt", "127.0.0.1", "tls-server-name")],
)
async def test_a_certificate_that_is_not_trusted_is_told_with_what_to_set_right(
    tmp_path: Path, authority: str, host: str, hint: str
) -> None:
    pki.Authority(tmp_path / "other")
    async with over_tls(tmp_path) as url:
        over = await opened(servers.kubeconfig(tmp_path, url.replace("localhost", host), authority=authority))
        with pytest.raises(errors.Unreachable, match=f"its certificate is not trusted .*{hint}") as caught:
            await over.version()
        await over.close()
    assert not caught.value.sent


# --- requests ---------------------------------------------------------------------------------------------------------


async def test_a_busy_server_is_asked_again_for_a_read(tmp_path: Path) -> None:
    busy = servers.always({"kind": "Status", "message": "later"}, 503)
    async with servers.serving(servers.in_turn(busy, VERSION)) as server, servers.connected(server, tmp_path) as over:
        assert await over.version() == "v1.34.1"
    assert len(server.seen) == 2


async def test_a_write_is_never_repeated(tmp_path: Path) -> None:
    async with servers.serving(servers.status(503, "later")) as server, servers.connected(server, tmp_path) as over:
        with pytest.raises(errors.ServerFault):
            await over.send(connection.Request("patch", "PATCH", "/api/v1/x", body={"a": 1}))
    assert len(server.seen) == 1


async def test_a_dropped_write_is_never_repeated(tmp_path: Path) -> None:
    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with servers.serving(servers.in_turn(VERSION, drop)) as server, servers.connected(server, tmp_path) as over:
        await over.version()  # the second request goes over the same, kept connection
        with pytest.raises(errors.Unreachable):
            await over.send(connection.Request("delete", "DELETE", "/api/v1/x", body={"a": 1}))
    assert [seen.method for seen in server.seen] == ["GET", "DELETE"]


async def test_a_dropped_command_is_never_repeated_though_it_is_a_get(tmp_path: Path) -> None:
    """aiohttp sends a GET again by itself where a connection that was used before is dropped."""

    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with servers.serving(servers.in_turn(VERSION, drop)) as server, servers.connected(server, tmp_path) as over:
        await over.version()  # the connection stands, and is used again
        asked = connection.Request("run", "GET", "/api/v1/namespaces/a/pods/b/exec")
        with pytest.raises(errors.Unreachable) as raised:
            async with over.conversation(asked, ("v5.channel.k8s.io",)):
                pass
        assert raised.value.sent
        assert [seen.path for seen in server.seen] == ["/version", asked.path]


async def test_a_server_that_asks_for_a_long_pause_is_not_asked_again_now(tmp_path: Path) -> None:
    async with (
        servers.serving(servers.always({"kind": "Status"}, 429, {"Retry-After": "60"})) as server,
        servers.connected(server, tmp_path) as over,
    ):
        with pytest.raises(errors.Throttled):
            await over.version()
    assert len(server.seen) == 1


async def test_requests_at_the_same_time_are_bounded(tmp_path: Path) -> None:
    at_once, most = 0, 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return await VERSION(request)

    limits = connection.CallLimits(concurrency=3)
    async with servers.serving(slow) as server, servers.connected(server, tmp_path, limits) as over:
        await asyncio.gather(*(over.version() for _ in range(12)))
    assert most == 3


async def test_proxies_of_the_environment_are_not_used_for_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with servers.serving(VERSION) as server, servers.connected(server, tmp_path) as over:
        assert await over.version() == "v1.34.1"
        assert over.api_client.configuration.proxy is None


async def test_proxies_of_the_environment_are_used_for_others_unless_excluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    proxies = {}
    for host in ("api.example.com", "inside.example.com"):
        over = await opened(servers.kubeconfig(tmp_path, f"https://{host}"))
        proxies[host] = over.api_client.configuration.proxy
        await over.close()
    assert proxies == {"api.example.com": "http://proxy.example.com:3128", "inside.example.com": None}


async def test_nothing_is_logged_of_bodies_or_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with servers.serving(VERSION) as server, servers.connected(server, tmp_path) as over:
        await over.send(connection.Request("patch", "PATCH", "/api/v1/x", body={"password": "s3cr3t"}))
    assert "s3cr3t" not in caplog.text
    assert "reading-token" not in caplog.text


async def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    async with servers.serving(VERSION) as server:
        over = await opened(servers.kubeconfig(tmp_path, server.url))
        await over.version()
        await over.close()
        await over.close()


async def test_inside_a_cluster_the_projected_token_is_read_again_every_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "ca.crt").write_bytes(AUTHORITIES)
    (tmp_path / "token").write_text("first", encoding="utf-8")
    over = await opened(None, in_cluster=True, service_account=tmp_path)
    assert over.server == "https://10.96.0.1:443"
    configuration = over.api_client.configuration
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer first"
    (tmp_path / "token").write_text("second", encoding="utf-8")
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer first"
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2), tick=False):
        assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer second"
    await over.close()
