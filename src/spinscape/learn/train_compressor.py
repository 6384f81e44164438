"""The training of an autoencoder: keyed, resumable, stopped early, the same bits for the same seed."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..errors import DataError, TrainingError
from ..rng import digest_words, stream
from .autoencoder import Autoencoder, Network, inputs_of
from .checkpoint import damaged, read_payload, write_payload
from .compressor import Pca, as_source, batches_of, check_fit, fit_pca, truncated
from .images import Transform

STATE_CONTRACT = "compressor-training/1"
_START_SHARE = 0.1
"""Share of the steps over which the learning rate rises."""
_HELD_OUT = 0.1
"""Share of the images that judge the training where none are given for it."""


@dataclass(frozen=True)
class History:
    """Squared errors of the network's inputs by epoch: on what it learnt from, and held out."""

    train: tuple[float, ...]
    held_out: tuple[float, ...]


def fit_autoencoder(
    source, settings, *, seed, transform=None, augment=None, views=1, checkpoint=None, progress=False, device="cpu",
    threads=1, front=None,
):  # fmt: skip
    """Train an autoencoder.

    Parameters
    ----------
    source : ImageSource or (n_image, n_voxel) array
    settings : AutoencoderSettings
    seed : int
    transform : Transform, optional
    augment : callable, optional
        ``augment(values, generator) -> values, valid``: images with artefacts for the encoder to see, while the decoder
        is to give the ones without; ``valid`` may be None.
    views : int
        Augmented copies of each image.
    checkpoint : str or Path, optional
        Where the training's state is kept; one of the same training is gone on with.
    progress : bool
    device : str
        ``"cuda"`` where there is one.
    threads : int
        Of torch while it trains: sums, and so the bits of the result, depend on them.
    front : Pca, optional
        Components of this very source and transform, where they are known: at least ``n_component``.

    Returns
    -------
    Autoencoder, History
    """
    source = as_source(source)
    check_fit(source, settings.n_latent)
    if settings.n_component:
        settings = replace(settings, n_component=min(settings.n_component, source.n_image - 1, source.n_voxel))
    front = _front(source, settings, transform or Transform(), front)
    scale = float(np.sqrt(np.max(front.variance))) * (0.3 if settings.n_component else 1.0)
    data = _Data(source, front, scale, settings, seed, augment, views)
    with _threads(threads):
        training = _Training(data, settings, seed, device)
        training.run(checkpoint, progress)
        network = training.best_network().cpu()
        plain = Autoencoder(settings, front, scale, network, np.zeros(front.n_voxel))
        return replace(plain, correction=_correction(plain, source)), training.history


def _front(source, settings, transform, known):
    """Return components for the network to see, or mean and one variance where it sees voxels."""
    if settings.n_component and known is not None:
        if known.transform != transform or known.n_voxel != source.n_voxel:
            raise DataError(
                "the components are not those of these images", where="front", expected=transform, got=known.transform
            )
        return truncated(known, settings.n_component)
    if settings.n_component:
        return fit_pca(source, n_latent=settings.n_component, transform=transform)
    total, square, n = np.zeros(source.n_voxel), np.zeros(source.n_voxel), source.n_image
    for values, valid in batches_of(source):
        if valid is not None and not valid.all():
            raise DataError("an autoencoder learns from whole images", where="autoencoder", got="masked voxels")
        seen = transform.forward(values.astype(np.float64))
        total += seen.sum(axis=0)
        square += (seen**2).sum(axis=0)
    mean = total / n
    variance = float(np.mean(np.maximum(square / n - mean**2, 0.0)))
    if not variance > 0:
        raise DataError("all training images are the same", where="autoencoder", fix="check the observable")
    return Pca(mean, np.zeros((1, source.n_voxel)), [variance], variance, transform)


class _Data:
    """What the network learns from: inputs (n_view, n_input) that it sees and the targets that it is to give."""

    def __init__(self, source, front, scale, settings, seed, augment, views):
        components = settings.n_component > 0
        clean, seen = [], []
        for values, valid in batches_of(source):
            clean.append(inputs_of(front, scale, values, valid, components=components))
        self.target = torch.from_numpy(np.concatenate(clean))
        if augment is None:
            self.views = self.target[None]
        else:
            for view in range(views):
                generator = stream(seed, "dataset", "augment", view)
                parts = [augment(values, generator) for values, _ in batches_of(source)]
                rows = [inputs_of(front, scale, values, valid, components=components) for values, valid in parts]
                seen.append(np.concatenate(rows))
            self.views = torch.from_numpy(np.stack(seen))
        order = stream(seed, "split", "compressor", len(self.target)).permutation(len(self.target))
        n_held_out = max(1, int(_HELD_OUT * len(order)))
        self.held_out, self.train = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
        self.noise = settings.input_noise / scale

    @property
    def key(self):
        """Words that tell other data."""
        return digest_words(self.target.numpy().astype(np.float64), self.views.numpy().astype(np.float64))


class _Training:
    """A training under way; all of its state goes into the checkpoint."""

    def __init__(self, data, settings, seed, device):
        self.data, self.settings, self.seed, self.device = data, settings, seed, device
        start = stream(seed, "initialise", "compressor", settings.kind)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(start.integers(2**62)))
            self.network = Network(settings, data.target.shape[1]).to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.n_batch = -(-len(data.train) // settings.batch_size)
        self.epoch, self.best_epoch, self.best = 0, 0, float("inf")
        self.best_weights = _copied(self.network)
        self.errors: list[list[float]] = []

    @property
    def history(self):
        """Errors of every epoch."""
        train, held_out = zip(*self.errors, strict=True)
        return History(train, held_out)

    def run(self, checkpoint, progress):
        """Take the epochs that are left."""
        self._restore(checkpoint)
        left = range(self.epoch, self.settings.n_epoch)
        for epoch in tqdm(left, desc=self.settings.kind, unit="epoch", disable=not progress):
            if epoch - self.best_epoch > self.settings.patience:
                break
            train = self._one_epoch(epoch)
            self._judge(train)
            self.epoch = epoch + 1
            if checkpoint is not None and (self.epoch % 20 == 0 or self.epoch == self.settings.n_epoch):
                self._save(checkpoint)

    def _one_epoch(self, epoch):
        generator = stream(self.seed, "batch", "compressor", epoch)
        order = self.data.train[generator.permutation(len(self.data.train))]
        view = generator.integers(len(self.data.views), size=len(order))
        total = 0.0
        for k in range(self.n_batch):
            part = slice(k * self.settings.batch_size, (k + 1) * self.settings.batch_size)
            self.optimiser.param_groups[0]["lr"] = self._rate(epoch * self.n_batch + k)
            total += self._one_step(order[part], view[part], generator) * len(order[part])
        return total / len(order)

    def _one_step(self, index, view, generator):
        seen = self.data.views[view, index]
        noise = generator.standard_normal(seen.shape, dtype=np.float32)
        seen = (seen + self.data.noise * torch.from_numpy(noise)).to(self.device)
        target = self.data.target[index].to(self.device)
        mean, log_variance = self.network.code(seen)
        code, extra = mean, torch.zeros((), device=self.device)
        if log_variance is not None:
            draw = generator.standard_normal(mean.shape, dtype=np.float32)
            code = mean + torch.exp(0.5 * log_variance) * torch.from_numpy(draw).to(self.device)
            divergence = 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance).sum(dim=1).mean()
            # Squared error in units of the noise and half a divergence are one log likelihood.
            extra = self.settings.kl_weight * 2.0 * self.data.noise**2 * divergence / target.shape[1]
        error = ((self.network.decoder(code) - target) ** 2).mean()
        loss = error + extra
        if not torch.isfinite(loss):
            raise TrainingError("the training diverged", where=self.settings.kind, fix="lower learning_rate")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(error.detach())

    def _rate(self, step):
        """Return the learning rate: a cosine up over the first steps, and one down to zero."""
        last, start = self.settings.n_epoch * self.n_batch, _START_SHARE * self.settings.n_epoch * self.n_batch
        if step < start:
            share = 0.5 * (1.0 - np.cos(np.pi * (step + 1) / start))
        else:
            share = 0.5 * (1.0 + np.cos(np.pi * (step - start) / max(last - start, 1.0)))
        # A plain number: files hold no others.
        return float(self.settings.learning_rate * max(share, 1e-4))

    @torch.no_grad()
    def _judge(self, train):
        seen = self.data.views[0, self.data.held_out].to(self.device)
        target = self.data.target[self.data.held_out].to(self.device)
        held_out = float(((self.network.decoder(self.network.code(seen)[0]) - target) ** 2).mean())
        self.errors.append([train, held_out])
        if held_out < self.best:
            self.best, self.best_epoch, self.best_weights = held_out, self.epoch, _copied(self.network)

    def best_network(self):
        """Return the network with the weights of the lowest held-out error."""
        self.network.load_state_dict(self.best_weights)
        return self.network

    def _key(self):
        plain = json.dumps([self.settings.to_dict(), self.seed, torch.get_num_threads()], sort_keys=True)
        return "".join(f"{word:08x}" for word in digest_words(plain, *map(int, self.data.key)))

    def _save(self, path):
        plain = {name: getattr(self, name) for name in ("epoch", "best_epoch", "best", "errors")}
        payload = {"key": self._key(), "plain": json.dumps(plain), "weights": _copied(self.network)}
        write_payload(
            path,
            STATE_CONTRACT,
            {**payload, "best_weights": self.best_weights, "optimiser": self.optimiser.state_dict()},
        )

    def _restore(self, path):
        if path is None or not Path(path).exists():
            return
        payload = read_payload(path, STATE_CONTRACT)
        if payload.get("key") != self._key():
            return
        with damaged(path):
            for name, value in json.loads(payload["plain"]).items():
                setattr(self, name, value)
            self.network.load_state_dict(payload["weights"])
            self.optimiser.load_state_dict(payload["optimiser"])
            self.best_weights = payload["best_weights"]


def _correction(model, source):
    """Return what makes the decoded images right in the mean of each voxel, on the scale of the transform.

    With a logarithm, noise of relative size r lowers the mean by r²/2; where noise is small this is zero.
    """
    total, count = np.zeros(source.n_voxel), np.zeros(source.n_voxel)
    logarithm = model.transform.kind == "log1p"
    for values, valid in batches_of(source):
        residual = model.transform.forward(values.astype(np.float64)) - model.decode_seen(model.encode(values, valid))
        residual = np.exp(residual) if logarithm else residual
        known = np.ones(residual.shape, bool) if valid is None else valid
        total += np.where(known, residual, 0.0).sum(axis=0)
        count += known.sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), float(logarithm))
    return np.log(mean) if logarithm else mean


def _copied(network):
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


@contextmanager
def _threads(number):
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
