import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.observables.structure_factor import COMPONENTS, correlation_tensor, intensity, polarisation_weights

Q = np.array([[0.0, 0.0, 2.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def amplitudes():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 4, 3)) + 1j * rng.normal(size=(3, 4, 3))


def test_the_tensor_conjugates_its_first_index():
    tensor = correlation_tensor(np.array([[[1.0, 1j, 0.0]]]), n_cell=2)
    np.testing.assert_allclose(tensor[0, 0], [[0.5, 0.5j, 0], [-0.5j, 0.5, 0], [0, 0, 0]])


def test_perp_projects_on_the_plane_across_q():
    m = amplitudes()
    tensor = correlation_tensor(m, n_cell=1)
    values = intensity(tensor, polarisation_weights("perp", Q))
    unit = Q[:2] / np.linalg.norm(Q[:2], axis=1, keepdims=True)
    across = m[:2] - np.einsum("qa,qna->qn", unit, m[:2])[..., None] * unit[:, None, :]
    np.testing.assert_allclose(values[:2], np.sum(np.abs(across) ** 2, axis=2), rtol=1e-12)
    trace = intensity(tensor, polarisation_weights("trace", Q))
    np.testing.assert_allclose(values[2], 2 / 3 * trace[2], rtol=1e-12)


def test_components_add_up_to_the_trace_and_are_positive():
    tensor = correlation_tensor(amplitudes(), n_cell=3)
    parts = [intensity(tensor, polarisation_weights(name, Q)) for name in ("xx", "yy", "zz")]
    np.testing.assert_allclose(sum(parts), intensity(tensor, polarisation_weights("trace", Q)), rtol=1e-12)
    np.testing.assert_allclose(parts[1], tensor[:, :, 1, 1].real)
    for name in COMPONENTS:
        assert np.linalg.eigvalsh(polarisation_weights(name, Q)).min() >= -1e-15


def test_an_unknown_component_is_refused():
    with pytest.raises(ConfigError, match="one of trace, perp, xx, yy, zz"):
        polarisation_weights("xy", Q)
