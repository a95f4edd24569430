"""Signatures by C2PA, with c2pa-python: an extra, which this program asks for only when something is signed or a
signature is to be verified. Nothing of it uses the network: no time stamp, no remote manifest, no OCSP.

C2PA Technical Specification 2.2, section 14 ("Trust model"), asks of a certificate: valid now, not that of an
authority, key usage digitalSignature, and among its extended uses emailProtection, documentSigning or C2PA's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import InputError, InstallError, OutputError, UsageError, is_out_of_memory
from ..media.files import regular_file
from ..media.provenance import IPTC_TERMS, SOFTWARE

if TYPE_CHECKING:
    from cryptography import x509

REQUIREMENT = "c2pa-python>=0.38"
OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
FORMAT = "video/mp4"
INVALID = "invalid"  # a state
MAX_PEM_BYTES = 1 << 20
# emailProtection and documentSigning (RFC 5280, RFC 9336), and c2pa-kp-claimSigning
USES = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1")
MIN_RSA_BITS = 2048
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Signer:
    """chain: certificates, the signer's own first, PEM. key: PKCS #8 without passphrase, PEM; it is not printed.
    algorithm: of C2PA."""

    chain: bytes
    key: bytes
    algorithm: str

    def __repr__(self) -> str:
        return f"Signer({self.algorithm})"


def c2pa_module():
    """InstallError, with the command, where c2pa-python is not installed or does not load."""
    try:
        import c2pa
    except Exception as error:  # its library may lack a function of the system's
        if is_out_of_memory(error):
            raise
        raise InstallError(
            f"Run `python -m pip install '{REQUIREMENT}'` for signatures: c2pa does not load ({error})."
        ) from None
    return c2pa


def signer_of(certificate: str, key: str, environ: Mapping[str, str] = os.environ) -> Signer:
    """The signer of two PEM files. $SONIC_KEY_PASSPHRASE opens the key. UsageError, InputError, InstallError: before
    anything is rendered."""
    c2pa_module()
    chain, own = _certificate(certificate)
    _check_validity(own, os.path.basename(certificate))
    _check_use(own, os.path.basename(certificate))
    private = _private_key(key, environ.get("SONIC_KEY_PASSPHRASE"))
    if private.public_key() != own.public_key():
        raise UsageError(
            f"Name the key that belongs to the certificate: {os.path.basename(key)!r} is not that of "
            f"{os.path.basename(certificate)!r}."
        )
    from cryptography.hazmat.primitives import serialization as forms

    plain = private.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    return Signer(chain, plain, _algorithm(private, os.path.basename(key)))


def _read(path: str) -> bytes:
    name = repr(os.path.basename(path))
    with regular_file(path, name) as file:
        content = file.read(MAX_PEM_BYTES + 1)
    if len(content) > MAX_PEM_BYTES:
        raise InputError(f"Choose a file in PEM: {name} is larger than {MAX_PEM_BYTES >> 20} MB.")
    return content


def _certificate(path: str) -> tuple[bytes, x509.Certificate]:
    from cryptography import x509

    content = _read(path)
    try:
        return content, x509.load_pem_x509_certificates(content)[0]
    except ValueError as error:
        name = repr(os.path.basename(path))
        raise InputError(f"Choose certificates in PEM: {name} has none ({error}).") from None


def _check_validity(own: x509.Certificate, name: str) -> None:
    now = datetime.now(timezone.utc)
    begin, end = own.not_valid_before_utc, own.not_valid_after_utc
    if now > end:
        raise UsageError(f"Renew the certificate: {name!r} expired on {end:%Y-%m-%d}.")
    if now < begin:
        raise UsageError(f"Check the computer's clock and date: {name!r} is valid from {begin:%Y-%m-%d} on.")


def _check_use(own: x509.Certificate, name: str) -> None:
    from cryptography import x509

    remedy = "Use a certificate for signing documents or content"
    if _extension(own, x509.BasicConstraints, lambda found: found.ca, False):
        raise UsageError(f"{remedy}, the signer's own first: {name!r} begins with that of an authority.")
    if not _extension(own, x509.KeyUsage, lambda found: found.digital_signature, False):
        raise UsageError(f"{remedy}: {name!r} is not for digital signatures (key usage).")
    uses = _extension(own, x509.ExtendedKeyUsage, lambda found: {use.dotted_string for use in found}, set())
    if not uses & set(USES):
        raise UsageError(f"{remedy}: {name!r} is for something else (extended key usage).")


def _extension(own: x509.Certificate, kind: type, of, default):
    from cryptography import x509

    try:
        return of(own.extensions.get_extension_for_class(kind).value)
    except x509.ExtensionNotFound:
        return default
    except ValueError as error:
        raise InputError(f"Choose another certificate: its extensions cannot be read ({error}).") from None


def _private_key(path: str, passphrase: str | None):
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content, name = _read(path), repr(os.path.basename(path))
    is_locked = b"ENCRYPTED" in content
    if is_locked and not passphrase:
        raise UsageError(f"Set SONIC_KEY_PASSPHRASE to the passphrase of {name}, or use a key without one.")
    try:
        return load_pem_private_key(content, passphrase.encode() if is_locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if is_locked:
            raise UsageError(f"Correct SONIC_KEY_PASSPHRASE: it does not open {name} ({error}).") from None
        raise InputError(f"Choose the private key in PEM: {name} is none ({error}).") from None


def _algorithm(private, name: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= MIN_RSA_BITS:
        return "ps256"
    raise UsageError(
        f"Use a key of P-256, P-384, P-521, Ed25519, or RSA with {MIN_RSA_BITS} bits or more: {name!r} is another one."
    )


def sign(path: str, signer: Signer, title: str, source_type: str | None, parent: str | None = None) -> None:
    """Signs the MP4 at `path`, a temporary file, in place. source_type: IPTC's URL, needed without a parent. parent:
    the MP4 that it was edited from, with its own signature if it has one. OutputError."""
    c2pa = c2pa_module()
    signed = path + ".signed"
    try:
        info = c2pa.C2paSignerInfo(signer.algorithm.encode(), signer.chain, signer.key, None)
        context = c2pa.Context.from_dict(OFFLINE, signer=c2pa.Signer.from_info(info))
        builder = c2pa.Builder(_definition(title, source_type, parent), context)
        if parent is not None:
            _add_parent(c2pa, builder, parent)
        with open(path, "rb") as source, open(signed, "w+b") as target:
            builder.sign(FORMAT, source, target)
        os.replace(signed, path)
    except c2pa.C2paError as error:
        if is_out_of_memory(error):
            raise
        if "No space left" in str(error):
            raise OutputError(f"Free disk space or choose another folder: {title!r} does not fit.") from None
        raise OutputError(f"Check certificate and key: the video cannot be signed with them ({error}).") from None
    finally:
        if os.path.exists(signed):
            os.remove(signed)


def _definition(title: str, source_type: str | None, parent: str | None) -> str:
    agent = {"name": SOFTWARE, "version": __version__}
    action = {"action": "c2pa.edited", "softwareAgent": agent}
    if parent is None:
        action["action"] = "c2pa.created"
    if source_type is not None:
        action["digitalSourceType"] = source_type
    return json.dumps(
        {
            "claim_generator_info": [agent],
            "title": title,
            "format": FORMAT,
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }
    )


def _add_parent(c2pa, builder, parent: str) -> None:
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    name = os.path.basename(parent)
    with regular_file(parent, repr(name)) as file:
        ingredient = json.dumps({"title": name, "relationship": "parentOf"})
        builder.add_ingredient(ingredient, FORMAT, file)


def verified(file, anchors: str | None = None) -> dict:
    """What c2pa finds in an open MP4 with a manifest: {"state", "signer", "issuer", "algorithm", "digital_source_type",
    "ingredients", "problems"}. state: "trusted", "valid" (whole, but its issuer is not among `anchors`, certificates in
    a PEM file), "invalid". Raises InstallError, InputError."""
    c2pa = c2pa_module()
    trust = {"trust": {"trust_anchors": _certificate(anchors)[0].decode()}} if anchors else {}
    file.seek(0)
    try:
        with c2pa.Context.from_dict(OFFLINE | trust) as context, c2pa.Reader(FORMAT, file, context=context) as reader:
            found, state = json.loads(reader.json()), reader.get_validation_state()
    except c2pa.C2paError as error:
        if is_out_of_memory(error):
            raise
        return {"state": INVALID, "problems": [str(error)[:500]]}
    manifest = found.get("manifests", {}).get(found.get("active_manifest"), {})
    info = manifest.get("signature_info", {})
    failures = found.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    return {
        "state": (state or INVALID).lower(),
        "signer": info.get("common_name"),
        "issuer": info.get("issuer"),
        "algorithm": info.get("alg"),
        "digital_source_type": _source_type(manifest),
        "ingredients": [entry.get("title") for entry in manifest.get("ingredients", [])],
        "problems": sorted({failure.get("code", "") for failure in failures}),
    }


def _source_type(manifest: dict) -> str | None:
    """IPTC's URL in the first action that has one."""
    for assertion in manifest.get("assertions", []):
        data = assertion.get("data")
        actions = data.get("actions") if isinstance(data, dict) else None
        for action in actions if isinstance(actions, list) else []:
            source = action.get("digitalSourceType") if isinstance(action, dict) else None
            if isinstance(source, str) and source.startswith(IPTC_TERMS):
                return source
    return None
