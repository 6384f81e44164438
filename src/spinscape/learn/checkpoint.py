"""Networks and half-done trainings as files: written at once or not at all, read without running anything."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import TrainingError
from .domain import TrainingDomain
from .siren import Siren, SirenSettings

SIREN_CONTRACT = "siren/1"
"""A trained network: its weights, and one JSON text with settings, domain and metadata."""
TRAINING_CONTRACT = "siren-training/1"
"""A training that can go on: weights, best weights, optimisers, step and history."""


def write_payload(path, contract, payload):
    """Write tensors and plain values under a contract, through a neighbour file and a rename."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            torch.save({"contract": contract, **payload}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            "a file cannot be written",
            where=str(path),
            got=f"{type(error).__name__}: {error}",
            fix="make room, or choose another folder; an older file of this name is still whole",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def read_payload(path, contract):
    """Return what :func:`write_payload` wrote, or raise :class:`TrainingError` for anything else."""
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
        found = payload["contract"] if isinstance(payload, dict) else None
    # What a foreign file makes the reader raise is open-ended.
    except Exception as error:
        raise TrainingError(
            "a network's file cannot be read: it is absent, truncated, or something else",
            where=str(path),
            expected=f"a file of the contract {contract}",
            got=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}",
            fix="train again; delete the file first where it is damaged",
        ) from None
    if found != contract:
        raise TrainingError(
            "a network's file obeys another contract",
            where=str(path),
            expected=contract,
            got=str(found),
            fix="train again with this version of the program",
        )
    return payload


@contextmanager
def damaged(path):
    """Turn whatever a file with the right contract and the wrong content causes into :class:`TrainingError`."""
    try:
        yield
    except Exception as error:
        raise TrainingError(
            "a network's file contradicts itself",
            where=str(path),
            got=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}",
            fix="delete the file and train again",
        ) from None


def save_siren(path, net):
    """Save a network with its settings, domain and metadata.

    Parameters
    ----------
    path : str or Path
    net : Siren
    """
    header = {"settings": net.settings.to_dict(), "domain": net.domain.to_dict(), "metadata": net.metadata}
    weights = {name: tensor.detach().cpu().clone() for name, tensor in net.named_weights().items()}
    write_payload(path, SIREN_CONTRACT, {"header": json.dumps(header, allow_nan=False), "weights": weights})


def load_siren(path):
    """Return the network that :func:`save_siren` saved, on the CPU.

    Raises
    ------
    TrainingError
        Where the file is not such a network.
    """
    payload = read_payload(path, SIREN_CONTRACT)
    with damaged(path):
        header = json.loads(payload["header"])
        net = Siren(
            SirenSettings.from_dict(header["settings"]),
            TrainingDomain.from_dict(header["domain"]),
            metadata=header["metadata"],
        )
        net.load_state_dict(payload["weights"])
    return net
