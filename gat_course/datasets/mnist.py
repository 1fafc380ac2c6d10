"""MNIST: images of handwritten digits (chapter 8)."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from gat_course.datasets.download import RemoteFiles
from gat_course.datasets.finding import find_files

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
SHA256 = {  # of the files without their compression
    "train-images-idx3-ubyte.gz": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte.gz": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}
SIDE = 28  # pixels
LAST_TRAINED = 55_000  # of the training images; those behind it are for validation
STAND_IN_PARTS = (600, 100, 200)  # digits of scikit-learn to train, choose and test on


@dataclass(frozen=True, eq=False, repr=False)
class Digits:
    """Images of digits and what they show.

    Args:
        name: of the data, with the part.
        images: uint8 `[n, 28, 28]`, 0 is black, 255 white.
        labels: from 0 to 9, int64 `[n]`.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray

    def __repr__(self) -> str:
        return f"Digits({self.name!r}, {len(self.images):,} images)"


def load_mnist(
    root: str | os.PathLike | None = None, fallback: str | None = None
) -> dict[str, Digits]:
    """MNIST: 55,000 images to train on ("train"), 5,000 ("val"), 10,000 ("test").

    The four files are looked for and checked as `load` does it: in the folder `mnist`
    of `GAT_COURSE_DATA`, in the cache `root`, on the network.

    Args:
        root: folder of the cache; by default the user's cache folder.
        fallback: "synthetic" takes digits of scikit-learn, enlarged, 600, 100 and 200,
            with a warning, where `DatasetUnavailable` would be raised.

    Raises:
        ValueError: an unknown `fallback`, or a damaged file in `GAT_COURSE_DATA`.
        FileNotFoundError: `GAT_COURSE_DATA` names no folder.
        DatasetUnavailable: a file is in none of the three places.

    Source: LeCun, Bottou, Bengio and Haffner, 1998.

    >>> load_mnist()["test"]
    Digits('MNIST, test', 10,000 images)
    """
    return as_digits(find_files(mnist_files("load_mnist("), root, fallback))


def mnist_files(call: str) -> RemoteFiles:
    """Where MNIST's files are; `call` is what the advice in an error begins with."""
    return RemoteFiles(
        label="MNIST",
        sums=SHA256,
        mirrors=(MIRROR,),
        subfolder="mnist",
        call=call,
        stand_in="enlarged digits of scikit-learn",
        gzipped=True,
    )


def as_digits(found: dict[str, bytes] | None) -> dict[str, Digits]:
    """What `load_mnist` returns, from the files' contents; of None the stand-in."""
    if found is None:
        return _stand_in()
    (images, labels), test = _read(found, "train"), _read(found, "t10k")
    cut = slice(LAST_TRAINED), slice(LAST_TRAINED, None)
    return {
        "train": Digits("MNIST, train", images[cut[0]], labels[cut[0]]),
        "val": Digits("MNIST, val", images[cut[1]], labels[cut[1]]),
        "test": Digits("MNIST, test", *test),
    }


def _read(found: dict[str, bytes], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of MNIST's IDX files."""
    images = np.frombuffer(found[f"{part}-images-idx3-ubyte.gz"], np.uint8, offset=16)
    labels = np.frombuffer(found[f"{part}-labels-idx1-ubyte.gz"], np.uint8, offset=8)
    return images.reshape(-1, SIDE, SIDE).copy(), labels.astype(np.int64)


def _stand_in() -> dict[str, Digits]:
    """scikit-learn's digits, 8 by 8, enlarged."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.kron(found.images / 16, np.ones((3, 3)))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    images = (255 * images).round().astype(np.uint8)
    parts, start = {}, 0
    for part, number in zip(("train", "val", "test"), STAND_IN_PARTS, strict=True):
        own = slice(start, start + number)
        name = f"synthetic stand-in for MNIST, {part}"
        labels = found.target[own].astype(np.int64)
        parts[part] = Digits(name, images[own], labels)
        start += number
    return parts
