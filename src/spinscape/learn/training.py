"""The loop of a training, and its state: all of it goes into a checkpoint, nothing else decides how it goes on."""

import json
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..errors import TrainingError
from ..rng import digest_words
from .attention import ErrorMap
from .checkpoint import TRAINING_CONTRACT, damaged, read_payload, write_payload
from .optimisers import Muon, cosine_factor
from .pixels import PixelStream
from .sine_layers import SineLayers

HISTORY = ("step", "train_loss", "held_out_loss", "learning_rate", "cpu_seconds")
"""Columns of the history: one row for each check."""
_CHECK_POINTS = 64
_REFRESH = 100
"""Steps between two refreshes of the error map."""
_EVERYTHING = 2**62


class CpuGradient:
    """Loss and gradients of a batch on the CPU, in buffers that are kept."""

    def __init__(self, net, n_row):
        self._layers = SineLayers(net.named_weights(), n_row)
        self._out = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
        for name, p in net.named_parameters():
            p.grad = self._out[name]

    @torch.no_grad()
    def __call__(self, batch):
        """Return the weighted mean squared error of a batch and the errors (n,); leave the gradients in the weights."""
        inputs, target, weight = (torch.from_numpy(a) for a in (batch.inputs, batch.target, batch.weight))
        error = self._layers.forward(inputs) - target
        weighted = error * weight
        loss = float(torch.dot(weighted, error)) / len(inputs)
        self._layers.weight_gradient(inputs, weighted.mul_(2.0 / len(inputs)), self._out)
        return loss, error.numpy()


class AutogradGradient:
    """The same by automatic differentiation, on any device."""

    def __init__(self, net):
        self._net = net

    def __call__(self, batch):
        """Return the weighted mean squared error of a batch and the errors (n,); leave the gradients in the weights."""
        device = self._net.first_weight.device
        inputs, target, weight = (
            torch.from_numpy(a).to(device, non_blocking=True) for a in (batch.inputs, batch.target, batch.weight)
        )
        self._net.zero_grad()
        error = self._net(inputs) - target
        loss = (weight * error**2).mean()
        loss.backward()
        return float(loss.detach()), error.detach().cpu().numpy()


class Training:
    """A training under way.

    Parameters
    ----------
    net : Siren
    store : StudyStore
    layout : SpectrumLayout
    chosen, held_out : (n,) int
        Points to learn from, and points to judge by.
    train : TrainSettings
    seed : int
    """

    def __init__(self, net, store, layout, chosen, held_out, train, seed):
        self.net, self.train = net, train
        drawing = {"signal_share": train.signal_share, "signal_level": train.signal_level, "seed": seed}
        self.stream = PixelStream(
            store, layout, chosen, net.domain, batch_size=train.batch_size, max_bytes=train.max_bytes, **drawing
        )
        checks = PixelStream(
            store,
            layout,
            held_out[:_CHECK_POINTS],
            net.domain,
            batch_size=train.check_pixels,
            max_bytes=_EVERYTHING,
            **drawing,
        )
        self.check_batch = checks.batch(-1)
        self.errors = ErrorMap(layout.shape)
        on_cpu = net.first_weight.device.type == "cpu"
        self.gradient = CpuGradient(net, train.batch_size) if on_cpu else AutogradGradient(net)
        other = [p for name, p in net.named_parameters() if name != "hidden_weight"]
        self.optimisers = (
            Muon([net.hidden_weight], lr=train.lr_hidden),
            torch.optim.Adam(other, lr=train.lr_other, betas=(0.9, 0.99), fused=True),
        )
        self.key = _key(net, train, seed, chosen, held_out)
        self.step, self.best_step, self.best_loss, self.bad_checks = 0, 0, float("inf"), 0
        self.best_weights = _copied(net.state_dict())
        self.recent: list[float] = []
        self.history: dict[str, list[float]] = {name: [] for name in HISTORY}
        self._cpu_before, self._cpu_start = 0.0, time.process_time()

    @property
    def stopped_early(self):
        """Whether the held-out loss has stopped falling."""
        return self.bad_checks >= self.train.patience

    @property
    def cpu_seconds(self):
        """CPU time of the training so far, earlier runs included."""
        return self._cpu_before + time.process_time() - self._cpu_start

    def run(self, checkpoint=None, *, progress=False, on_check=None):
        """Take the steps that are left."""
        train = self.train
        bar = tqdm(
            total=train.n_step, initial=self.step, desc="siren", unit="step", disable=not progress, mininterval=1.0
        )
        with bar:
            while self.step < train.n_step and not self.stopped_early:
                self._one_step()
                bar.update()
                if self.step % train.check_every == 0 or self.step == train.n_step:
                    self._check()
                    bar.set_postfix(held_out=f"{self.history['held_out_loss'][-1]:.4g}")
                    if on_check is not None:
                        on_check(self)
                if checkpoint is not None and self.step % train.checkpoint_every == 0:
                    self.save(checkpoint)

    def _one_step(self):
        """Draw a batch and take one step of both optimisers."""
        factor = cosine_factor(self.step, self.train.n_step)
        batch = self.stream.batch(self.step, self.errors)
        loss, error = self.gradient(batch)
        if not np.isfinite(loss):
            raise TrainingError(
                "the training diverged",
                where=f"siren, step {self.step}",
                got=f"loss {loss}",
                fix="lower lr_hidden and lr_other",
            )
        rates = (self.train.lr_hidden, self.train.lr_other)
        for optimiser, rate in zip(self.optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * factor
            optimiser.step()
        self.recent.append(loss)
        self.step += 1
        self.errors.add(batch.place, (batch.base * error) ** 2)
        if self.step % _REFRESH == 0:
            self.errors.refresh()

    def _check(self):
        """Take the held-out loss, note it, and keep the weights where it is the lowest so far."""
        batch = self.check_batch
        error = self.net.outputs(batch.inputs) - batch.target
        loss = float(np.mean(batch.weight * error**2, dtype=np.float64))
        factor = cosine_factor(self.step, self.train.n_step)
        row = (self.step, float(np.mean(self.recent)), loss, factor, self.cpu_seconds)
        for name, value in zip(HISTORY, row, strict=True):
            self.history[name].append(value)
        self.recent = []
        self.bad_checks = 0 if loss < self.best_loss else self.bad_checks + 1
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, self.step
            self.best_weights = _copied(self.net.state_dict())

    def save(self, path):
        """Write the whole state."""
        plain = {
            "step": self.step,
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "bad_checks": self.bad_checks,
            "recent": self.recent,
            "history": self.history,
            "cpu_seconds": self.cpu_seconds,
            "errors": self.errors.state(),
        }
        payload = {
            "key": self.key,
            "plain": json.dumps(plain),
            "weights": _copied(self.net.state_dict()),
            "best_weights": self.best_weights,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }
        write_payload(path, TRAINING_CONTRACT, payload)

    def restore(self, path):
        """Take over the state of a checkpoint of the same training; return its step, 0 where there is none.

        A checkpoint of another training (other settings, seed or data) is left alone, and overwritten by the next one.
        """
        if path is None or not Path(path).exists():
            return 0
        payload = read_payload(path, TRAINING_CONTRACT)
        if payload.get("key") != self.key:
            return 0
        with damaged(path):
            plain = json.loads(payload["plain"])
            self.net.load_state_dict(payload["weights"])
            for optimiser, state in zip(self.optimisers, payload["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.best_weights = payload["best_weights"]
            self.errors.restore(plain.pop("errors"))
            self._cpu_before, self._cpu_start = plain.pop("cpu_seconds"), time.process_time()
            for name in ("step", "best_step", "best_loss", "bad_checks", "recent", "history"):
                setattr(self, name, plain[name])
        return self.step


def _copied(weights):
    """Return weights that later steps do not change, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def _key(net, train, seed, chosen, held_out):
    """Return what a training is known by: settings, seed, data."""
    # A number that rises with every change of how batches are drawn: states of another drawing cannot be continued.
    plain = {"drawing": 2, "settings": net.settings.to_dict(), "train": train.to_dict(), "domain": net.domain.to_dict()}
    words = digest_words(json.dumps(plain, sort_keys=True), int(seed), np.asarray(chosen), np.asarray(held_out))
    return "".join(f"{word:08x}" for word in words)
