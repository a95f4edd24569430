"""Weight files whose headers are made to cost memory or time: counts, sizes, depths and lengths that no data backs.

crafted_one(seed, index) gives (kind, content) of a size drawn from small to the largest that the format can state. Used
by tests/weights/test_crafted_headers.py and bench/weight_headers.py.
"""

import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

from sonic_nodes.weights.key_maps import NETWORKS

Kind = Callable[[random.Random, int], bytes]
SIZES = (3, 40, 500, 3_000, 9_000, 30_000, 100_000)  # of what a kind repeats
MAX_BYTES = 26_000_000  # of a file
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    KINDS[function.__name__] = function
    return function


def kind_of(index: int) -> str:
    return list(KINDS)[index % len(KINDS)]


def crafted_one(seed: int, index: int, size: int | None = None) -> tuple[str, bytes]:
    """`size` instead of one drawn from SIZES."""
    draw, name = random.Random(seed * 1_000_003 + index), kind_of(index)
    return name, KINDS[name](draw, draw.choice(SIZES) if size is None else size)[:MAX_BYTES]


# .safetensors


def with_header(text: bytes, length: int | None = None, data: bytes = b"\0" * 64) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def claimed(*shape: int) -> dict:
    """An entry without data: its type is unknown, so its shape is not compared with its bytes."""
    return {"dtype": "X", "shape": list(shape), "data_offsets": [0, 0]}


def table(tensors: dict) -> bytes:
    return with_header(json.dumps(tensors, separators=(",", ":")).encode())


UNET = {
    "conv_in.weight": claimed(8, 8, 3, 3),
    "conv_out.weight": claimed(4, 8, 3, 3),
    "add_embedding.linear_1.weight": claimed(8, 9),
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": claimed(8, 8),
    "down_blocks.0.resnets.0.spatial_res_block.conv1.weight": claimed(8, 8, 3, 3),
    "down_blocks.0.resnets.0.time_mixer.mix_factor": claimed(1),
}


@kind
def unet_levels(draw, n):
    block = "down_blocks.{}.resnets.0.spatial_res_block.conv1.weight"
    return table(UNET | {block.format(i): claimed(8, 8, 3, 3) for i in range(n)})


@kind
def unet_blocks(draw, n):
    block = "down_blocks.0.resnets.{}.time_mixer.mix_factor"
    return table(UNET | {block.format(i): claimed(1) for i in range(n)})


@kind
def unet_levels_and_blocks(draw, n):
    found = dict(UNET)
    for i in range(n // 2):
        found[f"down_blocks.{i}.resnets.0.spatial_res_block.conv1.weight"] = claimed(8, 8, 3, 3)
        found[f"down_blocks.0.resnets.{i}.time_mixer.mix_factor"] = claimed(1)
    return table(found)


@kind
def whisper_layers(draw, n):
    prefix = draw.choice(["", "model."])
    found = {
        f"{prefix}encoder.conv1.weight": claimed(8, 80, 3),
        f"{prefix}encoder.embed_positions.weight": claimed(9, 8),
    }
    return table(found | {f"{prefix}encoder.layers.{i}.fc1.weight": claimed(8, 8) for i in range(n)})


@kind
def autoencoder_levels(draw, n):
    found = {"first_stage_model.decoder.conv_in.weight": claimed(8, 4, 3, 3)}
    places = draw.choice(["up.{}.block.0", "up.0.block.{}"])
    found |= {f"first_stage_model.decoder.{places.format(i)}.conv1.weight": claimed(8, 8, 3, 3) for i in range(n)}
    return table(found)


@kind
def clip_layers(draw, n):
    if draw.random() < 0.5:
        prefix = draw.choice(["", "x" * n, "conditioner.embedders.0.open_clip.model."]) + "visual."
        found = {f"{prefix}conv1.weight": claimed(8, 3, 4, 4), f"{prefix}proj": claimed(8, 8)}
        found |= {f"{prefix}positional_embedding": claimed(5, 8)}
        layers = min(n, MAX_BYTES // (len(prefix) + 90))
        return table(
            found | {f"{prefix}transformer.resblocks.{i}.mlp.c_fc.weight": claimed(8, 8) for i in range(layers)}
        )
    embeddings = "vision_model.embeddings."
    found = {"visual_projection.weight": claimed(8, 8), f"{embeddings}patch_embedding.weight": claimed(8, 3, 4, 4)}
    found |= {f"{embeddings}position_embedding.weight": claimed(5, 8)}
    return table(found | {f"vision_model.encoder.layers.{i}.mlp.fc1.weight": claimed(8, 8) for i in range(n)})


@kind
def published_names_of_other_sizes(draw, n):
    network = NETWORKS[draw.choice(list(NETWORKS))]
    shapes = draw.choice(network.key_maps()).shapes
    factor = draw.choice([0, 1, n, 2**30])
    return table({name: claimed(*(min(size * factor, 2**47) for size in shape)) for name, shape in shapes.items()})


@kind
def all_networks_and_others(draw, n):
    found = {}
    for network in NETWORKS.values():
        for key_map in network.key_maps():
            found |= {name: claimed(*shape) for name, shape in key_map.shapes.items()}
    return table(found | {f"other.{i}": claimed(2, 2) for i in range(n)})


@kind
def many_tensors(draw, n):
    return table({f"{draw.getrandbits(64):x}": claimed(*[2] * draw.randrange(9)) for _ in range(n)})


@kind
def adapters(draw, n):
    found = {f"proj{i}.weight": claimed(2**47, 2**47) for i in (1, 2, 3)} | {
        "norm.weight": claimed(draw.choice([1, n]))
    }
    return table(found | {f"lora_{i}.to_k_ip.0": claimed(n) for i in range(n)})


@kind
def long_names(draw, n):
    letter = draw.choice(["a", "\x1b", "\u202e", "\U0001f600", "\ud800", '"', "\\", "."])
    count = draw.choice([1, 2, 30])
    return table({f"{i}{letter * (n * 10 // count)}": claimed(1) for i in range(count)})


@kind
def long_values(draw, n):
    entry = claimed(1) | draw.choice(
        [
            {"dtype": "F" * n * 10},
            {"shape": [1] * n},
            {"data_offsets": [0] * n},
            {"shape": [[]] * n},
            {"shape": {str(i): i for i in range(n)}},
            {str(i): i for i in range(n)},
            {"dtype": [claimed(1)] * min(n, 9000)},
        ]
    )
    return table({"x": entry})


@kind
def nested(draw, n):
    opening, closing = draw.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
    return with_header(b'{"x":' + opening * n + b"1" + closing * draw.choice([0, n]) + b"}")


@kind
def small_values(draw, n):
    value = draw.choice(
        [b"[]", b"{}", b'""', b'"ab"', b"1", b"-300", b"1e5", b"null", b"[[]]", b'{"a":1}', '"é😀"'.encode()]
    )
    place = draw.choice([b'{"x":[%s]}', b'{"__metadata__":[%s]}', b'{"x":{"shape":[%s]}}'])
    return with_header(place % b",".join([value] * (n * 20)))


@kind
def keys_of_one_object(draw, n):
    inner = b",".join(b'"%x":%s' % (i, draw.choice([b"1", b"{}", b'"ab"'])) for i in range(n * 3))
    return with_header(draw.choice([b"{%s}", b'{"__metadata__":{%s}}', b'{"x":{%s}}']) % inner)


@kind
def the_same_key(draw, n):
    inner = b",".join([b'"a":%s' % json.dumps(claimed(1)).encode()] * n)
    return with_header(b"{" + inner + b"}")


@kind
def long_numbers(draw, n):
    digits = draw.choice([b"9", b"0", b"1."]) + b"1" * (n * 10) + draw.choice([b"", b"e9", b"e-999999"])
    special = draw.choice([digits, digits, b"NaN", b"-Infinity", b"1e999"])
    return with_header(b'{"x":{"dtype":"F32","shape":[%s],"data_offsets":[0,4]}}' % special)


@kind
def metadata(draw, n):
    text = draw.choice(["{[", '"', "a", "\n", "\U0001f600", ","]) * n * 4
    return table({"__metadata__": {"workflow": text, "format": "pt"}, "x": claimed(1)})


@kind
def overlaps(draw, n):
    step = draw.choice([0, 1])
    found = {f"{i}": {"dtype": "U8", "shape": [4], "data_offsets": [i * step, i * step + 4]} for i in range(n)}
    return with_header(json.dumps(found).encode(), data=b"\0" * (n + 8))


@kind
def lengths(draw, n):
    length = draw.choice(
        [0, 1, n, n * 100, 2_000_000, 2_000_001, 25_000_000, 100_000_000, 2**31, 2**48, 2**63, 2**64 - 1]
    )
    return with_header(b"{" + b" " * (n * 100), length)


@kind
def other_text(draw, n):
    start = draw.choice(["utf-16", "utf-32", "utf-8-sig", "latin-1"])
    return with_header(b"{" + draw.choice([("é" * n).encode(start), draw.randbytes(n), b"\xff" * n, b"\0" * n]) + b"}")


@kind
def spaces(draw, n):
    return with_header(b'{"x":' + draw.choice([b" ", b"\n", b"\t"]) * n * 20 + json.dumps(claimed(1)).encode() + b"}")


@kind
def changed_bytes(draw, n):
    data = bytearray(table(UNET | {f"down_blocks.{i}.x": claimed(1) for i in range(min(n, 3000))}))
    for _ in range(draw.randrange(1, 9)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


# pickles: in a zip, as the old stream, and bare


PROTOCOL = b"\x80\x02"
STORAGE = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0%cX\3\0\0\0cpu%stQ"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(%sK\0%s\x89ccollections\nOrderedDict\n)RtR"


def in_container(draw, content: bytes) -> bytes:
    """A pickle in one of the containers."""
    form = draw.choice(["zip", "zip", "stream", "bare"])
    if form == "bare":
        return content + b"\0" * 64
    if form == "stream":
        head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
        return head + content + pickle.dumps(draw.choice([[], ["0"], ["0"] * 50_000]), 2) + struct.pack("<q", 1) * 9
    return in_zip({"archive/data.pkl": content, "archive/data/0": b"\0" * 64})


def in_zip(records: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in records.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


@kind
def opcodes(draw, n):
    repeated = draw.choice(
        [
            b"]",
            b"}",
            b")",
            b"(",
            b"N",
            b"}\x94",
            b"]\x85",
            b"(}t",
            b"}K\0Ns",
            b"]Na",
            b"U\2ab",
            b"X\2\0\0\0ab",
            b"M\0\xff",
        ]
        + [b"G12345678", b"\x8a\x08abcdefgh", b"ctorch\nFloatStorage\n", b"ccollections\nOrderedDict\n)R", b"0", b"K\1"]
        + [
            b"\x95" + b"\0" * 8,
            b"q\0",
            b"h\0",
            b"r\0\0\0\0",
            b"S'a'\n",
            b"I1\n",
            b"V\\u1234\n",
            b"\x86",
            b"e",
            b"u",
            b"b",
            b"Q",
        ]
    )
    return in_container(draw, PROTOCOL + draw.choice([b"", b"}q\0", b"](("]) + repeated * n * 3 + b".")


@kind
def long_arguments(draw, n):
    size = n * 10
    argument = draw.choice(
        [
            b"X" + struct.pack("<I", size) + b"a" * size,
            b"X" + struct.pack("<I", size + 4) + b"a" * size + "😀".encode(),
            b"X" + struct.pack("<I", 2**32 - 1),
            b"\x8d" + struct.pack("<Q", 2**63),
            b"T" + struct.pack("<i", -1),
            b"\x8b" + struct.pack("<i", size) + b"\x7f" * size,
            b"\x8b" + struct.pack("<i", -5),
            b"I" + b"9" * size + b"\n",
            b"L" + b"9" * size + b"L\n",
            b"F" + b"9" * size + b"\n",
            b"V" + b"\\U0001f600" * n + b"\n",
            b"S'" + b"a" * size + b"'\n",
            b"c" + b"a" * size + b"\n" + b"b" * size + b"\n",
            b"p" + b"9" * size + b"\n",
            b"r\xff\xff\xff\xff",
        ]
    )
    return in_container(draw, PROTOCOL + b"}" + argument * draw.choice([1, 1, 5]) + b"Ns.")


@kind
def references(draw, n):
    """Structures that refer to themselves, or a thousand times to each other."""
    start = draw.choice([b"]q\0h\0a", b"}q\0U\1ah\0s", b"]q\0"])
    step = draw.choice([b"h\0h\0\x86q\0", b"h\0\x85q\0", b"(h\0h\0h\0h\0lq\0", b"h\0h\0a", b"(h\0h\0h\0e"])
    return in_container(draw, PROTOCOL + start + step * n + b".")


@kind
def pickled_tensors(draw, n):
    """Tensors on one storage; shapes and strides that repeat or leave it."""
    count = draw.choice([b"K\x10", b"\x8a\x08" + b"\xff" * 5 + b"\0\0\0", b"\x8a\x08" + b"\xff" * 8])
    sizes = draw.choice(
        [
            b"K\4\x85K\1\x85",
            b"\x8a\x06" + b"\xff" * 5 + b"\0\x85K\0\x85",
            b"(" + b"K\2" * 300 + b"t(" + b"K\0" * 300 + b"t",
            b"N\x85K\1\x85",
        ]
    )
    tensor = TENSOR % (STORAGE % (b"0", count), sizes)
    items = b"".join(b"X\6\0\0\0%06d%s" % (i, tensor) for i in range(min(n, 20_000)))
    return in_container(draw, PROTOCOL + b"}(" + items + b"u.")


@kind
def pickled_names(draw, n):
    names = draw.choice([UNET.keys(), NETWORKS["unet"].key_maps()[0].shapes, [f"layers.{i}" for i in range(n)]])
    tensor = TENSOR % (STORAGE % (b"0", b"K\x10"), b"K\4\x85K\1\x85")
    items = b"".join(b"X" + struct.pack("<I", len(name)) + name.encode() + tensor for name in list(names)[:20_000])
    return in_container(draw, PROTOCOL + b"}(" + items + b"u.")


# zips


@kind
def zip_records(draw, n):
    """A directory of many entries, or of long names, without the records themselves."""
    n = min(n, 60_000)
    name = b"a" * draw.choice([1, 20, min(60_000, 20_000_000 // n)])
    start = in_zip({"archive/data.pkl": PROTOCOL + b"}."})[:100]
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0)
    directory = (entry + name) * n
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n & 0xFFFF, n & 0xFFFF, len(directory), len(start), 0)
    return start + directory + end


@kind
def zip_directory_lies(draw, n):
    whole = bytearray(in_zip({"archive/data.pkl": PROTOCOL + b"}.", "archive/data/0": b"\0" * 64}))
    end = whole.rindex(b"PK\5\6")
    for field in draw.sample(range(4), draw.choice([1, 2])):
        at, form = ((end + 8, "<H"), (end + 10, "<H"), (end + 12, "<L"), (end + 16, "<L"))[field]
        struct.pack_into(form, whole, at, draw.choice([0, 1, n & 0xFFFF, 0xFFFF if form == "<H" else 0xFFFFFFFE]))
    return bytes(draw.choice([b"", b"PK\3\4" + b"\0" * n * 100]) + whole)


@kind
def zip_record_lies(draw, n):
    whole = bytearray(in_zip({"archive/data.pkl": PROTOCOL + b"}.", "archive/data/0": b"\0" * 64}))
    at = whole.index(b"PK\1\2") + draw.choice([0, 62])
    offset = draw.choice([8, 10, 20, 24, 28, 30, 32, 42])
    struct.pack_into("<L" if offset in (20, 24, 42) else "<H", whole, at + offset, draw.choice([1, n & 0xFFFF, 0xFFFF]))
    return bytes(whole)


@kind
def zip_bombs(draw, n):
    method = draw.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    return in_zip({"archive/data.pkl": PROTOCOL + b"]" * n * 100, "archive/data/0": bytes(n)}, method)


@kind
def zip_large_records(draw, n):
    name = draw.choice(["archive/data.pkl", "archive/byteorder", "archive/data/0"])
    records = {"archive/data.pkl": PROTOCOL + b"}.", "archive/byteorder": b"little"} | {name: b"\0" * n * 100}
    return in_zip(records) + draw.choice([b"", zlib.compress(bytes(n))])
