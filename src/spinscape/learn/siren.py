"""A sinusoidal network Φ(Q, ω, θ) → log(1 + S): smooth, differentiable, asked at any coordinates.

Source of the idea: Sitzmann et al., NeurIPS 33 (2020); of its use for S(Q, ω): Chitturi et al., Nat. Commun. 14, 5852
(2023), whose network is ``SirenSettings(width=64, hidden_layers=3)``.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch

from ..errors import ConfigError, check_shape
from ..rng import stream
from .sine_layers import SineLayers

BLOCK_ROWS = 4096
"""Rows that go through the network at once: their activations stay in the processor's cache."""


@dataclass(frozen=True)
class SirenSettings:
    """Shape and start of the network.

    Parameters
    ----------
    width : int
        Units of every sine layer.
    hidden_layers : int
        Sine layers behind the first one.
    scale_q, scale_energy, scale_theta : float
        The first layer's weights start uniformly within ± these, for inputs standardised to ± 1: the larger, the finer
        the features that the network starts from.
    scale_bias : float
        The first layer's biases start uniformly within ± this: the phases of those features.
    """

    width: int = 64
    hidden_layers: int = 4
    scale_q: float = 7.2
    scale_energy: float = 4.2
    scale_theta: float = 1.8
    scale_bias: float = 3.0

    def __post_init__(self):
        for name in ("width", "hidden_layers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1", where=f"siren.{name}", got=getattr(self, name))
        for name in ("scale_q", "scale_energy", "scale_theta", "scale_bias"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} must be a positive number", where=f"siren.{name}", got=getattr(self, name))

    def to_dict(self):
        """Return plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data):
        """Rebuild settings from :meth:`to_dict`."""
        return cls(**data)


def initial_weights(settings, domain, seed):
    """Return the weights that the network starts from, by name, as float32 arrays.

    Notes
    -----
    Behind the first layer uniform within ± sqrt(6 / width): pre-activations keep unit variance from layer to layer
    (Sitzmann et al., theorem 1.8). The last layer starts at half of it, so that the first outputs are of order 1.
    """
    rng = stream(seed, "initialise", "siren")

    def uniform(bound, *shape):
        return (rng.uniform(-1.0, 1.0, shape) * bound).astype(np.float32)

    width, n_hidden = settings.width, settings.hidden_layers
    kinds = {"q": settings.scale_q, "energy": settings.scale_energy, "theta": settings.scale_theta}
    scale = np.array([kinds[kind] for kind in domain.input_kinds])
    bound = np.sqrt(6.0 / width)
    return {
        "first_weight": uniform(scale, width, len(scale)),
        "first_bias": uniform(settings.scale_bias, width),
        "hidden_weight": uniform(bound, n_hidden, width, width),
        "hidden_bias": uniform(width**-0.5, n_hidden, width),
        "last_weight": uniform(0.5 * bound, 1, width),
        "last_bias": np.zeros(1, dtype=np.float32),
    }


class Siren(torch.nn.Module):
    """The network with all that is needed to ask it: domain, standardisation, names.

    Parameters
    ----------
    settings : SirenSettings
    domain : TrainingDomain
        Where it was, or will be, trained.
    seed : int
        Of the initial weights.
    metadata : dict, optional
        Plain values that travel with a saved network.

    Notes
    -----
    Coordinates are columns (h, k, l, energy, θ...): r.l.u., meV, and the couplings' unit. Columns that did not vary in
    training are not inputs.
    """

    def __init__(self, settings, domain, *, seed=0, metadata=None):
        super().__init__()
        self.settings, self.domain, self.metadata = settings, domain, dict(metadata or {})
        for name, array in initial_weights(settings, domain, seed).items():
            self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(array)))

    @property
    def parameter_names(self):
        """Names of θ."""
        return self.domain.parameter_names

    @property
    def n_weight(self):
        """Number of trained numbers."""
        return sum(p.numel() for p in self.parameters())

    def named_weights(self):
        """Return the trained tensors by name."""
        return dict(self.named_parameters())

    def forward(self, inputs):
        """Return standardised outputs (n,) of standardised inputs (n, n_input); differentiable."""
        h = torch.sin(torch.nn.functional.linear(inputs, self.first_weight, self.first_bias))
        for weight, bias in zip(self.hidden_weight, self.hidden_bias, strict=True):
            h = torch.sin(torch.nn.functional.linear(h, weight, bias))
        return torch.nn.functional.linear(h, self.last_weight, self.last_bias)[:, 0]

    def predict_log_torch(self, coords):
        """Return log(1 + S) at coordinates, differentiable by them and by the weights.

        Parameters
        ----------
        coords : (n, 4 + n_parameter) torch.Tensor
            Columns h, k, l (r.l.u.), energy (meV), θ.

        Returns
        -------
        (n,) torch.Tensor float32
        """
        check_shape("coords", coords, ("n", 4 + len(self.parameter_names)), hint="columns h, k, l, energy, θ")
        active = torch.as_tensor(self.domain.active, device=coords.device)
        centre = torch.as_tensor(self.domain.centre, device=coords.device)
        half_width = torch.as_tensor(self.domain.half_width, device=coords.device)
        inputs = ((coords.double() - centre) / half_width)[:, active].to(self.first_weight.dtype)
        return self.forward(inputs) * self.domain.target_std + self.domain.target_mean

    def log_at(self, coords):
        """Return log(1 + S) at coordinates (n, 4 + n_parameter), as numpy (n,) float64."""
        return self._evaluate(coords, gradient=False)[0]

    def log_and_gradient_at(self, coords):
        """Return log(1 + S) at coordinates and its derivative by θ.

        Parameters
        ----------
        coords : (n, 4 + n_parameter) float64

        Returns
        -------
        (n,) float64 and (n, n_parameter) float64, 1/(unit of θ)
        """
        return self._evaluate(coords, gradient=True)

    def predict_log(self, q, energy, theta):
        """Return log(1 + S) on a grid of momenta and energies.

        Parameters
        ----------
        q : (n_q, 3) float64, r.l.u.
        energy : (n_energy,) float64, meV
        theta : (n_parameter,) float64

        Returns
        -------
        (n_q, n_energy) float64
        """
        coords = self._grid(q, energy, theta)
        return self.log_at(coords).reshape(len(q), len(energy))

    def predict_log_gradient(self, q, energy, theta):
        """Return log(1 + S) on a grid, (n_q, n_energy), and its derivative by θ, (n_parameter, n_q, n_energy)."""
        values, gradient = self.log_and_gradient_at(self._grid(q, energy, theta))
        shape = (len(q), len(energy))
        return values.reshape(shape), np.ascontiguousarray(gradient.T).reshape(-1, *shape)

    def predict(self, q, energy, theta):
        """Return S on a grid of momenta and energies, (n_q, n_energy) float64; see :meth:`predict_log`."""
        return np.expm1(self.predict_log(q, energy, theta))

    def predict_gradient(self, q, energy, theta):
        """Return S on a grid, (n_q, n_energy), and its derivative by θ, (n_parameter, n_q, n_energy)."""
        log, gradient = self.predict_log_gradient(q, energy, theta)
        return np.expm1(log), np.exp(log) * gradient

    def _grid(self, q, energy, theta):
        """Return the coordinates of a grid as rows, energies running fastest."""
        q, energy, theta = (np.asarray(x, dtype=np.float64) for x in (q, energy, theta))
        check_shape("q", q, ("n_q", 3), hint="one row (h, k, l) for each point")
        check_shape("energy", energy, ("n_energy",))
        check_shape("theta", theta, (len(self.parameter_names),), hint=f"one of {', '.join(self.parameter_names)} each")
        coords = np.empty((len(q), len(energy), 4 + len(theta)))
        coords[..., :3], coords[..., 3], coords[..., 4:] = q[:, None], energy, theta
        return coords.reshape(-1, coords.shape[-1])

    def outputs(self, inputs):
        """Return standardised outputs (n,) of standardised inputs (n, n_input), both numpy."""
        return self._in_blocks(inputs, gradient=False)[0]

    def _evaluate(self, coords, *, gradient):
        """Return values and, where asked, derivatives by θ."""
        coords = np.asarray(coords, dtype=np.float64)
        check_shape("coords", coords, ("n", 4 + len(self.parameter_names)), hint="columns h, k, l, energy, θ")
        values, slopes = self._in_blocks(self.domain.standardise(coords), gradient=gradient)
        values = values * self.domain.target_std + self.domain.target_mean
        return values, self.domain.theta_gradient(slopes) if gradient else None

    def _in_blocks(self, inputs, *, gradient):
        """Return standardised outputs and, where asked, their derivatives by the inputs, in blocks of rows."""
        inputs, device = torch.from_numpy(inputs), self.first_weight.device
        values = np.empty(len(inputs))
        slopes = np.empty(inputs.shape) if gradient else None
        run = _cpu_evaluator(self, min(BLOCK_ROWS, max(len(inputs), 1))) if device.type == "cpu" else _autograd(self)
        for start in range(0, len(inputs), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            values[rows], slope = run(inputs[rows].to(device), gradient)
            if slopes is not None:
                slopes[rows] = slope
        return values, slopes


def _cpu_evaluator(net, n_row):
    """Return a function of a block of inputs and of whether gradients are wanted."""
    layers = SineLayers(net.named_weights(), n_row)

    def run(inputs, gradient):
        with torch.no_grad():
            values = layers.forward(inputs).numpy()
            return values, layers.input_gradient(len(inputs)).numpy() if gradient else None

    return run


def _autograd(net):
    """Return the same function for a network on another device."""

    def run(inputs, gradient):
        with torch.set_grad_enabled(gradient):
            inputs.requires_grad_(gradient)
            values = net(inputs)
            slope = torch.autograd.grad(values.sum(), inputs)[0].cpu().numpy() if gradient else None
        return values.detach().cpu().numpy(), slope

    return run


def default_device():
    """Return the graphics card where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
