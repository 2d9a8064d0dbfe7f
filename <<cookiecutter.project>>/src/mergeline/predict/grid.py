"""The place of numbers among thresholds, by an even grid over them instead of by bisection: half of the time."""

import numpy as np
from numpy.typing import NDArray

CELLS = 1024
CROWDED = 8
"""More thresholds in one cell than this, and bisection is faster."""
LARGEST = float(np.finfo(np.float32).max)

Floats = NDArray[np.float32]


class Grid:
    """Ascending thresholds, shape (k,), and their cells.

    A number's cell never falls as the number grows, however it is rounded. So the thresholds in lower cells lie below a
    number and those in higher cells do not; those in its own cell are compared one by one.
    """

    def __init__(self, thresholds: Floats) -> None:
        finite = thresholds[np.isfinite(thresholds)]
        span = float(finite[-1]) - float(finite[0]) if len(finite) else 0.0
        self._lowest = finite[0] if len(finite) else np.float32(0)
        self._scale = np.float32(min(CELLS / span, LARGEST) if span else 1)
        self._thresholds = np.append(thresholds, np.float32(np.inf))
        cells = self._cells(thresholds)
        self._below = cells.searchsorted(np.arange(CELLS))
        self._crowd = int(np.bincount(cells).max())

    def __len__(self) -> int:
        """Give the number of places: above none of them, above one, ... all, and of a missing number."""
        return len(self._thresholds) + 1

    def places(self, numbers: Floats) -> NDArray[np.intp]:
        """Count the thresholds below each number, shape (n,); k + 1 for a missing one."""
        if self._crowd > CROWDED:
            places = self._thresholds[:-1].searchsorted(numbers)
        else:
            places = self._below.take(self._cells(numbers))
            for _ in range(self._crowd):
                places += numbers > self._thresholds.take(places)
        places[np.isnan(numbers)] = len(self) - 1
        return places

    def _cells(self, numbers: Floats) -> NDArray[np.intp]:
        with np.errstate(all="ignore"):  # an infinite number is in the first cell or the last, a missing one in any
            cells = numbers - self._lowest
            cells *= self._scale
        np.fmax(cells, 0, out=cells)
        np.fmin(cells, CELLS - 1, out=cells)
        return cells.astype(np.intp)
