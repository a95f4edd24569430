"""`python -m sonic_nodes`, and what the installed command `sonic` calls: the one module whose name Python itself fixes,
so a `sonic` that an older checkout installed goes on working when modules move. `python path/to/sonic_nodes` does the
same: the embedded Python of ComfyUI portable finds no module in the current folder."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C before the command handles it: no traceback of an import

if __package__:
    from .commands.cli import main
else:
    from pathlib import Path

    own = Path(__file__).resolve().parent
    # Python looks in the package's folder then, where errors.py and others would hide modules of these names.
    sys.path[:] = [str(own.parent), *(folder for folder in sys.path if Path(folder or ".").resolve() != own)]
    from sonic_nodes.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
