"""What several test files share."""

import pytest

from gat_course import dgl_compat


@pytest.fixture(scope="session")
def dgl():
    """The DGL module, or a skip that says why it is not there."""
    try:
        return dgl_compat.import_dgl()
    except ImportError as error:
        pytest.skip(f"DGL cannot be had here: {error}")
