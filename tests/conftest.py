"""What several test files share."""

import browser
import pytest
import torch

from gat_course import dgl_compat

# No test may depend on those before it: PyTorch warns each time, not once a process,
# and each test draws the same random numbers.
torch.set_warn_always(True)


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def dgl():
    """The DGL module, or a skip that says why it is not there."""
    try:
        return dgl_compat.import_dgl()
    except ImportError as error:
        pytest.skip(f"DGL cannot be had here: {error}")


@pytest.fixture(scope="session")
def chromium():
    """A browser with one page, or a skip where none is installed."""
    program = browser.find()
    if program is None:
        pytest.skip("no Chromium or Chrome is installed")
    with browser.Browser(program) as running:
        yield running
