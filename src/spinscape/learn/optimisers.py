"""Muon: momentum whose update is made orthogonal, for stacks of hidden matrices.

Source: K. Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024). Every direction of a matrix
then learns at the same pace, which a sinusoidal network needs: its gradients are nearly of low rank.
"""

import math

import torch

from ..errors import check_shape

_QUINTIC = (3.4445, -4.7750, 2.0315)
_SWEEPS = 5


def orthogonalised(matrices):
    """Return U·Vᵀ of each matrix U·S·Vᵀ, roughly: singular values in [0.68, 1.13] for all but the smallest.

    Parameters
    ----------
    matrices : (n, width, width) torch.Tensor

    Notes
    -----
    Five Newton-Schulz sweeps X → aX + (bA + cA²)X, A = X·Xᵀ, with coefficients that lift small singular values fast and
    need not converge to 1. A singular value below about 1e-3 of the norm is not lifted all the way.
    """
    check_shape("matrices", matrices, ("n", "n_row", "n_column"), hint="a stack of matrices")
    x = matrices / (torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True) + 1e-30)
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    a, b, c = _QUINTIC
    for _ in range(_SWEEPS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Steepest descent in the spectral norm, with Nesterov momentum.

    Parameters
    ----------
    params : iterable of (n, width, width) torch.nn.Parameter
        Stacks of matrices, each orthogonalised for itself.
    lr : float
        The spectral norm of one step.
    momentum : float
    """

    def __init__(self, params, *, lr=0.02, momentum=0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step along the orthogonalised momentum."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1.0 - group["momentum"])
                ahead = torch.lerp(p.grad, state["momentum"], group["momentum"])
                p.add_(orthogonalised(ahead), alpha=-group["lr"])
        return loss


def cosine_factor(step, n_step):
    """Return the factor of the learning rates at a step: from 1 at the first step to almost 0 at the last.

    >>> cosine_factor(0, 100), round(cosine_factor(50, 100), 12)
    (1.0, 0.5)
    """
    return 0.5 * (1.0 + math.cos(math.pi * min(step, n_step) / n_step))
