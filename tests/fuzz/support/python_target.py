"""Runs a Python target of tests/fuzz under atheris, which is libFuzzer with the coverage of Python code:

    python -m tests.fuzz.support.python_target NAME [libFuzzer's options and folders]

A target is a module with check(data: bytes), which raises when a promise of the code is broken. tools/fuzz.sh installs
atheris and calls this.
"""

import importlib
import sys

import atheris

INSTRUMENTED = ["sonic_nodes.weights", "tests.fuzz"]


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(f"tests.fuzz.{name}")
    atheris.Setup(sys.argv, target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
