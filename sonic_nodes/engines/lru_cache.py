"""Results kept for the next run, so that another seed repeats no work."""

from collections import OrderedDict
from collections.abc import Callable


class Recent:
    """The results used last, by key, up to `bytes_max` altogether. A larger one is not kept."""

    def __init__(self, bytes_max: int):
        self.bytes_max = bytes_max
        self.items: OrderedDict = OrderedDict()

    def __contains__(self, key) -> bool:
        return key in self.items

    def get(self, key, make: Callable, size: Callable[[object], int]):
        """The result of `key`: kept, or make()'s, which takes size(result) bytes."""
        if key not in self.items:
            result = make()
            self.items[key] = (result, size(result))
            while self.bytes > self.bytes_max:
                self.items.popitem(last=False)
            return result
        self.items.move_to_end(key)
        return self.items[key][0]

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.items.values())
