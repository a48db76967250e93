"""The certificates of a cluster: what a client and a server check of each other holds, and nothing more than that."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster import cluster, pki

ISSUED = {file: (name, group, hosts) for file, name, group, hosts in cluster._certificates()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a cluster gets."""
    found = tmp_path_factory.mktemp("pki")
    authority = pki.Authority(found)
    for file, (name, group, hosts) in ISSUED.items():
        authority.issue(file, name, group=group, hosts=hosts)
    authority.key_pair("service-accounts")
    return found


def read(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def verifier(folder: Path) -> verification.PolicyBuilder:
    return verification.PolicyBuilder().store(verification.Store([read(folder, "ca")])).time(dt.datetime.now(dt.UTC))


@pytest.mark.parametrize("file", ISSUED)
def test_each_is_a_clients_with_the_name_and_the_group_of_its_component(folder: Path, file: str) -> None:
    certificate, (name, group, _) = read(folder, file), ISSUED[file]
    assert [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [name]
    groups = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ([group] if group else [])
    certificate.verify_directly_issued_by(read(folder, "ca"))
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.CLIENT_AUTH in usages
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    now = dt.datetime.now(dt.UTC)
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc - dt.timedelta(days=30)


@pytest.mark.parametrize("file", [file for file, (_, _, hosts) in ISSUED.items() if hosts])
def test_a_servers_is_good_for_its_hosts_and_for_no_other(folder: Path, file: str) -> None:
    certificate, hosts = read(folder, file), ISSUED[file][2]
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(each.value) for each in named} == set(hosts)
    for host in named:
        assert verifier(folder).build_server_verifier(host).verify(certificate, [])[0] == certificate
    with pytest.raises(verification.VerificationError):
        verifier(folder).build_server_verifier(x509.DNSName("example.org")).verify(certificate, [])


@pytest.mark.parametrize("file", [file for file, (_, _, hosts) in ISSUED.items() if not hosts])
def test_a_clients_is_no_servers(folder: Path, file: str) -> None:
    usages = read(folder, file).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH not in usages


def test_another_authority_of_the_same_name_is_not_believed(folder: Path, tmp_path: Path) -> None:
    pki.Authority(tmp_path).issue("apiserver", "kube-apiserver", hosts=("127.0.0.1",))
    host = x509.IPAddress(next(each.value for each in _names(tmp_path, "apiserver")))
    with pytest.raises(verification.VerificationError):
        verifier(folder).build_server_verifier(host).verify(read(tmp_path, "apiserver"), [])


def _names(folder: Path, file: str) -> x509.SubjectAlternativeName:
    return read(folder, file).extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_keys_fit_their_certificates_and_are_nobody_elses_to_read(folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    for file in ISSUED:
        context.load_cert_chain(folder / f"{file}.crt", folder / f"{file}.key")
    for path in folder.glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_key_that_signs_tokens_is_the_one_that_checks_them(folder: Path) -> None:
    private = load_pem_private_key((folder / "service-accounts.key").read_bytes(), password=None)
    assert private.public_key() == load_pem_public_key((folder / "service-accounts.pub").read_bytes())
