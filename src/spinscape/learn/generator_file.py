"""Generators as files: the compressor, the Gaussian processes and the gate, read without running anything."""

import json

import numpy as np

from ..errors import TrainingError
from ..lattice.crystal import read_only
from .checkpoint import damaged, read_payload, write_payload
from .compressor_file import compressor_from_tensors, tensors_of
from .free_energy import FreeEnergies
from .gate import Gate
from .generator import Generator
from .latent_process import LatentProcess

GENERATOR_CONTRACT = "generator/2"
_ARRAYS = ("points", "length", "weights", "root")
_GATE = ("points", "length", "weights", "offset")
_ENERGIES = ("centre", "span", "powers", "coefficients")
_NUMBERS = ("mean", "scale", "amplitude", "noise")


def save_generator(path, generator, *, metadata=None):
    """Write a generator and plain values about it."""
    experts = {
        str(c): {str(k): _process_content(process) for k, process in enumerate(expert)}
        for c, expert in enumerate(generator.experts)
    }
    header = {
        "kind": generator.compressor.kind,
        "parameter_names": list(generator.parameter_names),
        "box": generator.box.tolist(),
        "error_factor": generator.error_factor,
        "metadata": metadata or {},
    }
    content = {"compressor": generator.compressor.payload(), "experts": experts}
    if generator.gate is not None:
        content["gate"] = _gate_content(generator.gate)
    write_payload(
        path, GENERATOR_CONTRACT, {"header": json.dumps(header, allow_nan=False), "content": tensors_of(content)}
    )


def load_generator(path):
    """Return the generator of a file and the plain values that were saved with it.

    Raises
    ------
    TrainingError
        Where the file is not such a generator.
    """
    payload = read_payload(path, GENERATOR_CONTRACT)
    with damaged(path):
        header, content = json.loads(payload["header"]), payload["content"]
        compressor = compressor_from_tensors(header["kind"], content["compressor"])
        experts = tuple(
            tuple(_process(content["experts"][str(c)][str(k)]) for k in range(len(content["experts"][str(c)])))
            for c in range(len(content["experts"]))
        )
        gate = _gate(content["gate"]) if "gate" in content else None
        box = read_only(np.array(header["box"]))
        _check(compressor, experts, gate, box, len(header["parameter_names"]))
        factor = float(header.get("error_factor", 1.0))
        made = Generator(compressor, tuple(header["parameter_names"]), box, experts, gate, factor)
    return made, header["metadata"]


def _check(compressor, experts, gate, box, n):
    whole = all(len(expert) == compressor.n_latent and all(len(p.length) == n for p in expert) for expert in experts)
    n_phase = 1 if gate is None else gate.n_class
    if not whole or box.shape != (2, n) or len(experts) != n_phase or (gate is not None and len(gate.length) != n):
        raise TrainingError("the parts of the generator do not fit together", got=f"{len(experts)} phases")


def _process_content(process):
    arrays = {name: np.asarray(getattr(process, name)) for name in _ARRAYS}
    return {**arrays, "plain": {name: float(getattr(process, name)) for name in _NUMBERS}}


def _process(part):
    arrays = {name: read_only(part[name].numpy()) for name in _ARRAYS}
    return LatentProcess(**arrays, **{name: float(part["plain"][name]) for name in _NUMBERS})


def _gate_content(gate):
    out = {name: np.asarray(getattr(gate, name)) for name in _GATE}
    out["plain"] = {"amplitude": float(gate.amplitude), "strength": float(gate.strength)}
    if gate.energies is not None:
        out["energies"] = {name: np.asarray(getattr(gate.energies, name)) for name in _ENERGIES}
    return out


def _gate(part):
    arrays = {name: read_only(part[name].numpy()) for name in _GATE}
    energies = None
    if "energies" in part:
        known = {name: part["energies"][name].numpy() for name in _ENERGIES}
        energies = FreeEnergies(**{name: read_only(value, value.dtype) for name, value in known.items()})
    return Gate(**arrays, **{name: float(part["plain"][name]) for name in ("amplitude", "strength")}, energies=energies)
