"""A small model for the Sonic engine."""

import pytest

from sonic_nodes.engines.sonic import SonicEngine
from sonic_nodes.weights.models import Models


@pytest.fixture
def engine(small_models):
    return SonicEngine(Models.in_folder(small_models))
