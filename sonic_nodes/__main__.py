"""`python -m sonic_nodes`: the command `sonic` where no script of that name is installed."""

import sys

from .commands.cli import main

sys.exit(main())
