"""Superpixels of digits: the patches, the edges, MNIST's files in every condition."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from server import serving
from sklearn.datasets import load_digits

from gat_course import DatasetUnavailable, load_mnist, load_mnist_75sp, superpixels
from gat_course.datasets import mnist
from gat_course.datasets import superpixels as room

skimage = pytest.importorskip("skimage")
NAMES = {"train": 60_000, "t10k": 10_000}


def packed(part, number, seed):
    """Two small files in MNIST's form: IDX, compressed."""
    random = np.random.default_rng(seed)
    images = np.zeros((number, 28, 28), dtype=np.uint8)
    images[:, 8:20, 8:20] = random.integers(0, 256, (number, 12, 12))
    labels = ((3 * np.arange(number) + seed) % 10).astype(np.uint8)
    head = struct.pack(">IIII", 2051, number, 28, 28)
    return {
        f"{part}-images-idx3-ubyte.gz": gzip.compress(head + images.tobytes()),
        f"{part}-labels-idx1-ubyte.gz": gzip.compress(
            struct.pack(">II", 2049, number) + labels.tobytes()
        ),
    }


@pytest.fixture
def files(monkeypatch):
    """Small files whose sums are the known ones; validation follows image 6."""
    found = packed("train", 9, 0) | packed("t10k", 4, 1)
    sums = {
        name: hashlib.sha256(gzip.decompress(content)).hexdigest()
        for name, content in found.items()
    }
    monkeypatch.setattr(mnist, "SHA256", sums)
    monkeypatch.setattr(mnist, "LAST_TRAINED", 6)
    return found


@pytest.fixture
def folder(files, tmp_path, monkeypatch):
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "data" / "mnist" / name).write_bytes(content)
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path / "data"))
    return tmp_path


def test_the_images_and_labels_are_those_of_the_files(folder, files):
    digits = load_mnist()
    assert [len(one.images) for one in digits.values()] == [6, 3, 4]
    raw = {name: gzip.decompress(content) for name, content in files.items()}
    for part, own in (("train", ("train", "val")), ("t10k", ("test",))):
        images = np.concatenate([digits[one].images for one in own])
        assert images.tobytes() == raw[f"{part}-images-idx3-ubyte.gz"][16:]
        labels = np.concatenate([digits[one].labels for one in own])
        assert bytes(labels.tolist()) == raw[f"{part}-labels-idx1-ubyte.gz"][8:]


def test_each_graph_is_its_image_with_its_label(folder):
    digits = load_mnist()
    sets = load_mnist_75sp(6, 4, root=folder / "cache")
    for part, own in (("train", "train"), ("val", "val"), ("Test-Orig", "test")):
        pack = sets[part]
        assert pack.y.tolist() == digits[own].labels.tolist()
        for number, image in enumerate(digits[own].images):
            _, brightness, _ = superpixels(image / np.float32(255))
            right = pack.attention[pack.graph_of == number] > 0
            assert right.tolist() == (brightness > 0).tolist()


def test_patches_hold_the_mean_of_their_pixels():
    image = np.zeros((28, 28))
    image[5:20, 8:20] = np.linspace(0.2, 1, 12)
    patches, brightness, places = superpixels(image)
    assert len(brightness) <= 75
    assert sorted(np.unique(patches)) == list(range(len(brightness)))
    for number in range(len(brightness)):
        inside = patches == number
        assert brightness[number] == pytest.approx(image[inside].mean(), abs=1e-6)
        centre = np.argwhere(inside).mean(axis=0) / 28
        np.testing.assert_allclose(places[number], centre, atol=1e-6)


@pytest.mark.parametrize("image", [np.zeros((8, 8)), np.full((28, 28), 2.0)])
def test_what_is_no_digit_is_refused(image):
    with pytest.raises(ValueError, match="28"):
        superpixels(image)


def test_every_two_nodes_of_a_digit_are_joined(folder):
    sets = load_mnist_75sp(6, 4, root=folder / "cache")
    pack = sets["train"]
    graph = pack.take([4, 1]).graph
    sizes = pack.sizes[[4, 1]].tolist()
    assert graph.num_edges == sum(n * (n - 1) for n in sizes)
    assert (graph.src != graph.dst).all()
    places = graph.x[:, 3:] * pack.unit
    expected = torch.from_numpy(np.exp(-cdist(places, places) / (0.1 * np.pi) ** 2))
    found = expected[graph.dst, graph.src].float()
    torch.testing.assert_close(graph.edge_weight, found, atol=1e-5, rtol=1e-4)
    same = graph.graph_of[graph.src] == graph.graph_of[graph.dst]
    assert same.all()


def test_the_columns_are_standardised_and_the_attention_uniform(folder):
    pack = load_mnist_75sp(6, 4, root=folder / "cache")["train"]
    x = pack.graph.x
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(5), atol=1e-4, rtol=0)
    spread = x.std(dim=0, correction=0)
    torch.testing.assert_close(spread, torch.ones(5), atol=1e-4, rtol=0)
    black = x[:, 0] == x[:, 0].min()
    assert ((pack.attention == 0) == black).all()
    for own in pack.attention.split(pack.sizes.tolist()):
        assert own[own > 0].unique().numel() == 1


def test_noise_changes_the_brightness_alone(folder):
    sets = load_mnist_75sp(6, 4, root=folder / "cache")
    plain, grey, coloured = (
        sets[part].graph.x for part in ("Test-Orig", "Test-Noisy", "Test-NoisyC")
    )
    assert torch.equal(plain[:, 3:], grey[:, 3:])
    assert torch.equal(plain[:, 3:], coloured[:, 3:])
    moved = grey[:, :3] - plain[:, :3]
    torch.testing.assert_close(moved[:, 0], moved[:, 2], atol=1e-5, rtol=0)
    assert float(moved.std()) == pytest.approx(0.4, rel=0.3)
    assert not torch.allclose(coloured[:, 0], coloured[:, 1])


def test_superpixels_are_cut_once(folder, monkeypatch):
    first = load_mnist_75sp(6, 4, root=folder / "cache")
    monkeypatch.setattr(room, "_cut_some", lambda *_: pytest.fail("cut again"))
    again = load_mnist_75sp(6, 4, root=folder / "cache")
    assert torch.equal(first["val"].graph.x, again["val"].graph.x)


def test_a_damaged_cache_is_cut_again(folder):
    first = load_mnist_75sp(6, 4, root=folder / "cache")
    for path in (folder / "cache" / "mnist-75sp").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = load_mnist_75sp(6, 4, root=folder / "cache")
    assert torch.equal(first["train"].graph.x, again["train"].graph.x)


def test_another_packing_of_the_same_data_is_taken_and_a_damaged_one_not(folder):
    path = folder / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw, compresslevel=1, mtime=1))
    assert len(load_mnist_75sp(6, 4, root=folder / "cache")["Test-Orig"]) == 4
    for wrong in (path.read_bytes()[:-9], b"nothing", gzip.compress(raw[:-1])):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="damaged"):
            load_mnist_75sp(6, 4, root=folder / "cache")


def test_wrong_files_from_the_network_do_not_stay(files, tmp_path, monkeypatch):
    monkeypatch.delenv("GAT_COURSE_DATA", raising=False)
    with serving(files) as server:
        monkeypatch.setattr(mnist, "MIRROR", server.mirror("corrupts"))
        with pytest.raises(DatasetUnavailable, match="cannot be had"):
            load_mnist_75sp(6, 4, root=tmp_path / "cache")
        kept = (tmp_path / "cache" / "mnist").glob("*.gz")
        assert not list(kept)
        monkeypatch.setattr(mnist, "MIRROR", server.mirror("good"))
        assert len(load_mnist_75sp(6, 4, root=tmp_path / "cache")["train"]) == 6


def test_without_mnist_the_digits_of_scikit_learn_stand_in(tmp_path, monkeypatch):
    monkeypatch.delenv("GAT_COURSE_DATA", raising=False)
    monkeypatch.setattr(mnist, "MIRROR", "http://127.0.0.1:9/")
    monkeypatch.setattr(mnist, "STAND_IN_PARTS", (12, 4, 6))
    with pytest.raises(DatasetUnavailable, match=r"load_mnist_75sp\(root="):
        load_mnist_75sp(6, 4, root=tmp_path)
    with pytest.warns(UserWarning, match="IN PLACE OF MNIST") as warned:
        sets = load_mnist_75sp(6, 4, root=tmp_path, fallback="synthetic")
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="IN PLACE OF MNIST") as warned:
        digits = load_mnist(root=tmp_path, fallback="synthetic")
    assert warned[0].filename == __file__
    known = load_digits()
    assert digits["test"].labels.tolist() == known.target[16:22].tolist()
    shrunk = digits["test"].images[:, 2:26, 2:26][:, 1::3, 1::3] / 255 * 16
    np.testing.assert_allclose(shrunk, known.images[16:22], atol=0.04)
    assert sets["train"].name == "synthetic stand-in for MNIST, train"
    assert [len(sets[p]) for p in ("train", "val", "Test-Noisy")] == [6, 4, 4]


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (55_001, 1)])
def test_too_many_or_no_images_are_refused(numbers):
    with pytest.raises(ValueError, match="num_train"):
        load_mnist_75sp(*numbers)


def test_without_scikit_image(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage", None)
    with pytest.raises(ImportError, match="pip install scikit-image"):
        load_mnist_75sp(1, 1)
