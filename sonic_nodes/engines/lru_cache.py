"""Results kept for the next run, so that another seed repeats no work."""

from collections import OrderedDict
from collections.abc import Callable


class LruCache:
    """The least recently used results are dropped when all together exceed `max_bytes`; a larger one is not kept."""

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self.items: OrderedDict = OrderedDict()

    def __contains__(self, key) -> bool:
        return key in self.items

    def get(self, key, make: Callable, size: Callable[[object], int]):
        """The result of `key`: the kept one, or that of make(), which takes size(result) bytes."""
        if key not in self.items:
            result = make()
            self.items[key] = (result, size(result))
            while self.bytes > self.max_bytes:
                self.items.popitem(last=False)
            return result
        self.items.move_to_end(key)
        return self.items[key][0]

    def clear(self):
        self.items.clear()

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.items.values())
