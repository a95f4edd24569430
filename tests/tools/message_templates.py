"""Every message that the program can show, read from its source: `python -m tests.tools.message_templates` prints those
that locales/zh/messages.json lacks, in the catalogue's form, and those that it has in vain.

A message is a text of prose: string literals and f-strings of sonic_nodes with their concatenations, and the formats of
sonic_fail in csrc. Where a part of a text is one of several literals ("a" if b else "c", or a name that was set to
such), each choice makes a message of its own, so that translators see whole sentences. What stays open becomes a
placeholder, {name} after the expression that fills it, or {1}, {2} in texts of C.
"""

import ast
import itertools
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locales" / "zh" / "messages.json"
MAX_CHOICES = 12  # of one text
PROSE = re.compile(r"[A-Za-z]{2,},? |,? [A-Za-z]{2,}")
PLACEHOLDER = re.compile(r"\{[A-Za-z_0-9]+\}")
# Sentences that others made, around one of ours: they are messages of their own.
LED, FOLLOWED = (
    re.compile(r"^\{(?:advice|remedies|reason|note|problem|upper)\}\.? (?=[A-Z{])"),
    re.compile(r"(?<=[.!?]) \{\w+\}$"),
)
SCHEMA_TEXTS = ("tooltip", "description", "display_name")  # of nodes: locales/zh/nodeDefs.json has those
SILENT_CALLS = ("log.", "logging.", "re.", "AssertionError", "NotImplementedError", "StopIteration")
# Texts that no user reads as a message: names that stay as they are, patterns, and what is written into files.
# {file: names of functions or variables, "" for the whole file}
NOT_SHOWN = {
    "errors.py": {"_MEMORY_TEXTS"},
    "commands/render.py": {"BAR_FORMAT", "bar"},
    "extension/binary.py": {"GLIBC_VERSION"},
    "extension/gelu.py": {""},
    "gate/legacy_rule.py": {""},
    "engines/settings.py": {"narrowed"},  # for callers
    "gate/page.py": {"STYLE", "SCRIPT", "TITLE", "policy", "HEAD", "ROW", "TAIL", "image"},
    "batch/manifest.py": {"SOUNDS"},
    "batch/parcel.py": {"is_full"},
    "batch/ray_cluster.py": {"OUT_OF_MEMORY"},
    "batch/page.py": {"OWN_STYLE", "ROW", "TAIL", "pages"},
    "commands/batch_display.py": {"BAR"},
    "interrupts.py": {""},
    "lipsync/plot.py": {""},  # drawn with a font that has Latin letters only
    "media/fetch.py": {"public_addresses"},
    "media/image_formats.py": {"SVG", "HTML"},
    "media/provenance.py": {"_XMP", "metadata", "xmp_box"},  # written into files
    "media/video_writer.py": {"write"},  # for callers
    "watermark/marker.py": {"__init__", "apply"},  # likewise
    "weights/download.py": {"CONTENT_RANGE", "_request"},
    "weights/hub.py": {"authorization"},  # of HTTP
}


class Source:
    """The messages of one Python file."""

    def __init__(self, path: Path, text: str):
        self.path, self.tree, self.used = path, ast.parse(text), set()
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.assigned: dict = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                self.note(node.targets[0], node.value)
            elif isinstance(node, ast.AugAssign):  # the name's text is made step by step: it stays open
                self.note(node.target, node)

    def note(self, target, value):
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, given in pairs:
            if isinstance(name, ast.Name):
                self.assigned.setdefault((self.scope(name), name.id), []).append(given)

    def scope(self, node):
        while node in self.parents and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)):
            node = self.parents[node]
        return node

    def messages(self):
        texts = [node for node in ast.walk(self.tree) if is_text(node) and not self.is_part(node)]
        found = [(node, self.choices(node)) for node in texts if not self.is_silent(node)]
        for node, choices in found:
            if node not in self.used:
                yield from filter(is_prose, (self.formatted(node, text) for text in map(joined, choices)))

    def formatted(self, node, text: str) -> str:
        """With names for the places of str.format and of %."""
        parent, number = self.parents.get(node), itertools.count(1)
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mod):
            return c_template(text)
        return (
            text.replace("{{", "{").replace("}}", "}")
            if "{}" not in text
            else re.sub(r"\{\}", lambda _: f"{{{next(number)}}}", text)
        )

    def is_part(self, node) -> bool:
        """Whether the text is a part of a larger one, which is a message as a whole."""
        parent = self.parents.get(node)
        while isinstance(parent, (ast.FormattedValue, ast.IfExp)) and not is_test(node, parent):
            node, parent = parent, self.parents.get(parent)
        return is_text(parent) if parent is not None else False

    def is_silent(self, node) -> bool:
        parent, names = self.parents.get(node), NOT_SHOWN.get(self.name, set())
        if "" in names or isinstance(parent, ast.Expr):  # docstrings
            return True
        while node in self.parents:
            node, parent = self.parents[node], node
            if isinstance(node, ast.keyword) and node.arg in SCHEMA_TEXTS and self.name.startswith("nodes/"):
                return True
            if isinstance(node, ast.Call) and parent is not node.func and is_silent_call(ast.unparse(node.func)):
                return True
            if isinstance(node, (ast.Compare, ast.AnnAssign, ast.arg)) and parent is not getattr(node, "value", None):
                return True
            if getattr(node, "name", None) in names:
                return True
            if isinstance(node, ast.Assign) and any(getattr(t, "id", None) in names for t in node.targets):
                return True
        return False

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT / "sonic_nodes").as_posix()

    def choices(self, node, depth: int = 0) -> list[tuple]:
        """The texts that an expression may have, each a tuple of str and of expressions that stay open."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [(node.value,)]
        if isinstance(node, ast.JoinedStr):
            return self.product([self.choices(part, depth) for part in node.values])
        if isinstance(node, ast.FormattedValue):
            is_plain = node.conversion == -1 and node.format_spec is None
            return self.choices(node.value, depth) if is_plain else [(node.value,)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.product([self.choices(node.left, depth), self.choices(node.right, depth)])
        if isinstance(node, ast.IfExp) and has_text(node.body, node.orelse):
            return self.choices(node.body, depth) + self.choices(node.orelse, depth)
        if isinstance(node, ast.Name) and depth < 4:
            return self.named(node, depth)
        return [(node,)]

    def named(self, node, depth):
        for place in (self.scope(node), self.tree):
            values = self.assigned.get((place, node.id), [])
            if values and all(has_text(value) for value in values) and len(values) == 1:
                self.used.update(part for value in values for part in ast.walk(value) if is_text(part))
                return self.choices(values[0], depth + 1)
            if values:
                break
        return [(node,)]

    def product(self, parts):
        count = 1
        for choices in parts:
            count *= len(choices)
        if count > MAX_CHOICES:
            raise ValueError(f"{self.path}: a text with {count} choices")
        return [sum(chosen, ()) for chosen in itertools.product(*parts)]


def is_test(node, parent) -> bool:
    return isinstance(parent, ast.IfExp) and node is parent.test


def is_text(node) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return has_text(node.left) or has_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def has_text(*nodes) -> bool:
    """Whether the values are texts or choices among texts."""
    return all(is_text(node) or (isinstance(node, ast.IfExp) and has_text(node.body, node.orelse)) for node in nodes)


def is_prose(text: str) -> bool:
    """Whether a text has words to translate. Parts of sentences that are joined at run time ("; delete it", " and ")
    are in the catalogue as whole sentences, in its section "composed"; markup is none."""
    plain = PLACEHOLDER.sub("{}", text)
    is_part = re.match(r"[,;:] | (and|or) |\s*$|<", text) is not None
    return not is_part and PROSE.search(plain) is not None and len(re.findall("[A-Za-z]", plain)) > 3


def is_silent_call(name: str) -> bool:
    """Whether the arguments of a function are no messages."""
    return name.startswith(SILENT_CALLS) or name.endswith(".split")


def joined(parts) -> str:
    """The template of a text; adjacent open parts are one placeholder."""
    text, taken, last_open = "", {}, False
    for part in parts:
        if isinstance(part, str):
            text, last_open = text + part, last_open and not part
        elif not last_open:
            name = placeholder_of(part)
            taken[name] = taken.get(name, 0) + 1
            text += "{" + name + (str(taken[name]) if taken[name] > 1 else "") + "}"
            last_open = True
    return LED.sub("", FOLLOWED.sub("", text.strip().removeprefix("sonic: ")))


def placeholder_of(node) -> str:
    if isinstance(node, ast.Name):
        return node.id.lower()
    if isinstance(node, ast.Attribute):
        return node.attr.lower().strip("_")
    if isinstance(node, ast.Call):
        name = placeholder_of(node.func)
        plain = name in ("printable", "str", "repr", "shown", "join", "sorted", "list", "escape", "shown_path")
        return placeholder_of(node.args[0]) if plain and len(node.args) == 1 else name
    if isinstance(node, ast.Subscript):
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return re.sub(r"\W", "_", key.value)
        return placeholder_of(node.value)
    inner = next((n for n in ast.walk(node) if n is not node and isinstance(n, (ast.Name, ast.Attribute))), None)
    return placeholder_of(inner) if inner is not None else "value"


CONVERSION = re.compile(r"%[-+ 0#]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:ll|l|z|h|j|t)?[diuxXfgGeEscp]|%%")
C_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
C_MACRO = r'(?:"(?:[^"\\]|\\.)*"|PRI\w+|\s)+'


def c_messages(text: str):
    """The templates of a C file's sonic_fail. A choice between two formats makes two."""
    for call in re.finditer(r"\bsonic_fail\(", text):
        arguments = text[call.end() : end_of_call(text, call.end())]
        for run in re.finditer(C_MACRO, arguments):
            format_text = "".join(C_TEXT.findall(run[0]))
            if is_prose(CONVERSION.sub("{}", format_text)):
                said = format_text.replace('\\"', '"').replace("\\n", "\n")
                yield FOLLOWED.sub("", c_template(said).strip())


def end_of_call(text: str, start: int) -> int:
    depth, at = 1, start
    while depth:
        if literal := C_TEXT.match(text, at):
            at = literal.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at - 1


def c_template(format_text: str) -> str:
    number = itertools.count(1)
    return CONVERSION.sub(lambda m: "%" if m[0] == "%%" else f"{{{next(number)}}}", format_text)


def python_templates() -> dict[str, str]:
    """{template: a file that has it}."""
    found = {}
    for path in sorted((ROOT / "sonic_nodes").rglob("*.py")):
        source = Source(path, path.read_text("utf-8"))
        for template in source.messages():
            found.setdefault(template, source.name)
    return found


def c_templates() -> dict[str, str]:
    found = {}
    for path in sorted((ROOT / "csrc").rglob("*.c*")):
        for template in c_messages(path.read_text("utf-8")):
            found.setdefault(template, path.relative_to(ROOT).as_posix())
    return found


def templates() -> dict[str, str]:
    return {**c_templates(), **python_templates()}


def main():
    known = json.loads(CATALOGUE.read_text("utf-8")) if CATALOGUE.exists() else {"messages": {}}
    wanted = templates()
    missing = {text: "" for text in wanted if text not in known["messages"]}
    print(json.dumps(missing, ensure_ascii=False, indent=2))
    print(f"{len(missing)} of {len(wanted)} are missing; in vain:")
    print(json.dumps([text for text in known["messages"] if text not in wanted], ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
