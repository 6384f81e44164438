"""Generators as files: the compressor and the Gaussian processes, read without running anything."""

import json

import numpy as np

from ..errors import TrainingError
from ..lattice.crystal import read_only
from .checkpoint import damaged, read_payload, write_payload
from .compressor_file import compressor_from_tensors, tensors_of
from .generator import Generator, LatentProcess

GENERATOR_CONTRACT = "generator/1"
_ARRAYS = ("points", "length", "weights", "root")
_NUMBERS = ("mean", "scale", "amplitude", "noise")


def save_generator(path, generator, *, metadata=None):
    """Write a generator and plain values about it."""
    processes = [
        {
            **{name: np.asarray(getattr(p, name)) for name in _ARRAYS},
            "plain": {name: float(getattr(p, name)) for name in _NUMBERS},
        }
        for p in generator.processes
    ]
    header = {
        "kind": generator.compressor.kind,
        "parameter_names": list(generator.parameter_names),
        "box": generator.box.tolist(),
        "error_factor": generator.error_factor,
        "metadata": metadata or {},
    }
    content = {
        "compressor": generator.compressor.payload(),
        "processes": {str(k): process for k, process in enumerate(processes)},
    }
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
        parts = [content["processes"][str(k)] for k in range(len(content["processes"]))]
        processes = tuple(_process(part) for part in parts)
        box = read_only(np.array(header["box"]))
        n = len(header["parameter_names"])
        if len(processes) != compressor.n_latent or box.shape != (2, n) or any(len(p.length) != n for p in processes):
            raise TrainingError("the parts of the generator do not fit together", got=f"{len(processes)} processes")
        factor = float(header.get("error_factor", 1.0))
        made = Generator(compressor, tuple(header["parameter_names"]), box, processes, factor)
    return made, header["metadata"]


def _process(part):
    arrays = {name: read_only(part[name].numpy()) for name in _ARRAYS}
    return LatentProcess(**arrays, **{name: float(part["plain"][name]) for name in _NUMBERS})
