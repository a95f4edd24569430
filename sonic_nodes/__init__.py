"""One portrait and one recording of speech in, a talking video out."""

from .extension.versions import check_python

check_python()

__version__ = "0.1.0"
