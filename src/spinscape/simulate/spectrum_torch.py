"""Spectra as a torch operation: a loss of an image of S(Q, ω) goes back to the couplings by the adjoint."""

import numpy as np
import torch

__all__ = ["predict_torch"]


class _Spectrum(torch.autograd.Function):
    """The value and its adjoint; the work is done by numpy and compiled kernels on the CPU."""

    @staticmethod
    def forward(ctx, theta, spectrum, instrument):
        values = theta.detach().to("cpu", torch.float64).numpy()
        if ctx.needs_input_grad[0]:
            rows, ctx.pullback = spectrum.predict_with_pullback(values, **instrument)
        else:
            rows = spectrum.predict(values, **instrument)
        return torch.from_numpy(np.ascontiguousarray(rows)).to(theta)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, cotangent):
        gradient = ctx.pullback(cotangent.detach().to("cpu", torch.float64).numpy())
        return torch.from_numpy(gradient).to(cotangent), None, None


def predict_torch(spectrum, theta, **instrument):
    """Return the spectrum at θ as a tensor that gradients flow back through.

    Parameters
    ----------
    spectrum : SpectrumModel or PowderSpectrum
    theta : (n_parameter,) torch.Tensor, meV
        On any device and of any floating type; the work is done in float64 on the CPU.
    **instrument
        Those of :meth:`~spinscape.simulate.spectrum.SpectrumModel.predict`: plain numbers, no gradient by them.

    Returns
    -------
    (n_q, n_energy) torch.Tensor, per meV and chemical cell
        On the device and of the type of ``theta``.

    Notes
    -----
    First derivatives only. Not an operation of the GPU: couplings on CUDA are copied to the host, the spectrum and its
    adjoint are made there by the compiled kernels, and copied back, one image each way. What comes before and after
    stays on the device. Spectra of powders and of relaxed structures do as well as a :class:`SpectrumModel`.
    """
    return _Spectrum.apply(theta, spectrum, instrument)
