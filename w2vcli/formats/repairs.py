"""What is wrong with a vector file: refused with its place, or, if that is wished, repaired and counted."""

from __future__ import annotations

from w2vcli.errors import W2VError


class Repairs:
    """Takes note of what is wrong with a file.

    Args:
        name: of the file.
        allowed: whether it is to be repaired.
    """

    def __init__(self, name: str, allowed: bool = False) -> None:
        self.name, self._allowed = name, allowed
        self._made: dict[str, tuple[int, str]] = {}

    def need(self, where: str, wrong: str, remedy: str) -> None:
        """Say what is wrong, and what will be done about it.

        Raises:
            W2VError: when nothing is to be repaired.
        """
        if not self._allowed:
            raise W2VError(f"{self.name}: {where}: {wrong}", f"w2v convert {self.name} NEW --repair: {remedy}")
        times, first = self._made.get(remedy, (0, f"{where}: {wrong}"))
        self._made[remedy] = times + 1, first

    def made(self) -> list[str]:
        """Return a line for each kind of repair."""
        return [
            f"{self.name}: {remedy}" + (f", {times:,} times, first at {first}" if times > 1 else f", at {first}")
            for remedy, (times, first) in self._made.items()
        ]
