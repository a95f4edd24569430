"""`python FOLDER COMMAND`: the command `sonic` of the pack in this folder, for a Python that looks for modules nowhere
else, such as the one inside ComfyUI's portable version (its ._pth file switches PYTHONPATH and the current folder off).
Python puts the folder that it runs first in sys.path, and processes of `check --jobs` get that list from their parent.
"""

import sys

from sonic_nodes.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
