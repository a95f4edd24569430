"""`python -m sonic_nodes`, and what the installed command `sonic` calls: the one module whose name Python itself fixes,
so a `sonic` that an older checkout installed goes on working when modules move."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C before the command handles it: no traceback of an import

from .commands.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
