"""Autoencoders of images: the paper's logistic layer, a dense one that sees principal components, a variational one.

    seen = transform(S);   x = (seen − mean) Vᵀ / scale;   z = encoder(x)
    seen' = mean + scale decoder(z) V + correction

V are leading principal components of the training images (or the unit matrix). A squared error in voxels and one in
components differ by a constant, so that a network on components learns the same at a hundredth of the cost.

An encoder that learns to see through artefacts looks at the voxels themselves, and at which of them are missing:
components mix a hot voxel into everything.

    x = (clip(seen − mean, ±b reach) / size, missing),   reach the largest |seen − mean| of the training images, b ≥ 1
"""

from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import torch

from ..errors import ConfigError, check_shape
from .compressor import Pca, checked_images

KINDS = ("logistic", "dense", "variational")
SEES = ("components", "voxels")


@dataclass(frozen=True)
class AutoencoderSettings:
    """The network and its training.

    Parameters
    ----------
    kind : str
        ``"logistic"``: one hidden layer with the logistic function, whose values are the latent numbers, on the voxels;
        ``"dense"``: hidden layers with SiLU on both sides of the latent layer; ``"variational"``: the same, the latent
        numbers with an uncertainty each.
    n_latent : int
        D.
    width, depth : int
        Of the hidden layers of each side; not used by ``"logistic"``.
    n_component : int
        Principal components that the network sees; 0 for the voxels. With as many as there are images a network of the
        kind ``"logistic"`` is the one on the voxels, turned.
    sees : str
        ``"components"``: the encoder sees what the decoder gives; ``"voxels"``: it sees voxels and a mask, the decoder
        gives components all the same.
    beyond : float
        b, of an encoder that sees voxels: how far, in units of what training images reach, a voxel is seen. What lies
        beyond counts as lying there. With 3 strong artefacts hide less of what lies under them.
    input_noise : float
        Standard deviation, in units of a voxel after the transform, of the noise added to what the encoder sees while
        it learns. It keeps the network from fitting the noise of its images.
    kl_weight : float
        Of ``"variational"``: weight of the Kullback-Leibler divergence beside the squared error in units of the noise.
    n_epoch, batch_size, learning_rate : training
    patience : int
        Epochs without a better held-out error after which it stops.
    """

    kind: str = "dense"
    n_latent: int = 4
    width: int = 96
    depth: int = 1
    n_component: int = 64
    sees: str = "components"
    beyond: float = 1.0
    input_noise: float = 0.3
    kl_weight: float = 1.0
    n_epoch: int = 300
    batch_size: int = 64
    learning_rate: float = 5e-3
    patience: int = 300

    def __post_init__(self):
        positive = ("n_latent", "width", "depth", "n_epoch", "batch_size", "learning_rate", "patience")
        bad = [name for name in positive if not getattr(self, name) > 0]
        bad += [name for name in ("n_component", "input_noise", "kl_weight") if not getattr(self, name) >= 0]
        bad += [] if self.kind in KINDS else ["kind"]
        bad += [] if self.sees in SEES else ["sees"]
        bad += [] if 1.0 <= self.beyond < np.inf else ["beyond"]
        if bad:
            raise ConfigError(
                "settings of an autoencoder are out of range",
                where="autoencoder",
                expected=f"one of {', '.join(KINDS)}, positive numbers",
                got=self.to_dict(),
                fix=f"correct {', '.join(bad)}",
            )

    def to_dict(self):
        """Return plain values, for JSON; ``AutoencoderSettings(**data)`` is the inverse."""
        return asdict(self)


class Network(torch.nn.Module):
    """Encoder of n_seen numbers into n_latent ones, and decoder of these into n_given."""

    def __init__(self, settings, n_seen, n_given):
        super().__init__()
        self.settings = settings
        n_code = settings.n_latent * (2 if settings.kind == "variational" else 1)
        if settings.kind == "logistic":
            self.encoder = torch.nn.Sequential(torch.nn.Linear(n_seen, n_code), torch.nn.Sigmoid())
            self.decoder = torch.nn.Sequential(torch.nn.Linear(settings.n_latent, n_given))
        else:
            self.encoder = _layers(n_seen, n_code, settings)
            self.decoder = _layers(settings.n_latent, n_given, settings)

    def code(self, x):
        """Return the latent numbers and the logarithm of their variance (None where they have none)."""
        code = self.encoder(x)
        if self.settings.kind != "variational":
            return code, None
        mean, log_variance = code.chunk(2, dim=1)
        return mean, log_variance


def make_network(settings, n_voxel):
    """Return the untrained :class:`Network` for images of so many voxels."""
    n_given = settings.n_component or n_voxel
    return Network(settings, 2 * n_voxel if settings.sees == "voxels" else n_given, n_given)


def _layers(n_in, n_out, settings):
    sizes = [n_in, *[settings.width] * settings.depth]
    layers: list[torch.nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.SiLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(settings.width, n_out))


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained autoencoder. Make it with :func:`spinscape.learn.train_compressor.fit_autoencoder`.

    Parameters
    ----------
    settings : AutoencoderSettings
    front : Pca
        Transform, mean and components; with ``n_component`` 0 its components are not used.
    scale : float
        Size of what the network sees, in units of the transform.
    network : Network
    correction : (n_voxel,) float64
        Added after decoding, before the inverse transform: the mean of a logarithm of noisy numbers is not the
        logarithm of their mean.
    reach : (n_voxel,) float64
        Of an encoder that sees voxels: the largest distance from the mean that it has learnt from.
    """

    settings: AutoencoderSettings
    front: Pca
    scale: float
    network: Network
    correction: np.ndarray
    reach: np.ndarray

    def __post_init__(self):
        check_shape("correction", self.correction, (self.front.n_voxel,))
        check_shape("reach", self.reach, (self.front.n_voxel,))

    @property
    def kind(self):
        """Kind of the network."""
        return self.settings.kind

    @property
    def n_latent(self):
        """D."""
        return self.settings.n_latent

    @property
    def n_voxel(self):
        """Number of voxels of an image."""
        return self.front.n_voxel

    @property
    def transform(self):
        """What the network sees of an intensity."""
        return self.front.transform

    def inputs(self, values, valid=None):
        """Return what the network sees of images, (n, n_seen) float32.

        Of masked voxels an encoder that sees voxels is told that they are masked; one that sees components is given
        those that the other voxels make most probable.
        """
        if self.settings.sees == "voxels":
            return voxels_seen(self.front, self.reach, values, valid, beyond=self.settings.beyond)
        return inputs_of(self.front, self.scale, values, valid, components=self.settings.n_component > 0)

    @torch.no_grad()
    def encode(self, values, valid=None):
        """Return latent numbers (n, n_latent) of images (n, n_voxel)."""
        mean, _ = self.network.code(torch.from_numpy(self.inputs(values, valid)))
        return mean.double().numpy()

    @torch.no_grad()
    def encode_with_std(self, values, valid=None):
        """Return latent numbers and their standard deviations, both (n, n_latent); zero where there are none.

            σ² = σ_network² + diag(J (C − C_whole) Jᵀ),   J = d(latent)/d(components)

        The network has learnt from whole images. What missing voxels add is the covariance C of the components given
        the others, with ``input_noise`` as the noise of a voxel, carried through the slope of the encoder. An encoder
        that sees which voxels are missing has learnt what they cost.
        """
        seen = torch.from_numpy(self.inputs(values, valid))
        mean, log_variance = self.network.code(seen)
        if log_variance is None:
            return mean.double().numpy(), np.zeros(mean.shape)
        variance = torch.exp(log_variance).double().numpy()
        if valid is not None and self.settings.sees != "voxels":
            variance = variance + self._of_missing(seen, np.asarray(valid, dtype=bool))
        return mean.double().numpy(), np.sqrt(variance)

    def _of_missing(self, seen, valid):
        """Return what missing voxels add to the variance of each latent number, (n, n_latent)."""
        slope = slope_of_layers(self.network.encoder, seen)[:, :, : self.n_latent].double().numpy() / self.scale
        if not self.settings.n_component:
            # Voxels by themselves: each that is missing may be as far from the mean as it ever is.
            lost = np.broadcast_to(~valid, seen.shape)
            return float(self.front.variance[0]) * np.einsum("nv,nvd->nd", lost, slope**2)
        noise = self.settings.input_noise**2 or self.front.noise
        whole = self.front.covariance(np.ones(self.n_voxel, bool), noise=noise)
        masks, which = np.unique(np.atleast_2d(valid), axis=0, return_inverse=True)
        more = np.array([self.front.covariance(mask, noise=noise) - whole for mask in masks])
        which = np.broadcast_to(which.reshape(-1), len(seen))
        added = [np.einsum("id,ij,jd->d", one, more[k], one) for one, k in zip(slope, which, strict=True)]
        return np.maximum(np.array(added), 0.0)

    def decode(self, latent):
        """Return images (n, n_voxel)."""
        return self.transform.inverse(self.decode_seen(latent))

    @torch.no_grad()
    def decode_seen(self, latent):
        """Return images (n, n_voxel) on the scale of the transform."""
        code = torch.from_numpy(np.asarray(latent, dtype=np.float32))
        image = self.scale * self.network.decoder(code).double().numpy()
        if self.settings.n_component:
            image = image @ self.front.components
        return self.front.mean + image + self.correction

    def decode_slope(self, latent):
        """Return d(image)/d(latent), (n, n_latent, n_voxel)."""
        turned = self.scale * slope_of_layers(self.network.decoder, latent).double().numpy()
        if self.settings.n_component:
            turned = turned @ self.front.components
        return self.transform.slope(self.decode_seen(latent))[:, None] * turned

    def typical_image(self):
        """Return the image (n_voxel,) at the mean of what the transform gives of the images learnt from."""
        return self.front.typical_image()

    def payload(self):
        """Return tensors and plain values, for a file."""
        weights = {name: tensor.detach().cpu().numpy() for name, tensor in self.network.state_dict().items()}
        plain = {"settings": self.settings.to_dict(), "scale": self.scale}
        arrays = {"correction": self.correction, "reach": self.reach}
        return {"plain": plain, "front": self.front.payload(), "weights": weights, **arrays}

    @classmethod
    def from_payload(cls, payload):
        """Rebuild from :meth:`payload`."""
        settings = AutoencoderSettings(**payload["plain"]["settings"])
        front = Pca.from_payload(payload["front"])
        network = make_network(settings, front.n_voxel)
        network.load_state_dict({name: torch.as_tensor(a) for name, a in payload["weights"].items()})
        arrays = (np.asarray(payload[name]) for name in ("correction", "reach"))
        return cls(settings, front, float(payload["plain"]["scale"]), network, *arrays)


@torch.no_grad()
def slope_of_layers(layers, inputs):
    """Return d(output)/d(input), (n, n_input, n_output): tangents carried through the layers, one for each number."""
    x = torch.from_numpy(np.asarray(inputs, dtype=np.float32))
    tangent = torch.eye(x.shape[1]).expand(len(x), -1, -1)
    for layer in layers:
        if isinstance(layer, torch.nn.Linear):
            x, tangent = layer(x), tangent @ layer.weight.T
        else:  # SiLU: x σ(x)
            s = torch.sigmoid(x)
            x, tangent = x * s, tangent * (s * (1.0 + x * (1.0 - s)))[:, None]
    return tangent


def inputs_of(front, scale, values, valid, *, components):
    """Return what a network behind a front sees of images, (n, n_input) float32."""
    if components:
        return (front.encode(values, valid) / scale).astype(np.float32)
    seen = checked_images(values, valid, front.n_voxel)
    mask = None if valid is None else np.broadcast_to(valid, seen.shape)
    x = front.transform.forward(seen if mask is None else np.where(mask, seen, 0.0)) - front.mean
    # Without components there is no model of how voxels go together: a missing one is as on the mean image.
    return ((x if mask is None else np.where(mask, x, 0.0)) / scale).astype(np.float32)


def voxels_seen(front, reach, values, valid, *, beyond=1.0):
    """Return what an encoder of voxels sees of images, (n, 2 n_voxel) float32: values, then 1 where one is missing."""
    seen = checked_images(values, valid, front.n_voxel)
    mask = np.ones(seen.shape, bool) if valid is None else np.broadcast_to(valid, seen.shape)
    limit = beyond * reach
    away = np.clip(front.transform.forward(np.where(mask, seen, 0.0)) - front.mean, -limit, limit)
    return np.concatenate([np.where(mask, away / size_seen(reach), 0.0), ~mask], axis=1, dtype=np.float32)


def size_seen(reach):
    """Return what counts as 1 to an encoder of voxels: a third of the reach, about one standard deviation."""
    return float(np.sqrt(np.mean(reach**2))) / 3.0
