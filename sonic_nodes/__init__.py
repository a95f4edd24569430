"""One portrait and one recording of speech in, a talking video out."""

__version__ = "0.1.0"
