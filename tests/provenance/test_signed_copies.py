"""What becomes of marks and signature when `sonic smooth` and `sonic sync --fix` write a copy."""

import json

import numpy as np
import pytest

from sonic_nodes.errors import UsageError
from sonic_nodes.lipsync import fix
from sonic_nodes.media.provenance import IPTC_TERMS, manifest_bytes
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.provenance.caption import Caption
from sonic_nodes.provenance.consent import consents_of
from sonic_nodes.provenance.inspection import inspected
from sonic_nodes.provenance.marks import Marks
from sonic_nodes.provenance.signed_copy import sign_file
from sonic_nodes.provenance.signing import signer_of
from sonic_nodes.smooth.file import smooth_file
from tests.lipsync.speaking import frames, speech
from tests.provenance.authority import Authority
from tests.provenance.marked_clip import PRODUCER, by_exiftool, by_ffprobe, marked_tags
from tests.provenance.test_signing import actions, by_c2pa
from tests.smooth.test_smooth import clip

pytest.importorskip("c2pa")
MARKS = Marks({"ContentProducer": PRODUCER}, Caption("AI"), consents_of(["Ada agrees."]))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def signer(authority):
    made = authority.credentials()
    return signer_of(made.certificate, made.key, {})


def write(path, images, sound=None):
    height, width = images[0].shape[:2]
    with VideoWriter(path, width, height, 25, sound, metadata=marked_tags(MARKS)) as writer:
        writer.write(np.stack(images))
    return str(path)


def smoothed(source, target, signer):
    found = smooth_file(source, target, signer=signer)
    assert found["changed"]
    return found["reason"]


def shifted(source, target, signer):
    return fix.write_shifted(source, target, fix.shifted(speech(), 100.0), 0.0, signer)


def noisy(path):
    return write(path, clip(np.random.default_rng(1), shake=0.5, flicker=0.015, noise=2.0))


def speaking(path):
    return write(path, frames()[:75], speech())


COPIES = [(noisy, smoothed), (speaking, shifted)]


@pytest.mark.parametrize(("make", "copy"), COPIES)
def test_marks_survive_and_the_signature_is_said_to_end(tmp_path, signer, make, copy):
    source, target = make(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")
    sign_file(source, source, signer)
    assert "The signature of the video (C2PA) ends here" in copy(source, target, None)
    before, after = inspected(source), inspected(target)
    assert after["signature"] is None and before["signature"]["state"] == "valid"
    for key in ("ai_generated", "label", "digital_source_type", "aigc", "consent", "visible_label", "xmp"):
        assert after[key] == before[key], key
    tags = by_exiftool(target)
    assert (
        json.loads(tags["Keys:AIGC"])["ContentProducer"]
        == PRODUCER
        == json.loads(by_ffprobe(target)["AIGC"])["ContentProducer"]
    )
    assert tags["XMP-iptcExt:DigitalSourceType"] == IPTC_TERMS + "compositeSynthetic"


@pytest.mark.parametrize(("make", "copy"), COPIES)
def test_a_signed_copy_keeps_the_signature_of_its_source(tmp_path, signer, authority, make, copy):
    source, target = make(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")
    sign_file(source, source, signer)
    assert "the signature of the source is kept in it" in copy(source, target, signer)
    state, manifest = by_c2pa(target)
    assert state == "Valid" and actions(manifest) == (["c2pa.opened", "c2pa.edited"], IPTC_TERMS + "compositeSynthetic")
    (ingredient,) = manifest["ingredients"]
    assert ingredient["title"] == "a.mp4" and ingredient["active_manifest"]
    assert inspected(target, authority.anchors)["signature"]["state"] == "trusted"


@pytest.mark.parametrize(("make", "copy"), COPIES)
def test_a_broken_signature_is_said_to_be_broken(tmp_path, signer, make, copy):
    source, target = make(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")
    sign_file(source, source, signer)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    content[content.index(b"title") - 1] ^= 1
    (tmp_path / "a.mp4").write_bytes(content)
    assert "was broken before" in copy(source, target, signer)
    assert by_c2pa(target)[0] == "Valid"


def test_a_copy_without_a_change_keeps_its_signature(tmp_path, signer):
    source, target = write(tmp_path / "a.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 30), tmp_path / "b.mp4"
    assert "is signed already" not in smooth_file(source, str(target))["reason"]
    assert target.read_bytes() == (tmp_path / "a.mp4").read_bytes()
    smooth_file(source, str(target), signer=signer)
    assert by_c2pa(target)[0] == "Valid", "a file without a signature gets one"
    assert "is signed already" in fix.write_copy(str(target), str(tmp_path / "c.mp4"), signer)
    assert (tmp_path / "c.mp4").read_bytes() == target.read_bytes()


def test_a_source_that_no_signature_can_name_is_refused_before_the_work(tmp_path, signer):
    from tests.media.clips import write_sound

    write_sound(tmp_path / "a.mkv", np.zeros((1, 32000), np.float32), 16000, "aac", pictures=50)
    with pytest.raises(UsageError, match="^Convert 'a.mkv' to MP4 before it is signed"):
        fix.write_shifted(str(tmp_path / "a.mkv"), str(tmp_path / "b.mp4"), speech(), 0.0, signer)
    with pytest.raises(UsageError, match="^Convert 'a.mkv' to MP4 before it is signed"):
        smooth_file(str(tmp_path / "a.mkv"), str(tmp_path / "b.mp4"), signer=signer)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
    with open(tmp_path / "a.mkv", "rb") as file:
        assert manifest_bytes(file) == 0
