"""`python -m sonic_nodes`, and what the installed command `sonic` calls: the one module whose name Python itself fixes,
so a `sonic` that an older checkout installed goes on working when modules move."""

import sys

from .commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
