"""How PyAV reads tags that are not UTF-8: up to version 18 it stops at them unless told to replace.

Later ones take no such option.
"""

import av

ANY_ENCODING = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}

# Tags that describe the file that was read, not what it shows.
_OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder", "encoding_tool")


def tags_of(container) -> dict[str, str]:
    """Tags of an open container that hold for a copy in another file too."""
    return {key: value for key, value in container.metadata.items() if key.lower() not in _OF_THE_FILE}
