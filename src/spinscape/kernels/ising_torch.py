"""Single flips without rejections of many Ising models at once, as tensor operations: for a GPU.

The Markov chain of ``kernels.rejection_free``, one for each model, in step: a pass lets each model wait for its next
accepted try and make it. A pass costs the same whatever is accepted, so that it pays where few tries are.
"""

import torch

__all__ = ["fields_of", "flips"]

CHECK = 16
"""Passes between two looks at whether all models are done: a look waits for the device."""


def fields_of(couplings, spins, field):
    """Return L_i = Σ_j J_ij σ_j − h_i of every model, (n_model, n).

    Parameters
    ----------
    couplings : (n_model, n, n) torch.Tensor
        J, zero on the diagonal.
    spins, field : (n_model, n) torch.Tensor
        σ and h.
    """
    return torch.einsum("mij,mj->mi", couplings, spins) - field


def flips(couplings, beta, spins, local, n_try, generator):
    """Make a number of tries of single spins in every model; return the flips of each, (n_model,) int64.

    Parameters
    ----------
    couplings : (n_model, n, n) torch.Tensor
    beta : (n_model,) torch.Tensor
        1/(k_B T), in the inverse unit of the couplings.
    spins, local : (n_model, n) torch.Tensor
        σ and L; both are changed.
    n_try : int
    generator : torch.Generator
        On the device of the others.
    """
    n_model, n = spins.shape
    lane = torch.arange(n_model, device=spins.device)
    left = torch.full((n_model,), float(n_try), dtype=torch.float64, device=spins.device)
    count = torch.zeros(n_model, dtype=torch.int64, device=spins.device)
    k = 0
    while True:
        weight = torch.exp(torch.clamp(2.0 * beta[:, None] * spins * local, max=0.0))
        sums = torch.cumsum(weight, dim=1)
        total = sums[:, -1]
        share = torch.clamp(total.double() / n, min=1e-300, max=1.0)
        number = torch.rand((2, n_model), generator=generator, dtype=torch.float64, device=spins.device)
        # log1p(−1) is −∞: a spin that is sure to flip waits for one try.
        wait = torch.floor(torch.log1p(-number[0]) / torch.log1p(-share)) + 1.0
        left -= wait
        going = left >= 0.0
        threshold = (number[1] * total.double()).to(sums.dtype)[:, None]
        site = torch.clamp(torch.searchsorted(sums, threshold, right=True)[:, 0], max=n - 1)
        turned = torch.where(going, -spins[lane, site], spins[lane, site])
        spins[lane, site] = turned
        step = torch.where(going, 2.0 * turned, torch.zeros_like(turned))
        local += step[:, None] * couplings[lane, site]
        count += going
        k += 1
        if k % CHECK == 0 and not bool(going.any()):
            return count
