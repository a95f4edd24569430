"""Addresses in lists: which are taken, what their copies are called, and that no secret of theirs is shown."""

import json
import os

import pytest

from sonic_nodes.batch.addresses import Facts, Remote, checked_folder
from sonic_nodes.batch.manifest import Places, read_list
from sonic_nodes.errors import InputError, UsageError

SECRET = "hunter2"


@pytest.fixture
def remote(tmp_path):
    return Remote(str(tmp_path / "inputs"), is_allowed=True)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/a/face.png", "face.png"),
        ("gs://bucket/voice", "voice"),
        ("s3://bucket/my voices/v 1.wav", "v_1.wav"),
        ("https://host.example/a/v%20o.wav?X-Signature=1", "v_o.wav"),
        ("http://host.example:8080/", "host.example_8080"),
        ("https://host.example/%2e%2e/%2e%2e", "input"),
        ("https://host.example/" + "x" * 300 + ".wav", "x" * 80 + ".wav"),
        ("https://host.example/a.b/人.png", "人.png"),
        ("https://host.example/a%2f..%2fb.exe%00", "b.exe_"),
    ],
)
def test_a_copy_has_the_name_that_the_address_has(remote, url, name):
    path = remote.local(url, "speech")
    assert os.path.basename(path) == name and os.path.dirname(os.path.dirname(path)) == remote.folder
    assert os.path.abspath(path) == path and remote.inputs[path].url == url
    assert remote.local(url, "speech") == path and remote.local(url + "x", "speech") != path


@pytest.mark.parametrize(
    "url",
    [
        f"s3://user:{SECRET}@bucket/a.png",
        f"https://user:{SECRET}@host.example/a.png",
        f"s3://user:sla/{SECRET}@bucket/a.png",
        f"https://user:sla/{SECRET}@host.example/a.png",
        f"ftp://user:sla/{SECRET}@host/a",
        f"https://user:{SECRET}@h\u2100st.example/",
        "https://[::1/a.png",
        "https://host:99999/a.png",
        "https:///a.png",
        "https://host.example/a b.png",
        "s3://bucket/a\tb.png",
        f"ftp://user:{SECRET}@host/a",
        f"memory://{SECRET}@a/b",
        f"file://user:{SECRET}@/etc/passwd",
        "file:///etc/passwd",
        "s3://bucket/a::https://host.example/b",
        "s3://bucket/a*.png",
        f"s3://bucket/a?versionId={SECRET}",
        f"s3://bucket/a b?{SECRET}",
        "s3://bucket/../other/a",
        "s3://bucket//a",
        "s3://bucket/",
        "s3://bucket",
        "s3:///a",
        "s3://b\nucket/a",
        "https://host.example/" + "a" * 3000,
    ],
)
def test_what_is_refused_and_shows_no_secret(tmp_path, url):
    remote = Remote(is_allowed=True)
    places = Places(str(tmp_path), str(tmp_path), str(tmp_path / "out"), str(tmp_path / "state"), remote)
    (tmp_path / "list.jsonl").write_text(json.dumps({"portrait": url, "speech": "a.wav"}), "utf-8")
    listing = read_list(tmp_path / "list.jsonl", places, {})
    assert not listing.rows and not places.remote.inputs
    (bad,) = listing.bad
    assert SECRET not in bad.text
    assert bad.text.split()[0] in ("Give", "Leave", "Check", "Write"), bad.text


@pytest.mark.parametrize(
    "url",
    ["https://host.example/out", "s3://", "s3://a b/c", f"s3://u:{SECRET}@bucket/a", "gs://bucket/../a", "gs://b/a?x"],
)
def test_outputs_go_to_stores_alone(url):
    with pytest.raises(UsageError, match="--out") as raised:
        checked_folder(url)
    assert SECRET not in str(raised.value)


def test_a_folder_in_a_store():
    assert checked_folder("s3://bucket/a/b/") == "s3://bucket/a/b" and checked_folder("gs://bucket") == "gs://bucket"
    assert Remote(out="s3://bucket/a").target("x/y.mp4") == "s3://bucket/a/x/y.mp4"
    assert Remote().target("x/y?.mp4") is None
    for name in ("a?versionId=1.mp4", "a*.mp4", "a[1].mp4", "a::b.mp4", "a#.mp4"):
        with pytest.raises(InputError, match="^Name the output without"):
            Remote(out="s3://bucket/a").target(name)


def test_an_output_of_a_row_is_no_address(tmp_path):
    places = Places(str(tmp_path), str(tmp_path), str(tmp_path / "out"), str(tmp_path / "state"))
    (tmp_path / "list.csv").write_text(f"portrait,speech,output\na,b,s3://u:{SECRET}@bucket/x.mp4\n", "utf-8")
    (bad,) = read_list(tmp_path / "list.csv", places, {}).bad
    assert bad.text.startswith("Name the output as --out leads to it") and SECRET not in bad.text


def test_addresses_are_asked_for_first():
    remote = Remote("/inputs")
    with pytest.raises(InputError, match="^Add --allow-url to load files from addresses") as raised:
        remote.local(f"https://host.example/a.wav?sig={SECRET}", "speech")
    assert SECRET not in str(raised.value) and not remote.inputs


def test_a_report_shows_an_address_without_its_query(remote):
    path = remote.local(f"https://host.example/a.wav?X-Amz-Signature={SECRET}", "speech")
    other = remote.local("https://host.example/a.wav?X-Amz-Signature=other", "speech")
    assert remote.shown(path).startswith("https://host.example/a.wav?... (") and remote.shown("/a/b") is None
    assert SECRET not in remote.shown(path) != remote.shown(other)
    assert remote.shown(remote.local("s3://bucket/a.wav", "speech")) == "s3://bucket/a.wav"


@pytest.mark.parametrize(
    ("end", "is_there"),
    [
        (None, False),
        ({"event": "failed", "bytes": 3, "upload": {"url": "s3://b/a", "version": "v"}}, False),
        ({"event": "done", "bytes": 3}, False),
        ({"event": "done", "bytes": 3, "upload": {"url": "s3://b/a", "version": "v"}}, True),
        ({"event": "done", "bytes": 4, "upload": {"url": "s3://b/a", "version": "v"}}, False),
        ({"event": "done", "bytes": 3, "upload": {"url": "s3://b/a", "version": "older"}}, False),
        ({"event": "done", "bytes": 3, "upload": {"url": "s3://other/a", "version": "v"}}, False),
    ],
)
def test_an_uploaded_video_is_done_where_the_store_still_has_it(end, is_there):
    remote = Remote(out="s3://b", objects={"s3://b/a": Facts(3, "v", "")})
    assert remote.is_uploaded(end, "s3://b/a") is is_there


def test_a_row_whose_input_was_not_loaded_is_bad(remote):
    remote.problems["/a"] = "Check the address: it is not there."
    remote.require("/b", None)
    with pytest.raises(InputError, match="^Check the address"):
        remote.require("/b", "/a")
