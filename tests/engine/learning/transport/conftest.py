"""What the tests of the DHT share."""

from __future__ import annotations

import pytest

from tests.engine.learning.transport.writers import Writer, writers


@pytest.fixture(scope="session")
def committee() -> list[Writer]:
    return writers(40)
