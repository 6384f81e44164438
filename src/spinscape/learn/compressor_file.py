"""Compressors as files: tensors and plain values, read without running anything."""

import json

import numpy as np
import torch

from ..errors import TrainingError
from .autoencoder import Autoencoder
from .checkpoint import damaged, read_payload, write_payload
from .compressor import Pca

COMPRESSOR_CONTRACT = "compressor/1"


def save_compressor(path, compressor, *, metadata=None):
    """Write a compressor and plain values about it."""
    header = {"kind": compressor.kind, "metadata": metadata or {}}
    payload = {"header": json.dumps(header, allow_nan=False), "content": tensors_of(compressor.payload())}
    write_payload(path, COMPRESSOR_CONTRACT, payload)


def load_compressor(path):
    """Return the compressor of a file and the plain values that were saved with it.

    Raises
    ------
    TrainingError
        Where the file is not such a compressor.
    """
    payload = read_payload(path, COMPRESSOR_CONTRACT)
    with damaged(path):
        header = json.loads(payload["header"])
        found = compressor_from_tensors(header["kind"], payload["content"])
    return found, header["metadata"]


def compressor_from_tensors(kind, tensors):
    """Return the compressor of what :func:`tensors_of` made of its payload."""
    found = (Pca if kind == "pca" else Autoencoder).from_payload(_arrays(tensors))
    if found.kind != kind:
        raise TrainingError("the kind of the compressor is not that of its header", got=found.kind)
    return found


def tensors_of(tree):
    """Return nested plain values with arrays as tensors."""
    if isinstance(tree, dict):
        return {name: tensors_of(part) for name, part in tree.items()}
    return torch.from_numpy(np.array(tree)) if isinstance(tree, np.ndarray) else tree


def _arrays(tree):
    if isinstance(tree, dict):
        return {name: _arrays(part) for name, part in tree.items()}
    return tree.numpy() if isinstance(tree, torch.Tensor) else tree
