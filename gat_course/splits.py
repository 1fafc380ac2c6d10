"""Random splits of a graph's nodes, as many of each class to train on (chapter 5)."""

import numpy as np


def draw(
    y: np.ndarray, per_class: int, num_val: int, num_test: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the masks that `GraphData.with_random_masks` describes.

    Args:
        y: the class of each node, integers `[N]`; negative where it is unknown.
        per_class: nodes of each class to train on.
        num_val: nodes to choose the model with, from those that are left.
        num_test: nodes to measure it with, likewise.
        seed: the same seed gives the same masks on every machine.

    Returns:
        Three masks, bool `[N]`, of which no two share a node.

    Raises:
        ValueError: a number is negative, or there are too few nodes with a class.
    """
    if per_class < 1 or min(num_val, num_test) < 0:
        raise ValueError(
            "per_class must be at least 1, num_val and num_test at least 0; got "
            f"{per_class}, {num_val}, {num_test}"
        )
    known = y >= 0
    if not known.any():
        raise ValueError("no node has a class to draw from: y is negative everywhere")
    order = np.random.default_rng(seed).permutation(len(y))
    left = known.copy()
    for label in range(y.max() + 1):
        members = order[y[order] == label]
        if len(members) < per_class:
            raise ValueError(
                f"class {label} has {len(members)} nodes, fewer than per_class = "
                f"{per_class}; ask for fewer"
            )
        left[members[:per_class]] = False
    rest = order[left[order]]
    if len(rest) < num_val + num_test:
        raise ValueError(
            f"after {per_class} nodes of each class {len(rest)} with a class are left, "
            f"fewer than num_val + num_test = {num_val + num_test}; ask for fewer"
        )
    val, test = np.zeros_like(left), np.zeros_like(left)
    val[rest[:num_val]] = True
    test[rest[num_val : num_val + num_test]] = True
    return known & ~left, val, test
