"""Spectra under torch: gradcheck, plain values, and a short descent by an image loss."""

import pytest
import torch

from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.simulate.spectrum_torch import predict_torch

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]


def spectrum():
    """An antiferromagnetic chain whose in-plane term E splits its two branches."""
    crystal = Crystal(
        vectors=[[4.0, 0, 0], [0, 5.0, 0], [0, 0, 9.0]],
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=[[[2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]]],
        rotations=[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]],
        translations=[[0, 0, 0]],
    )
    bonds = BondTable([0], [0], [[1, 0, 0]], [0], [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    easy, split = [[0, 0, 0], [0, 0, 0], [0, 0, -1.0]], [[1.0, 0, 0], [0, -1.0, 0], [0, 0, 0]]
    model = Model(crystal, ("J", "D", "E"), bonds, OnsiteTable([0, 0], [1, 2], [easy, split]))
    structure = MagneticStructure(
        [[2, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]]
    )
    path = path_through([[0.1, 0, 0], [0.5, 0, 0.1]], n_point=(5,), reciprocal=crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.0, last=14.0, step=0.5)
    return SpectrumModel(model, structure, path, energy, SpinwaveSettings(component="perp", fwhm=(1.5, 0.02)))


@pytest.mark.parametrize("theta", [[3.0, 0.5, 0.2], [3.0, 0.5, 0.0]])
@pytest.mark.parametrize("how", [{}, {"q_smear": 0.1, "energy_offset": 0.3}])
def test_gradcheck(theta, how):
    one = spectrum()
    start = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: predict_torch(one, t, **how), (start,), eps=1e-5, atol=1e-7)


@pytest.mark.parametrize("device", DEVICES)
def test_values_are_those_of_predict_on_the_device_of_theta(device):
    one = spectrum()
    rows = predict_torch(one, torch.tensor([3.0, 0.5, 0.2], dtype=torch.float32, device=device))
    assert (rows.dtype, rows.device.type, rows.requires_grad) == (torch.float32, device, False)
    values = torch.tensor([3.0, 0.5, 0.2], dtype=torch.float32).double().numpy()
    torch.testing.assert_close(rows.double().cpu(), torch.from_numpy(one.predict(values)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("device", DEVICES)
def test_an_image_loss_finds_the_couplings(device):
    one = spectrum()
    true = torch.tensor([3.0, 0.5, 0.2], dtype=torch.float64, device=device)
    seen = predict_torch(one, true)
    theta = torch.tensor([2.8, 0.6, 0.3], dtype=torch.float64, device=device, requires_grad=True)
    optimiser = torch.optim.LBFGS([theta], lr=0.5, max_iter=60, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = ((predict_torch(one, theta) - seen) ** 2).sum()
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(theta.detach(), true, rtol=0, atol=1e-5)
