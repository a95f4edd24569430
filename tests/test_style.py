"""The limits of CONTRIBUTING.md: 120 columns, 60 lines a function, 500 lines a file."""

import pytest

from tools import lint


@pytest.fixture(scope="module")
def paths():
    try:
        return lint.tracked_files()
    except (FileNotFoundError, lint.subprocess.CalledProcessError):
        pytest.skip("the files under version control are not known: git or the repository is absent")


def test_no_line_function_or_file_is_over_its_limit(paths):
    assert lint.problems(paths) == []


def test_functions_are_counted():
    """A signature of two lines, a body, a one-line function; a declaration and a macro's use are none."""
    text = (
        "int sonic_declared(int a);\nFUNCTION(add, st_add(s, x))\n\nstatic int two_lines(int a,\n"
        "                     int b)\n{\n    if (a) {\n        b++;\n    }\n    return b;\n}\n\n"
        "int one_line(void) { return 1; }\n"
    )
    found = [(f.lines, f.name, f.place) for f in lint.c_functions(text, "a.c")]
    assert found == [(8, "two_lines", "a.c:4"), (1, "one_line", "a.c:13")]
    found = [
        (f.lines, f.name) for f in lint.python_functions("def f():\n    return 1\n\n\nasync def g(): ...\n", "a.py")
    ]
    assert found == [(2, "f"), (1, "g")]


def test_a_long_line_function_and_file_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    path = tmp_path / "a.py"
    path.write_text("def f():\n" + "    x = 1\n" * 500 + "    y = '" + "x" * 120 + "'\n")
    found = [line.split(": ")[-1] for line in lint.problems([path])]
    assert found == ["130 columns", "f has 502 lines", "502 lines", "the median function has 502 lines"]
