"""Networks as files: exact round trip, nothing executed, everything else refused with one error."""

import io
import json
import pickle

import numpy as np
import pytest
import torch

from spinscape.errors import TrainingError
from spinscape.learn.checkpoint import load_siren, read_payload, save_siren, write_payload
from spinscape.learn.domain import TrainingDomain
from spinscape.learn.siren import Siren, SirenSettings


@pytest.fixture
def net():
    domain = TrainingDomain(("J", "Jp"), np.eye(3) / 3, np.arange(4.0), [20.0, -3.0], [70.0, 0.1], 0.1, 0.3)
    return Siren(SirenSettings(width=8, hidden_layers=1), domain, seed=3, metadata={"study": "x", "r2": 0.998})


def test_round_trip_is_exact(net, tmp_path):
    save_siren(tmp_path / "deep" / "net.pt", net)
    back = load_siren(tmp_path / "deep" / "net.pt")
    coords = np.random.default_rng(0).normal(size=(20, 6))
    np.testing.assert_array_equal(back.log_at(coords), net.log_at(coords))
    assert back.settings == net.settings and back.metadata == net.metadata
    assert back.parameter_names == ("J", "Jp") and [p.name for p in (tmp_path / "deep").iterdir()] == ["net.pt"]


def test_the_file_holds_tensors_and_one_json_text(net, tmp_path):
    save_siren(tmp_path / "net.pt", net)
    payload = torch.load(tmp_path / "net.pt", weights_only=True)
    assert payload["contract"] == "siren/1"
    assert json.loads(payload["header"])["domain"]["parameter_names"] == ["J", "Jp"]


class Harm:
    def __reduce__(self):
        return (pytest.fail, ("a file was executed",))


def foreign(kind, path, net):
    save_siren(path, net)
    whole = path.read_bytes()
    payload = torch.load(path, weights_only=True)
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("a: 1\n")
    elif kind == "absent":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Harm(), protocol=2))
    elif kind == "code in an archive":
        buffer = io.BytesIO()
        torch.save({"contract": "siren/1", "x": Harm()}, buffer)
        path.write_bytes(buffer.getvalue())
    elif kind == "bare tensor":
        torch.save(torch.zeros(3), path)
    elif kind == "other contract":
        torch.save({**payload, "contract": "siren/0"}, path)
    elif kind == "no weights":
        torch.save({k: v for k, v in payload.items() if k != "weights"}, path)
    elif kind == "no json":
        torch.save({**payload, "header": "{"}, path)
    elif kind == "other width":
        torch.save({**payload, "header": payload["header"].replace('"width": 8', '"width": 9')}, path)


KINDS = [
    "truncated", "empty", "text", "absent", "folder", "pickle", "code in an archive", "bare tensor", "other contract",
    "no weights", "no json", "other width",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_file_is_one_error_that_names_it(kind, net, tmp_path):
    path = tmp_path / "net.pt"
    foreign(kind, path, net)
    with pytest.raises(TrainingError) as caught:
        load_siren(path)
    assert str(path) in caught.value.where and caught.value.fix


def test_a_write_that_fails_leaves_the_old_file_whole(net, tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    save_siren(path, net)
    whole = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TrainingError, match="cannot be written"):
        save_siren(path, net)
    assert path.read_bytes() == whole and [p.name for p in tmp_path.iterdir()] == ["net.pt"]


def test_contracts_do_not_mix(net, tmp_path):
    write_payload(tmp_path / "x", "siren-training/1", {"step": 3})
    assert read_payload(tmp_path / "x", "siren-training/1")["step"] == 3
    with pytest.raises(TrainingError, match="another contract"):
        load_siren(tmp_path / "x")
