"""Outputs in a store: compared with what was sent, tried again, refused in words."""

import pytest

from sonic_nodes.batch import buckets, retries
from sonic_nodes.batch.addresses import Remote
from sonic_nodes.batch.buckets import about, listing, put, try_writing
from sonic_nodes.batch.journal import Journal
from sonic_nodes.commands import batch_remote
from sonic_nodes.errors import OutputError
from sonic_nodes.media.fetch import Unavailable
from tests.tools.fake_store import installed

VIDEO = bytes(range(256)) * 9000


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_S", 0.01)


@pytest.fixture
def store(tmp_path, monkeypatch):
    with installed(tmp_path, monkeypatch) as control:
        yield control


@pytest.fixture
def video(tmp_path):
    (tmp_path / "a.mp4").write_bytes(VIDEO)
    return str(tmp_path / "a.mp4")


def test_what_has_arrived_is_named_with_its_version(store, video):
    found = put(video, "s3://b/out/a.mp4")
    assert store.names() == ["b/out/a.mp4"] and store.calls("open") == 0  # the store's MD5 was enough
    assert found == {"url": "s3://b/out/a.mp4", "version": about("s3://b/out/a.mp4").version}
    assert listing("s3://b/out")["s3://b/out/a.mp4"].version == found["version"]
    assert listing("s3://b/nothing") == {}


def test_an_etag_that_is_no_md5_is_read_again(store, video):
    store.fail("parts")
    put(video, "s3://b/a.mp4")
    assert store.calls("open") == 1


@pytest.mark.parametrize("is_in_parts", [False, True])
def test_spoilt_bytes_are_found(store, video, is_in_parts):
    if is_in_parts:
        store.fail("parts")
    store.fail("spoil")
    with pytest.raises(Unavailable, match="does not hold the bytes that were sent"):
        put(video, "s3://b/a.mp4")
    store.fail("spoil")
    assert batch_remote.sent(video, "s3://b/a.mp4")["url"] == "s3://b/a.mp4" and store.calls("put") == 3


def test_a_store_that_stays_busy_keeps_the_video_here(store, video, tmp_path):
    store.fail("put", 503, 99)
    with pytest.raises(OutputError, match="^Try again later: .* The video is kept: the same command sends it"):
        batch_remote.sent(video, "s3://b/a.mp4")
    assert store.calls("put") == retries.ATTEMPTS and (tmp_path / "a.mp4").read_bytes() == VIDEO
    store.heal()
    batch_remote.sent(video, "s3://b/a.mp4")
    assert not (tmp_path / "a.mp4").exists() and store.names() == ["b/a.mp4"]


def test_a_refusal_is_final(store, video):
    store.fail("put", 403, 99)
    with pytest.raises(OutputError, match="^Give the account of the environment the right"):
        batch_remote.sent(video, "s3://b/a.mp4")
    assert store.calls("put") == 1


def test_writing_is_tried_before_the_work(store):
    try_writing("s3://b/out")
    assert store.names() == []
    store.fail("rm", 403)
    try_writing("s3://b/out")  # who may not delete may still write
    store.fail("pipe", 403)
    with pytest.raises(OutputError, match="^Give the account of the environment the right"):
        try_writing("s3://b/out")


def test_a_store_that_is_busy_at_the_start_is_asked_again(store, tmp_path):
    store.fail("pipe", 503, retries.ATTEMPTS - 1)
    with Journal(tmp_path) as journal:
        batch_remote.look_at_outputs(Remote(out="s3://b/out"), journal)
        assert store.calls("pipe") == retries.ATTEMPTS and store.calls("find") == 0  # the journal names no video
        store.fail("pipe", 503, 99)
        with pytest.raises(OutputError, match="^Try again later: the store of 's3://b/out' does not answer"):
            batch_remote.look_at_outputs(Remote(out="s3://b/out"), journal)
    assert store.calls("pipe") == 2 * retries.ATTEMPTS


def test_google_names_its_md5_in_base64(video):
    """The form of the field md5Hash in Cloud Storage's JSON API: "XUFAKrxLKna5cZ2REBfFkg==" is that of "hello"."""
    facts = buckets.facts_of({"size": 5, "md5Hash": "XUFAKrxLKna5cZ2REBfFkg=="})
    with open(video, "wb") as file:
        file.write(b"hello")
    assert buckets.is_same(video, "gs://b/a", facts, 1.0)
