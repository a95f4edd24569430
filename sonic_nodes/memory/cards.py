"""Further graphics cards that share the calls of the UNet with the first one."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Card:
    """What a run may take of a card's memory."""

    name: str
    bytes: int


@dataclass(frozen=True)
class CardEstimate:
    """Bytes on a further card, which computes calls of the UNet alone, at their peak."""

    name: str
    weights: int
    held: int  # the UNet's constants
    results: int
    margin: int
    budget: int

    @property
    def peak(self) -> int:
        return self.weights + self.held + self.results + self.margin

    @property
    def fits(self) -> bool:
        return self.peak <= self.budget

    def as_dict(self) -> dict:
        """For JSON."""
        return {**{f.name: getattr(self, f.name) for f in fields(self)}, "peak": self.peak}
