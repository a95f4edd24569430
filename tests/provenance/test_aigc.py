"""The fields of GB 45438-2025: what is written, what is refused, what is read."""

import json

import pytest

from sonic_nodes.errors import UsageError
from sonic_nodes.provenance.aigc import fields_of, parsed, tag_of
from tests.provenance.marked_clip import PRODUCER


def written(fields, produce_id="id"):
    return tag_of(fields, produce_id)["AIGC"]


def test_the_fields_stand_in_the_order_of_the_standard_without_those_that_are_not_set():
    fields = fields_of(["ReservedCode2=b", "ContentPropagator=p", f"ContentProducer={PRODUCER}"], {})
    assert written(fields) == (
        f'{{"Label":"1","ContentProducer":"{PRODUCER}","ProduceID":"id","ContentPropagator":"p","ReservedCode2":"b"}}'
    )
    assert written({}) == '{"Label":"1","ProduceID":"id"}', "no producer is invented"


def test_a_number_of_the_studio_replaces_the_computed_one():
    assert json.loads(written(fields_of(["ProduceID=2026-0001"], {})))["ProduceID"] == "2026-0001"


def test_options_come_before_the_environment():
    environ = {"SONIC_AIGC": f"ContentProducer={PRODUCER} ContentPropagator=a"}
    assert fields_of((), environ) == {"ContentProducer": PRODUCER, "ContentPropagator": "a"}
    assert fields_of(["ContentPropagator=b=c"], environ)["ContentPropagator"] == "b=c"


@pytest.mark.parametrize(
    ("pair", "remedy"),
    [
        ("Label=2", "Write --aigc as FIELD=VALUE"),
        ("Producer=x", "Write --aigc as FIELD=VALUE"),
        ("ContentProducer", "Write --aigc as FIELD=VALUE"),
        ("ContentProducer=", "Give ContentProducer 1 to 256 characters: it has 0"),
        ("ProduceID=" + "x" * 257, "Give ProduceID 1 to 256 characters: it has 257"),
        ("ContentProducer=某公司", "Write ContentProducer as a code"),
        ("ProduceID=a b", "Write ProduceID as a code"),
        ('ProduceID=a"b', "Write ProduceID as a code"),
        ("ProduceID=a\\b", "Write ProduceID as a code"),
        ("ProduceID=a\0b", "Write ProduceID as a code"),
    ],
)
def test_what_cannot_be_stored_is_refused(pair, remedy):
    with pytest.raises(UsageError, match=f"^{remedy}"):
        fields_of([pair], {})


def test_a_wrong_variable_is_named():
    with pytest.raises(UsageError, match=r"^Write \$SONIC_AIGC as FIELD=VALUE"):
        fields_of((), {"SONIC_AIGC": "Producer=x"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"Label":"1","ProduceID":"x"}', {"Label": "1", "ProduceID": "x"}),
        ('{"AIGC":{"Label":1,"other":2}}', {"Label": "1"}),
        ('{"AIGC":[1]}', None),
        ('{"other":1}', None),
        ("[1]", None),
        ("no JSON", None),
        ("[" * 100_000, None),
        ('{"Label":' + "1" * 5000 + "}", None),
        ('{"Label":"' + "x" * 70_000 + '"}', None),
        (None, None),
    ],
)
def test_labels_of_others_are_read(text, found):
    assert parsed(text) == found
