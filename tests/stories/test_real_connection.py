"""Ways to a real API server, and what is said of each that does not lead there: real TLS, real tokens, real plugins.

Needs no more than a control plane. What is said must name what a person can do about it.
"""

import base64
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.client import connection, errors, reader
from tests.cluster import pki
from tests.grounds import real

pytestmark = [pytest.mark.story, pytest.mark.real]

PLUGIN = """#!{python}
import json, os, pathlib, sys
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential"
with pathlib.Path(__file__).with_name("calls").open("a") as calls:
    calls.write("x")
{body}
answer = {{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {status}}}
print(json.dumps(answer))
"""


class Way:
    """A kubeconfig to the real cluster, in parts that a story changes."""

    def __init__(self, ground: real.Real, administrator: Path, folder: Path) -> None:
        self.ground = ground
        self.folder = folder
        read = yaml.safe_load(Path(ground.settings()["KUBECONFIG"]).read_text())
        self.cluster: dict[str, Any] = read["clusters"][0]["cluster"]
        self.user: dict[str, Any] = read["users"][0]["user"]
        self.administrator: dict[str, Any] = yaml.safe_load(administrator.read_text())["users"][0]["user"]

    @property
    def token(self) -> str:
        return str(self.user["token"])

    def write(self, **user: Any) -> Path:
        """A kubeconfig with this user, or with the reader's token."""
        path = self.folder / "way.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "way",
            "clusters": [{"name": "here", "cluster": self.cluster}],
            "users": [{"name": "who", "user": user or self.user}],
            "contexts": [{"name": "way", "context": {"cluster": "here", "user": "who"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def plugin(self, body: str, status: str) -> dict[str, Any]:
        """`exec:` of a kubeconfig, with a program that prints this status."""
        script = self.folder / "plugin"
        script.write_text(PLUGIN.format(python=sys.executable, body=body, status=status))
        script.chmod(0o755)
        api = "client.authentication.k8s.io/v1"
        return {"exec": {"apiVersion": api, "command": str(script), "args": [], "interactiveMode": "Never"}}

    async def pods(self, **user: Any) -> list[Any]:
        """The pods of the story's namespace, as the bot would list them."""
        opened = await connection.Connection.open(connection.ClusterAccess("way", self.write(**user)))
        try:
            return await reader.Reader(opened).list_json("pods", self.ground.namespace)
        finally:
            await opened.close()

    async def fails(self, kind: type[errors.ClusterError], *parts: str, **user: Any) -> str:
        """It fails so, with all of these parts in what is said and no secret in it."""
        with pytest.raises(kind) as failed:
            await self.pods(**user)
        said = str(failed.value)
        assert [part for part in parts if part not in said] == [], said
        assert self.token[-20:] not in said
        return said


@pytest.fixture
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Way]:
    administrator: Path = request.config.getoption("--kubeconfig")
    async with real.Real.open(administrator, tmp_path) as ground:
        yield Way(ground, administrator, tmp_path)


# --- ways that lead there -------------------------------------------------------------------------------------------


async def test_a_token_leads_there(way: Way) -> None:
    assert await way.pods() == []


async def test_a_client_certificate_leads_there(way: Way) -> None:
    if "client-certificate-data" not in way.administrator:
        pytest.skip("this cluster's administrator has no client certificate")
    assert await way.pods(**way.administrator) == []


async def test_certificates_in_files_beside_the_kubeconfig_lead_there_too(way: Way) -> None:
    if "client-certificate-data" not in way.administrator:
        pytest.skip("this cluster's administrator has no client certificate")
    given = {"ca": way.cluster["certificate-authority-data"]}
    given |= {name: way.administrator[f"client-{name}-data"] for name in ("certificate", "key")}
    for name, data in given.items():
        (way.folder / f"{name}.pem").write_bytes(base64.b64decode(data))
    way.cluster = {"server": way.cluster["server"], "certificate-authority": "ca.pem"}
    assert await way.pods(**{"client-certificate": "certificate.pem", "client-key": "key.pem"}) == []


async def test_a_credential_plugin_leads_there_and_is_not_run_for_each_request(way: Way) -> None:
    user = way.plugin("", json.dumps({"token": way.token}))
    opened = await connection.Connection.open(connection.ClusterAccess("way", way.write(**user)))
    try:
        for _ in range(3):
            assert await reader.Reader(opened).list_json("pods", way.ground.namespace) == []
    finally:
        await opened.close()
    assert (way.folder / "calls").read_text() == "x"


async def test_a_credential_plugin_may_give_a_client_certificate(way: Way) -> None:
    if "client-certificate-data" not in way.administrator:
        pytest.skip("this cluster's administrator has no client certificate")
    names = {"clientCertificateData": "client-certificate-data", "clientKeyData": "client-key-data"}
    status = {name: base64.b64decode(way.administrator[data]).decode() for name, data in names.items()}
    assert await way.pods(**way.plugin("", json.dumps(status))) == []


async def test_a_token_that_a_plugin_renews_is_taken_after_the_old_one_is_refused(way: Way) -> None:
    body = f"fresh = {way.token!r} if pathlib.Path(__file__).with_name('calls').read_text() > 'x' else 'old'"
    user = way.plugin(body, '{"token": fresh}')
    opened = await connection.Connection.open(connection.ClusterAccess("way", way.write(**user)))
    try:
        opened.forget_credentials()
        assert await reader.Reader(opened).list_json("pods", way.ground.namespace) == []
    finally:
        await opened.close()


# --- ways that do not -----------------------------------------------------------------------------------------------


async def test_another_authority_is_not_trusted(way: Way) -> None:
    pki.Authority(way.folder / "other")
    other = base64.b64encode((way.folder / "other" / "ca.crt").read_bytes()).decode()
    way.cluster = way.cluster | {"certificate-authority-data": other}
    await way.fails(errors.Unreachable, "certificate is not trusted", "certificate-authority")


async def test_no_authority_at_all_is_the_systems_and_not_trusted_either(way: Way) -> None:
    way.cluster = {"server": way.cluster["server"]}
    await way.fails(errors.Unreachable, "certificate is not trusted", "certificate-authority")


async def test_a_certificate_of_another_name_is_not_trusted(way: Way) -> None:
    way.cluster = way.cluster | {"tls-server-name": "kubernetes.example.org"}
    await way.fails(errors.Unreachable, "certificate is not trusted", "kubernetes.example.org", "tls-server-name")


async def test_a_name_that_the_certificate_has_is_taken_for_the_hosts(way: Way) -> None:
    way.cluster = way.cluster | {"tls-server-name": "kubernetes.default.svc"}
    assert await way.pods() == []


async def test_plain_http_to_a_tls_port_is_said_to_be_that(way: Way) -> None:
    way.cluster = way.cluster | {"server": way.cluster["server"].replace("https:", "http:")}
    await way.fails(errors.ClusterError, "HTTPS")


async def test_a_token_that_is_none_is_refused(way: Way) -> None:
    await way.fails(errors.Unauthorized, "credentials", "expired", token="eyJhbGciOiJSUzI1NiJ9.e30.AAAA")


async def test_a_token_of_an_account_that_is_gone_is_refused(way: Way) -> None:
    admin = way.ground.admin
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "passing"}}
    await admin.create(account)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = admin.path("ServiceAccount", "passing", None, "token")
    token = (await admin.ask("POST", path, body=request))["status"]["token"]
    await admin.delete("ServiceAccount", "passing")
    await way.fails(errors.Unauthorized, "credentials", token=token)


async def test_a_certificate_of_another_authority_is_refused(way: Way) -> None:
    pki.Authority(way.folder / "other").issue("impostor", "admin", group="system:masters")
    files = {f"client-{name}": f"other/impostor.{end}" for name, end in (("certificate", "crt"), ("key", "key"))}
    await way.fails(errors.Unauthorized, "credentials", **files)


async def test_nobody_at_all_is_anonymous_and_may_not(way: Way) -> None:
    await way.fails(errors.ClusterError, "credentials", username="", password="")


async def test_a_key_that_does_not_fit_its_certificate_cannot_be_used(way: Way) -> None:
    authority = pki.Authority(way.folder / "other")
    authority.issue("one", "admin")
    authority.issue("two", "admin")
    files = {"client-certificate": "other/one.crt", "client-key": "other/two.key"}
    await way.fails(errors.ConfigurationError, "certificates cannot be used", **files)


async def test_a_plugin_that_fails_is_named(way: Way) -> None:
    await way.fails(
        errors.ConfigurationError,
        "the credential plugin",
        str(way.folder / "plugin"),
        **way.plugin("sys.exit('you must log in first')", "{}"),
    )


async def test_a_plugin_whose_token_is_refused_is_told_as_refused(way: Way) -> None:
    await way.fails(errors.Unauthorized, "credentials", **way.plugin("", '{"token": "stale"}'))
