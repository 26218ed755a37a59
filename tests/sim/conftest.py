import pytest

from sim.config import parse_config

UM = 1e-6


@pytest.fixture(scope="session")
def small():
    """A small cell in a short channel: out in about a second."""
    return parse_config(
        {
            "name": "small",
            "fluid": {"pressure_drop": 2e3},
            "channel": {
                "width": 10.4 * UM, "constriction_length": 8 * UM, "entry_taper": 5 * UM, "exit_taper": 5 * UM,
                "inlet_length": 8 * UM, "outlet_length": 24 * UM,
            },
            "cell": {"diameter": 7 * UM, "ks": 5e-3, "kb": 5e-17, "start_x": -5.5 * UM},
            "numerics": {"dx": 0.65 * UM, "wall_range": 0.65 * UM},
        },
        "small",
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_trace(small):
    from sim.simulation import simulate

    return simulate(small)
