"""XMP packets of others: what is read, and what is refused without being expanded."""

import json

import pytest

from sonic_nodes.provenance import xmp
from tests.provenance.marked_clip import PRODUCER

FIELDS = {"Label": "1", "ContentProducer": PRODUCER}
RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:a="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    "<rdf:Description {attributes}>{content}</rdf:Description></rdf:RDF></x:xmpmeta>"
)
AS_JSON = json.dumps(FIELDS).replace('"', "&quot;")
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def packet(content="", attributes=""):
    return RDF.format(content=content, attributes=attributes).encode()


@pytest.mark.parametrize(
    "written",
    [
        packet(f"<a:AIGC>{AS_JSON}</a:AIGC>"),
        packet(attributes=f'a:AIGC="{AS_JSON}"'),
        packet(f"<a:AIGC><rdf:Bag><rdf:li>{AS_JSON}</rdf:li></rdf:Bag></a:AIGC>"),
        packet(f"<a:Label>1</a:Label><a:ContentProducer>{PRODUCER}</a:ContentProducer>"),
        packet(f'<a:AIGC a:Label="1" a:ContentProducer="{PRODUCER}"/>'),
        packet(f"<a:AIGC>{AS_JSON}</a:AIGC>") + bytes(100),
    ],
)
def test_the_label_is_read_in_each_form_of_rdf(written):
    assert xmp.read(written)["aigc"] == FIELDS


def test_the_source_type_is_read():
    found = xmp.read(packet(f"<i:DigitalSourceType>{SOURCE}</i:DigitalSourceType>"))
    assert found == {"digital_source_type": SOURCE, "creator_tool": None, "aigc": None}


def test_names_of_other_namespaces_are_not_taken():
    other = RDF.replace("http://www.tc260.org.cn/ns/AIGC/1.0/", "http://example.com/")
    assert xmp.read(other.format(content=f"<a:AIGC>{AS_JSON}</a:AIGC>", attributes="").encode())["aigc"] is None


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
OUTSIDE = b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (BOMB, "it declares a document type"),
        (OUTSIDE, "it declares a document type"),
        (b"<x>" * 100 + b"</x>" * 100, "it has too many parts"),
        (b"<x>" + b"<y/>" * 30_000 + b"</x>", "it has too many parts"),
        (b"<x " + b" ".join(b'a%d=""' % i for i in range(300)) + b"/>", "it has too many parts"),
        (b" " * ((1 << 20) + 1), "it is longer than 1 MB"),
        (b"<x>", "it is not XML"),
        (b"", "it is not XML"),
        (b"\xff\xfe\xfd", "it is not XML"),
    ],
)
def test_what_is_hostile_is_refused(written, reason):
    with pytest.raises(xmp.RefusedPacket, match=f"^{reason}"):
        xmp.read(written)


def test_a_long_value_is_cut():
    found = xmp.read(packet("<i:DigitalSourceType>" + "x" * 200_000 + "</i:DigitalSourceType>"))
    assert len(found["digital_source_type"]) == xmp.MAX_VALUE_CHARS
