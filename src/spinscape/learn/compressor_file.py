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
    payload = {"header": json.dumps(header, allow_nan=False), "content": _tensors(compressor.payload())}
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
        content = _arrays(payload["content"])
        found = (Pca if header["kind"] == "pca" else Autoencoder).from_payload(content)
        if found.kind != header["kind"]:
            raise TrainingError("the kind of the compressor is not that of its header", got=found.kind)
    return found, header["metadata"]


def _tensors(tree):
    if isinstance(tree, dict):
        return {name: _tensors(part) for name, part in tree.items()}
    return torch.from_numpy(np.array(tree)) if isinstance(tree, np.ndarray) else tree


def _arrays(tree):
    if isinstance(tree, dict):
        return {name: _arrays(part) for name, part in tree.items()}
    return tree.numpy() if isinstance(tree, torch.Tensor) else tree
