"""Keys and certificates in the formats of OpenSSH, made without its programs.

https://cryptography.io/en/latest/hazmat/primitives/asymmetric/serialization/#cryptography.hazmat.primitives.serialization.SSHCertificateBuilder
"""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_identity,
)

_CLOCK_SKEW_S = 300


def write_key_pair(path: Path) -> None:
    """Write a new private key, and its public key beside it."""
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(format_private_key(key))
    path.with_name(f"{path.name}.pub").write_bytes(_format_public_key(key.public_key()) + b"\n")


def format_private_key(key: Ed25519PrivateKey) -> bytes:
    """Return a private key in the format of OpenSSH, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def issue_certificate(authority: Path, seconds: int, principals: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the files of a new key and its certificate, which expires in `seconds`; a negative number is an expired one."""
    signer = load_ssh_private_key(authority.read_bytes(), password=None)
    assert isinstance(signer, Ed25519PrivateKey)
    key = Ed25519PrivateKey.generate()
    now = int(time.time())
    builder = (
        SSHCertificateBuilder()
        .public_key(key.public_key())
        .serial(secrets.randbits(64))
        .type(SSHCertificateType.USER)
        .key_id(b"stand-in")
        .valid_principals([name.encode() for name in principals])
        .valid_after(min(now, now + seconds) - _CLOCK_SKEW_S)
        .valid_before(now + seconds)
    )
    for permission in (b"permit-agent-forwarding", b"permit-port-forwarding", b"permit-pty"):
        builder = builder.add_extension(permission, b"")
    return format_private_key(key), builder.sign(signer).public_bytes() + b" fly.io\n"


def find_fault(certificate: bytes, authority: Path, user: str) -> str | None:
    """Return why a certificate is refused for this user, or None if it is accepted."""
    identity = load_ssh_public_identity(certificate)
    if not isinstance(identity, SSHCertificate):
        return "not a certificate"
    trusted = load_ssh_public_identity(authority.with_name(f"{authority.name}.pub").read_bytes())
    signer = identity.signature_key()
    assert isinstance(signer, Ed25519PublicKey)
    assert isinstance(trusted, Ed25519PublicKey)
    if _format_public_key(signer) != _format_public_key(trusted):
        return "signed by another authority"
    try:
        identity.verify_cert_signature()
    except InvalidSignature:
        return "forged"
    if identity.type is not SSHCertificateType.USER or identity.critical_options:
        return "not a plain user certificate"
    if not identity.valid_after <= time.time() < identity.valid_before:
        return "expired or not yet valid"
    return None if user.encode() in identity.valid_principals else f"not for {user}"


def _format_public_key(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
