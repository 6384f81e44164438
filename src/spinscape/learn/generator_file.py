"""Generators as files: compressor, processes, gate and what is known of their errors, read without running anything."""

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
from .remainder import Remainder
from .strays import Strays

GENERATOR_CONTRACT = "generator/3"
_ARRAYS = ("points", "length", "weights", "root")
_GATE = ("points", "length", "weights", "offset")
_ENERGIES = ("centre", "span", "powers", "coefficients")
_REMAINDER = ("share", "noise", "centre", "whitening")
_STRAYS = ("points", "span", "which", "latent")
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
    if generator.remainder is not None:
        content["remainder"] = _remainder_content(generator.remainder)
    if generator.strays is not None:
        content["strays"] = {name: np.asarray(getattr(generator.strays, name)) for name in _STRAYS}
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
        remainder = _remainder(content["remainder"]) if "remainder" in content else None
        strays = Strays(**_same_types(content["strays"], _STRAYS)) if "strays" in content else None
        box, names = read_only(np.array(header["box"])), tuple(header["parameter_names"])
        _check(compressor, experts, gate, box, len(names))
        _check_errors(compressor, len(experts), remainder, strays, len(names))
        made = Generator(compressor, names, box, experts, gate, remainder, strays, float(header["error_factor"]))
    return made, header["metadata"]


def _check(compressor, experts, gate, box, n):
    whole = all(len(expert) == compressor.n_latent and all(len(p.length) == n for p in expert) for expert in experts)
    n_phase = 1 if gate is None else gate.n_class
    if not whole or box.shape != (2, n) or len(experts) != n_phase or (gate is not None and len(gate.length) != n):
        raise TrainingError("the parts of the generator do not fit together", got=f"{len(experts)} phases")


def _check_errors(compressor, n_phase, remainder, strays, n):
    d, v = compressor.n_latent, compressor.n_voxel
    if remainder is not None and not (
        len(remainder.rows) == n_phase
        and all(rows.shape[1:] == (v,) for rows in remainder.rows)
        and (remainder.noise.shape, remainder.whitening.shape) == ((v,), (d, d))
    ):
        raise TrainingError("what the compressor leaves is not that of this generator", got=f"{len(remainder.rows)}")
    if strays is not None and (strays.points.shape[1:] != (n,) or strays.latent.shape != (len(strays.which), d)):
        raise TrainingError("the points of no phase are not those of this generator", got=strays.latent.shape)


def _process_content(process):
    arrays = {name: np.asarray(getattr(process, name)) for name in _ARRAYS}
    return {**arrays, "plain": {name: float(getattr(process, name)) for name in _NUMBERS}}


def _process(part):
    arrays = {name: read_only(part[name].numpy()) for name in _ARRAYS}
    return LatentProcess(**arrays, **{name: float(part["plain"][name]) for name in _NUMBERS})


def _remainder_content(remainder):
    rows = {str(c): np.asarray(part) for c, part in enumerate(remainder.rows)}
    arrays = {name: np.asarray(getattr(remainder, name)) for name in _REMAINDER}
    return {**arrays, "rows": rows, "plain": {"n_image": int(remainder.n_image)}}


def _remainder(part):
    rows = tuple(read_only(part["rows"][str(c)].numpy(), np.float32) for c in range(len(part["rows"])))
    return Remainder(rows, **_same_types(part, _REMAINDER), n_image=int(part["plain"]["n_image"]))


def _same_types(part, names):
    """Return arrays as they were written."""
    return {name: read_only(part[name].numpy(), part[name].numpy().dtype) for name in names}


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
        energies = FreeEnergies(**_same_types(part["energies"], _ENERGIES))
    return Gate(**arrays, **{name: float(part["plain"][name]) for name in ("amplitude", "strength")}, energies=energies)
