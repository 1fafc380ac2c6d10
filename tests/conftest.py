"""What several test files share."""

import browser
import matplotlib.pyplot as plt
import pytest
import torch
from playwright.sync_api import sync_playwright

from gat_course import dgl_compat
from tools.screens import find

# No test may depend on those before it: PyTorch warns each time, not once a process,
# each test draws the same random numbers, and none leaves a figure open.
torch.set_warn_always(True)


@pytest.fixture(autouse=True)
def same_start():
    torch.manual_seed(0)
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def one_thread():
    """Small graphs gain nothing from several, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dgl():
    """DGL itself, or a skip that says why it is not there."""
    if not dgl_compat.has_dgl():
        pytest.skip(f"this compares with DGL; {dgl_compat.which_dgl()}")
    return dgl_compat.import_dgl()


@pytest.fixture(scope="module")
def chromium():
    """A running browser, or a skip where none is installed."""
    program = find()
    if program is None:
        pytest.skip("no Chromium or Chrome is installed")
    # Outside its sandbox, in which root could not start it.
    options = {"executable_path": program, "chromium_sandbox": False}
    with sync_playwright() as playwright:
        with playwright.chromium.launch(**options) as running:
            yield running


@pytest.fixture
def reader(chromium):
    """Opens pages in the browser, and closes them after the test."""
    yield browser.Reader(chromium)
    for context in chromium.contexts:
        context.close()
