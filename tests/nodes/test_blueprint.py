"""The subgraph blueprint: the draft template's nodes, links and values between picture, recording and video."""

import json
import re

import pytest

from tests.nodes.test_interface import ROOT, widget_values

INPUT, OUTPUT = -10, -20  # the subgraph's own sides
LINK = "origin_id", "origin_slot", "target_id", "target_slot"


@pytest.fixture(scope="module")
def blueprint():
    return json.loads((ROOT / "subgraphs/Talking portrait.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def inside(blueprint):
    (subgraph,) = blueprint["definitions"]["subgraphs"]
    return subgraph


@pytest.fixture(scope="module")
def template():
    return json.loads((ROOT / "workflows/draft.json").read_text("utf-8"))


def test_its_node_is_the_subgraph(blueprint, inside):
    (node,) = blueprint["nodes"]
    assert node["type"] == inside["id"] and inside["name"] == "Talking portrait"
    for side in ("inputs", "outputs"):
        assert [(slot["name"], slot["type"]) for slot in node[side]] == [
            (slot["name"], slot["type"]) for slot in inside[side]
        ]


def test_values_and_links_are_the_draft_templates(inside, template):
    stored = {node["id"]: node["widgets_values"] for node in template["nodes"]}
    names = {node["id"] for node in inside["nodes"]}
    assert {node["id"]: node["widgets_values"] for node in inside["nodes"]} == {name: stored[name] for name in names}
    given = {(link[1], link[2], link[3], link[4]) for link in template["links"] if {link[1], link[3]} <= names}
    found = {tuple(link[key] for key in LINK) for link in inside["links"]}
    assert {link for link in found if link[0] > 0 and link[2] > 0} == given
    assert len(found - given) == len(inside["inputs"]) + len(inside["outputs"])


def test_links_match_the_slots(inside):
    nodes = {node["id"]: node for node in inside["nodes"]}
    for link in inside["links"]:
        origin, origin_slot, target, target_slot = (link[key] for key in LINK)
        if origin != INPUT:
            assert nodes[origin]["outputs"][origin_slot]["type"] == link["type"]
        if target != OUTPUT:
            slot = nodes[target]["inputs"][target_slot]
            assert slot["link"] == link["id"] and link["type"] in slot["type"].split(",")
        side, at = (inside["inputs"], origin_slot) if origin == INPUT else (inside["outputs"], target_slot)
        if origin == INPUT or target == OUTPUT:
            assert side[at]["linkIds"] == [link["id"]] and side[at]["type"] == link["type"]


def test_settings_outside_are_widgets_inside(blueprint, inside, nodes):
    schemas = {name: node.define_schema() for name, node in nodes.items()}
    kinds = {str(node["id"]): node for node in inside["nodes"]}
    shown = blueprint["nodes"][0]["properties"]["proxyWidgets"]
    assert ["4", "model"] in shown and ["5", "seed"] in shown
    for node, name in shown:
        kind = kinds[node]
        assert name in widget_values(schemas[kind["type"]], kind["widgets_values"])


def test_the_table_of_versions_begins_with_the_one_that_is_required():
    rows = re.findall(r"^\| (\d[\d.]+) \| [\d.]+ \|", (ROOT / "docs/nodes.md").read_text("utf-8"), re.MULTILINE)
    required = re.search(
        r'^requires-comfyui = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert len(rows) >= 2 and rows[0] == required[1]
