"""Signatures by C2PA with an authority of the tests' own: made, read by c2pa's reader, found broken, refused."""

import json
import os
import socket
import sys

import numpy as np
import pytest

from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError, InstallError, OutputError, UsageError
from sonic_nodes.media import boxes
from sonic_nodes.media.provenance import IPTC_TERMS, manifest_bytes
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.provenance import signing
from sonic_nodes.provenance.inspection import inspected
from sonic_nodes.provenance.marks import Marks
from sonic_nodes.provenance.report import lines_of
from sonic_nodes.provenance.signed_copy import sign_file
from sonic_nodes.provenance.signing import signer_of
from tests.provenance.authority import DAY, KEYS, SERVER, Authority
from tests.provenance.marked_clip import PRODUCER, by_exiftool, by_ffprobe, tags_in, write_marked

c2pa = pytest.importorskip("c2pa")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def credentials(authority):
    return authority.credentials()


@pytest.fixture
def signer(credentials):
    return signer_of(credentials.certificate, credentials.key, {})


@pytest.fixture
def signed(tmp_path, signer):
    path = write_marked(tmp_path / "signed.mp4", Marks({"ContentProducer": PRODUCER}))
    sign_file(str(path), str(path), signer)
    return path


def by_c2pa(path):
    """(state, active manifest) as c2pa's own reader has them."""
    with c2pa.Reader(str(path)) as reader:
        found = json.loads(reader.json())
        return reader.get_validation_state(), found["manifests"][found["active_manifest"]]


def actions(manifest):
    (data,) = (a["data"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    return [action["action"] for action in data["actions"]], data["actions"][-1].get("digitalSourceType")


def test_c2pas_reader_finds_the_signature_whole(signed):
    state, manifest = by_c2pa(signed)
    assert state == "Valid" and manifest["title"] == "signed.mp4"
    assert manifest["signature_info"]["issuer"] == "Tests" and manifest["signature_info"]["common_name"] == "A studio"
    assert actions(manifest) == (["c2pa.created"], IPTC_TERMS + "compositeSynthetic")


def test_the_labels_are_read_in_a_signed_file(signed):
    found = by_exiftool(signed)
    assert json.loads(found["Keys:AIGC"])["ContentProducer"] == PRODUCER
    assert found["XMP-iptcExt:DigitalSourceType"] == IPTC_TERMS + "compositeSynthetic"
    assert json.loads(by_ffprobe(signed)["AIGC"])["ContentProducer"] == PRODUCER


def test_frames_and_sound_are_where_the_index_says(signed, tmp_path):
    """The manifest moves them: the index must move too."""
    import av

    plain = write_marked(tmp_path / "plain.mp4", Marks({"ContentProducer": PRODUCER}))
    pixels = []
    for path in (signed, plain):
        with av.open(str(path)) as container:
            pixels.append(np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]))
    assert np.array_equal(*pixels)


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_of_key_signs(authority, tmp_path, kind):
    made = authority.credentials(kind)
    path = write_marked(tmp_path / "a.mp4")
    sign_file(str(path), str(path), signer_of(made.certificate, made.key, {}))
    found = inspected(str(path), authority.anchors)["signature"]
    assert found["state"] == "trusted" and found["algorithm"].lower() == kind and found["problems"] == []


def test_without_its_authority_a_signature_is_whole_and_not_trusted(signed, authority, tmp_path):
    assert inspected(str(signed))["signature"]["state"] == "valid"
    other = Authority(tmp_path)
    assert inspected(str(signed), other.anchors)["signature"]["state"] == "valid"
    found = inspected(str(signed), authority.anchors)
    assert found["signature"]["state"] == "trusted"
    assert any(line.startswith("Signature (C2PA): whole and trusted, by A studio, Tests") for line in lines_of(found))


def places(path):
    """An offset in the frames, in a tag, in the XMP packet, in the manifest's certificate."""
    content = path.read_bytes()
    with open(path, "rb") as file:
        media = next(start + size // 2 for kind, start, size in boxes.walk(file) if kind == b"mdat")
    return {
        "frames": media,
        "tag": content.index(PRODUCER.encode()),
        "packet": content.index(b"compositeSynthetic</Iptc4xmpExt"),
        "manifest": content.index(b"c2pa.actions") + 100,
        "certificate": content.index(b"A studio"),
    }


@pytest.mark.parametrize("place", ["frames", "tag", "packet", "manifest", "certificate"])
def test_one_flipped_bit_is_found(signed, authority, place):
    content = bytearray(signed.read_bytes())
    content[places(signed)[place]] ^= 1
    signed.write_bytes(content)
    found = inspected(str(signed), authority.anchors)
    assert found["signature"]["state"] == "invalid" and found["signature"]["problems"]
    assert any("INVALID" in line for line in lines_of(found))
    try:
        assert by_c2pa(signed)[0] == "Invalid"
    except c2pa.C2paError:
        assert place == "manifest", "its reader raises where the manifest cannot be parsed"


def test_what_is_appended_is_found(signed):
    with open(signed, "ab") as file:
        file.write(boxes.box(b"mdat", b"x"))
    assert inspected(str(signed))["signature"]["state"] == "invalid"


def test_a_signed_file_signed_again_keeps_the_first_signature(signed, signer, tmp_path):
    target = tmp_path / "again.mp4"
    assert sign_file(str(signed), str(target), signer) == {"output": str(target), "kept": True}
    state, manifest = by_c2pa(target)
    assert state == "Valid" and [entry["title"] for entry in manifest["ingredients"]] == ["signed.mp4"]
    assert actions(manifest)[0] == ["c2pa.opened", "c2pa.edited"]
    assert inspected(str(target))["signature"]["ingredients"] == ["signed.mp4"]


def test_a_broken_signature_is_not_signed_over(signed, signer):
    content = bytearray(signed.read_bytes())
    content[places(signed)["frames"]] ^= 1
    signed.write_bytes(content)
    with pytest.raises(InputError, match="^Start from the video as it was signed: 'signed.mp4' was changed"):
        sign_file(str(signed), str(signed), signer)


def test_videos_of_others_are_not_signed(tmp_path, signer):
    with VideoWriter(tmp_path / "a.mp4", 64, 64) as writer:
        writer.write(np.zeros((3, 64, 64, 3), np.uint8))
    before = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(InputError, match="^Choose a video that was made by this program"):
        sign_file(str(tmp_path / "a.mp4"), str(tmp_path / "a.mp4"), signer)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(UsageError, match="^Convert 'b.mp4' to MP4"):
        sign_file(str(tmp_path / "b.mp4"), str(tmp_path / "b.mp4"), signer)
    assert (tmp_path / "a.mp4").read_bytes() == before and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"begin": -3 * DAY, "end": -DAY}, "Renew the certificate: .* expired on"),
        ({"begin": DAY, "end": 3 * DAY}, "Check the computer's clock and date: .* is valid from"),
        ({"use": SERVER}, "Use a certificate for signing documents or content: .* \\(extended key usage\\)"),
        ({"use": None}, "Use a certificate for signing documents or content: .* \\(extended key usage\\)"),
        ({"signing": False}, r"Use a certificate for signing documents or content: .* \(key usage\)"),
        ({"is_ca": True}, "Use a certificate for signing documents or content, the signer's own first"),
    ],
)
def test_certificates_that_sign_nothing_are_refused_before_the_work(authority, options, remedy):
    made = authority.credentials(**options)
    with pytest.raises(UsageError, match=f"^{remedy}"):
        signer_of(made.certificate, made.key, {})


def test_a_key_with_a_passphrase_is_opened_by_the_environment(authority, tmp_path):
    made = authority.credentials(passphrase=b"secret")
    with pytest.raises(UsageError, match="^Set SONIC_KEY_PASSPHRASE"):
        signer_of(made.certificate, made.key, {})
    with pytest.raises(UsageError, match="^Correct SONIC_KEY_PASSPHRASE"):
        signer_of(made.certificate, made.key, {"SONIC_KEY_PASSPHRASE": "other"})
    path = write_marked(tmp_path / "a.mp4")
    sign_file(str(path), str(path), signer_of(made.certificate, made.key, {"SONIC_KEY_PASSPHRASE": "secret"}))
    assert inspected(str(path), authority.anchors)["signature"]["state"] == "trusted"


def test_keys_that_do_not_fit_are_refused(authority, credentials, tmp_path):
    other = authority.credentials()
    with pytest.raises(UsageError, match="^Name the key that belongs to the certificate"):
        signer_of(credentials.certificate, other.key, {})
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())):
        made = authority.credentials(key=key)
        with pytest.raises(UsageError, match="^Use a key of"):
            signer_of(made.certificate, made.key, {})
    (tmp_path / "none.pem").write_text("no PEM")
    with pytest.raises(InputError, match="^Choose certificates in PEM: 'none.pem' has none"):
        signer_of(str(tmp_path / "none.pem"), credentials.key, {})
    with pytest.raises(InputError, match="^Choose the private key in PEM: 'none.pem' is none"):
        signer_of(credentials.certificate, str(tmp_path / "none.pem"), {})
    with pytest.raises(InputError, match="^Check the file's name and folder"):
        signer_of(str(tmp_path / "absent.pem"), credentials.key, {})


def test_the_key_is_not_printed(signer):
    assert repr(signer) == "Signer(es256)"


def test_without_c2pa_the_command_says_what_to_install(signed, credentials, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(InstallError, match="^Run `python -m pip install 'c2pa-python>=0.38'`"):
        signer_of(credentials.certificate, credentials.key, {})
    found = inspected(str(signed))
    assert found["signature"]["state"] == "unverified" and found["ai_generated"] is True
    assert any("present, not verified" in line for line in lines_of(found))


def test_nothing_uses_the_network(signed, signer, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    sign_file(str(signed), str(tmp_path / "b.mp4"), signer)
    assert inspected(str(tmp_path / "b.mp4"))["signature"]["state"] == "valid"


def test_a_signature_that_fails_leaves_the_file(tmp_path, signer, monkeypatch):
    path = write_marked(tmp_path / "a.mp4")
    before = path.read_bytes()

    def fail(self, *_):
        raise c2pa.C2paError("refused")

    monkeypatch.setattr(c2pa.Builder, "sign", fail)
    with pytest.raises(OutputError, match="^Check certificate and key"):
        sign_file(str(path), str(path), signer)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.mp4"]


def test_a_wrong_list_of_authorities_is_an_error(signed, tmp_path, capsys):
    (tmp_path / "none.pem").write_text("no PEM")
    assert main(["inspect", str(signed), "--trust", str(tmp_path / "none.pem")]) == 3
    assert capsys.readouterr().err.startswith("sonic: Choose certificates in PEM")


def test_a_manifest_of_noise_is_invalid(tmp_path):
    path = write_marked(tmp_path / "a.mp4")
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    noise = np.random.default_rng(0).bytes(5000)
    path.write_bytes(path.read_bytes() + boxes.box(b"uuid", uuid + noise))
    assert inspected(str(path))["signature"]["state"] == "invalid"
    assert tags_in(path)["title"]


def test_the_commands_sign(tmp_path, sample_dir, credentials, authority, capsys, monkeypatch):
    """render --sign; then smooth and sync --fix, which say that the signature ends, or sign with it as a part."""
    out, keys = tmp_path / "a.mp4", ["--cert", credentials.certificate, "--key", credentials.key]
    render = ["render", str(sample_dir / "portrait.jpg"), str(sample_dir / "lips.wav"), "--min-resolution", "128"]
    assert main([*render, "-o", str(out), "--sign", *keys]) == 0
    assert inspected(str(out), authority.anchors)["signature"]["state"] == "trusted"
    monkeypatch.setenv("SONIC_CERT", credentials.certificate)
    monkeypatch.setenv("SONIC_KEY", credentials.key)
    assert main(["sign", str(out), "-o", str(tmp_path / "b.mp4")]) == 0
    assert by_c2pa(tmp_path / "b.mp4")[1]["ingredients"][0]["title"] == "a.mp4"
    assert main(["sign", str(out), "-o", str(out)]) == 2
    assert main([*render, "-o", str(tmp_path / "c.mp4"), "--cert", "x"]) == 2
    assert main(["sync", str(out), "--sign"]) == 2
    errors = capsys.readouterr().err
    for remedy in ("Leave out --output", "Add --sign, or leave out --cert", "Add --fix OUT.mp4, or leave out --sign"):
        assert f"sonic: {remedy}" in errors
    with open(out, "rb") as file:
        assert manifest_bytes(file) > 1000
    assert signing.FORMAT == "video/mp4"
