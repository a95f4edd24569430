"""How PyAV reads tags that are not UTF-8: up to version 18 it stops at them unless told to replace.

Later ones take no such option.
"""
import av

ANY_ENCODING = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
