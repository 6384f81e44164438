"""Orthogonalised momentum against a singular value decomposition."""

import numpy as np
import pytest
import torch

from spinscape.errors import ShapeError
from spinscape.learn.optimisers import Muon, cosine_factor, orthogonalised

LOWEST, HIGHEST = 0.6, 1.25
"""Bounds of the singular values after five sweeps (the fixed band of the quintic is 0.68 to 1.13)."""


def matrices(shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 20), (2, 20, 8)])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape, scale):
    x = matrices(shape, 1)
    u, s, vt = np.linalg.svd(x.double().numpy(), full_matrices=False)
    inner = u.swapaxes(1, 2) @ orthogonalised(x * scale).double().numpy() @ vt.swapaxes(1, 2)
    values = np.diagonal(inner, axis1=1, axis2=2)
    lifted = s > 0.05 * s.max(1, keepdims=True)
    assert values[lifted].min() > LOWEST and values[lifted].max() < HIGHEST
    off = inner - values[..., None] * np.eye(inner.shape[-1])
    assert np.abs(off).max() < 2e-2


def test_each_matrix_of_a_stack_is_treated_for_itself():
    x = matrices((2, 12, 12), 2)
    alone = orthogonalised(x[:1])
    together = orthogonalised(torch.cat([x[:1], 1e4 * x[1:]]))
    np.testing.assert_allclose(together[:1].numpy(), alone.numpy(), atol=1e-5)


def test_no_gradient_means_no_step():
    assert torch.all(orthogonalised(torch.zeros(1, 4, 4)) == 0)


def test_a_stack_is_asked_for():
    with pytest.raises(ShapeError):
        orthogonalised(torch.zeros(4, 4))


def test_first_step_has_the_learning_rate_as_spectral_norm_whatever_the_gradient():
    p = torch.nn.Parameter(torch.zeros(1, 16, 16))
    p.grad = 1e-7 * matrices((1, 16, 16), 3)
    Muon([p], lr=0.02).step()
    assert LOWEST * 0.02 < np.linalg.norm(p.detach().numpy()[0], 2) < HIGHEST * 0.02


def test_nesterov_momentum_against_the_written_rule():
    p = torch.nn.Parameter(torch.zeros(1, 8, 8))
    optimiser, momentum, want = Muon([p], lr=0.1, momentum=0.9), torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
    for seed in range(3):
        g = matrices((1, 8, 8), seed)
        p.grad = g.clone()
        optimiser.step()
        momentum = 0.9 * momentum + 0.1 * g
        want = want - 0.1 * orthogonalised(0.1 * g + 0.9 * momentum)
    np.testing.assert_allclose(p.detach().numpy(), want.numpy(), atol=1e-5)


def test_cosine_falls_from_one_to_zero():
    factors = [cosine_factor(step, 10) for step in range(12)]
    assert factors[0] == 1.0 and factors[10] == factors[11] == 0.0
    assert np.all(np.diff(factors[:11]) < 0)
