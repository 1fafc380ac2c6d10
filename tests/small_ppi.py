"""A small zip file in PPI's published form: 24 graphs made by chance."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

SPLITS = {"train": range(1, 21), "valid": range(21, 23), "test": range(23, 25)}


def members(
    seed: int = 0, nodes: int = 8, features: int = 50, labels: int = 121
) -> dict[str, dict | np.ndarray]:
    """What the twelve members hold, by name: node-link graphs and arrays.

    A graph has `nodes` to `nodes + 2` nodes, each linked to the next, and as many
    links between any two; some of these come twice, the other way round or lead from a
    node to itself, as in PPI.
    """
    rng = np.random.default_rng(seed)
    made = {}
    for split, ids in SPLITS.items():
        graph_id = np.repeat(list(ids), [nodes + i % 3 for i in ids])
        n = len(graph_id)
        links = []
        for i in ids:
            first, size = int((graph_id < i).sum()), nodes + i % 3
            links += [(first + k, first + k + 1) for k in range(size - 1)]
            links += (first + rng.integers(size, size=(size, 2))).tolist()
        made[f"{split}_graph.json"] = {
            "directed": False,
            "multigraph": False,
            "graph": {},
            "nodes": [{"id": node} for node in range(n)],
            "links": [{"source": int(a), "target": int(b)} for a, b in links],
        }
        made[f"{split}_feats.npy"] = rng.normal(3, 2, (n, features)).astype("f4")
        made[f"{split}_labels.npy"] = rng.integers(2, size=(n, labels))
        made[f"{split}_graph_id.npy"] = graph_id
    return made


def packed(value: dict | np.ndarray | bytes) -> bytes:
    """A member as bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return json.dumps(value).encode()
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def pack(path: Path, contents: dict[str, dict | np.ndarray | bytes]) -> Path:
    """Write a zip of the given members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in contents.items():
            archive.writestr(name, packed(value))
    return path


def write(
    path: Path, seed: int = 0, nodes: int = 8, features: int = 50, labels: int = 121
) -> dict[str, dict | np.ndarray]:
    """Write a small zip in PPI's form and return what was put in, as `members`."""
    made = members(seed, nodes, features, labels)
    pack(path, made)
    return made
