"""A certificate authority of the tests' own, made on the spot, and keys of all the kinds that C2PA names."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
DAY = timedelta(days=1)
KEYS = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
}


@dataclass(frozen=True)
class Credentials:
    certificate: str
    key: str


def named(name):
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def digest_for(key):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


class Authority:
    def __init__(self, folder: Path):
        self.folder, self.key = folder, KEYS["es256"]()
        self.certificate = self.signed(self.key.public_key(), "Test authority", named("Test authority"), is_ca=True)
        self.anchors = str(self.written("anchors.pem", pem(self.certificate)))

    def signed(self, public, name, issuer, is_ca=False, begin=-DAY, end=DAY, signing=True, use=EMAIL):
        now = datetime.now(timezone.utc)
        usage = x509.KeyUsage(signing and not is_ca, False, not signing, False, False, is_ca, is_ca, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if use and not is_ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        return builder.sign(self.key, digest_for(self.key))

    def credentials(self, kind="es256", passphrase=None, key=None, **options) -> Credentials:
        """Files of a new key with a certificate. options: of `signed`."""
        key = key or KEYS[kind]()
        leaf = self.signed(key.public_key(), "A studio", self.certificate.subject, **options)
        lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        stem = f"{leaf.serial_number:x}"
        return Credentials(
            str(self.written(f"{stem}-cert.pem", pem(leaf) + pem(self.certificate))),
            str(self.written(f"{stem}-key.pem", content)),
        )

    def written(self, name, content) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name


def pem(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
