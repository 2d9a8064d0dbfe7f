"""Boosted trees for many rows at once: QuickScorer (Lucchese et al., SIGIR 2015, section 3) with whole arrays.

The leaves of a tree are the bits of a word. A node whose condition a row fails takes away the bits under its true
branch, and the lowest bit that is left is the row's leaf. The words of all trees stand side by side, and what a feature
leaves of them is one row of a table, for each interval between two of its thresholds. Features with few thresholds
share a table of all their combinations.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grid import Floats, Grid

BRANCH, LEAF = b"BRANCH_LEQ", b"LEAF"
MOST_LEAVES = 64
MOST_BYTES = 16 * 2**20
"""Of the tables: larger ones leave the processor's cache, and are no faster than a walk from each root."""
MOST_PLACES = 1024
"""Of a table for several features."""
BLOCK = 1024
"""Rows at a time, so that their words stay in the cache."""

Words = NDArray[Any]
"""Unsigned integers of 32 or 64 bits."""
Name = tuple[int, int]
"""Of a node: its tree's number and its own."""


@dataclass(frozen=True, slots=True)
class Table:
    """The bits that are left of all trees, shape (places, trees), by the place that a row has in some features."""

    features: list[tuple[int, Grid]]
    left: Words

    def places(self, columns: Floats) -> NDArray[np.intp]:
        """Give the row of `left` for each row, shape (n,), of features of shape (features, n)."""
        (first, grid), *others = self.features
        places = grid.places(columns[first])
        for feature, grid in others:
            places *= len(grid)
            places += grid.places(columns[feature])
        return places

    def joined(self, other: "Table") -> "Table":
        """Give the table of every place here with every place there."""
        left = self.left[:, None] & other.left
        return Table(self.features + other.features, left.reshape(-1, left.shape[-1]))


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees that add to one sum.

    `leaves`, shape (trees, bits): what each leaf adds. `base` is added last.
    """

    tables: list[Table]
    leaves: Floats
    base: np.float32

    def sums(self, matrix: Floats) -> Floats:
        """Give shape (n, 1): added tree by tree, as onnxruntime does in one thread, so with the same bits.

        Args:
            matrix: shape (n, features).
        """
        trees, bits = self.leaves.shape
        first, added = np.arange(trees)[:, None] * bits - 1, self.leaves.ravel()
        columns = np.ascontiguousarray(matrix.T)
        looked = [(table.left, table.places(columns)) for table in self.tables]
        sums = np.empty((len(matrix), 1), np.float32)
        for start in range(0, len(matrix), BLOCK):
            rows = slice(start, start + BLOCK)
            words = reduce(np.ndarray.__iand__, (left.take(places[rows], axis=0) for left, places in looked))
            words ^= words - words.dtype.type(1)  # the lowest bit that is left, and all below it
            values = added.take(np.ascontiguousarray(np.bitwise_count(words).T) + first)
            np.add.reduce(values, axis=0, out=sums[rows, 0])
        sums += self.base
        return sums


@dataclass(frozen=True, slots=True)
class _Node:
    feature: int
    threshold: float
    true: Name
    false: Name
    missing: bool
    """Whether a missing value takes the true branch."""


@dataclass(frozen=True, slots=True)
class _Split:
    node: _Node
    tree: int
    under: int
    """The bits of the leaves under the true branch."""


def read(ensemble: Mapping[str, Any], kind: str) -> Trees | None:
    """Make tables of a tree ensemble.

    None where they do not hold it: several sums, doubles, a tree of more than 64 leaves, other conditions than `<=`,
    or more thresholds than a cache has room for.

    Args:
        ensemble: the attributes of ONNX's operator (ai.onnx.ml, versions 1 and 3).
        kind: `class` or `target`, the first word of the attributes that say what a leaf adds.
    """
    if "nodes_values" not in ensemble or f"{kind}_weights" not in ensemble:
        return None  # of doubles, which lie in tensors
    of, weights = ensemble[f"{kind}_treeids"], ensemble[f"{kind}_weights"]
    added = dict(zip(zip(of, ensemble[f"{kind}_nodeids"], strict=True), weights, strict=True))
    leaves = Counter(tree for tree, _ in added)
    bits = max(leaves.values(), default=0)
    each_once = len(added) == len(weights) == ensemble["nodes_modes"].count(LEAF)
    one_sum = len(set(ensemble[f"{kind}_ids"])) == 1
    if not (each_once and one_sum and bits <= MOST_LEAVES and set(ensemble["nodes_modes"]) <= {BRANCH, LEAF}):
        return None
    nodes = _nodes(ensemble)
    if not all((tree, 0) in nodes or (tree, 0) in added for tree in leaves):
        return None  # a root has another number
    splits: list[_Split] = []
    values = np.zeros((len(leaves), bits), np.float32)
    for i, tree in enumerate(leaves):
        below = _walk(nodes, (tree, 0), i, 0, splits)
        values[i, : len(below)] = [added[leaf] for leaf in below]
    tables = _tables(splits, len(leaves), np.dtype(np.uint32 if bits <= 32 else np.uint64))
    if not tables or sum(table.left.nbytes for table in tables) > MOST_BYTES:
        return None
    return Trees(_joined(tables), values, np.float32(sum(ensemble.get("base_values", []))))


def _nodes(ensemble: Mapping[str, Any]) -> dict[Name, _Node]:
    trees = ensemble["nodes_treeids"]
    missing = ensemble.get("nodes_missing_value_tracks_true", [0] * len(trees))
    fields = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
    return {
        (tree, name): _Node(feature, value, (tree, true), (tree, false), bool(tracks))
        for tree, name, mode, feature, value, true, false, tracks in zip(
            *(ensemble[f"nodes_{field}"] for field in fields), missing, strict=True
        )
        if mode == BRANCH
    }


def _walk(nodes: Mapping[Name, _Node], name: Name, tree: int, first: int, splits: list[_Split]) -> list[Name]:
    """Give the leaves under a node, true branches first, of which the first has the bit `first`; note the splits."""
    node = nodes.get(name)
    if node is None:
        return [name]
    true = _walk(nodes, node.true, tree, first, splits)
    splits.append(_Split(node, tree, (2 ** len(true) - 1) * 2**first))
    return true + _walk(nodes, node.false, tree, first + len(true), splits)


def _tables(splits: list[_Split], trees: int, word: np.dtype[Any]) -> list[Table]:
    tables = []
    for feature in sorted({split.node.feature for split in splits}):
        asked = [split for split in splits if split.node.feature == feature]
        thresholds = np.unique(np.array([split.node.threshold for split in asked], np.float32))
        left = np.full((len(thresholds) + 2, trees), ~word.type(0))
        for split in asked:
            keeps = ~word.type(split.under)
            left[thresholds.searchsorted(split.node.threshold) + 1, split.tree] &= keeps
            if not split.node.missing:
                left[-1, split.tree] &= keeps
        np.bitwise_and.accumulate(left[:-1], axis=0, out=left[:-1])
        tables.append(Table([(feature, Grid(thresholds))], left))
    return tables


def _joined(tables: list[Table]) -> list[Table]:
    """Join the two smallest as long as that makes no large one."""
    while len(tables) > 1:
        tables = sorted(tables, key=lambda table: len(table.left))
        first, second, *others = tables
        if len(first.left) * len(second.left) > MOST_PLACES:
            break
        tables = [*others, first.joined(second)]
    return tables
