"""The stage ``simulate`` with simulators of seconds and of known misbehaviour: what the MPI tests start.

Not a test: run as ``mpiexec -n R python -m mpi4py toy_batch.py …`` with the arguments of the stage.
"""

import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np

from spinscape.errors import UnstableError
from spinscape.simulate.protocol import ArrayTemplate, Coordinate, PointResult
from spinscape.stages import simulate


class Waves:
    """cos and noise of the point's own stream on an axis of 16 bins; misbehaves where its settings say."""

    def __init__(self, settings):
        self.settings = settings
        self.axis = np.linspace(0.0, 1.5, 16)

    @classmethod
    def from_settings(cls, model, settings):
        return cls(settings)

    def template(self):
        axis = Coordinate(("time",), self.axis, "ps")
        return {
            "wave": ArrayTemplate(("time",), (16,), "float32", "1", {"time": axis}),
            "pair": ArrayTemplate(("half", "time"), (2, 16), "float64", "meV", {"time": axis}),
        }

    def run(self, theta, stream_key):
        note(stream_key)
        if theta[0] < 0:
            raise UnstableError("the structure is unstable", where="Q = 0")
        if theta[0] > float(os.environ.get("TOY_FAILS_ABOVE", np.inf)):
            raise ValueError(f"no\nsolution at {theta[0]}")
        if theta[0] > 99.0:
            return PointResult("done", {"wave": np.full(16, np.inf), "pair": np.zeros((2, 16))})
        noise = stream_key.stream("bath").normal(size=16)
        wave = np.cos(theta[0] * self.axis) + noise
        return PointResult("done", {"wave": wave, "pair": np.stack([wave, noise])}, diagnostics={"peak": wave.max()})


class Shared(Waves):
    """The same, the noise of a point drawn by the first of its ranks and shared."""

    parallel = True

    def __init__(self, settings, communicator=None):
        super().__init__(settings)
        self.communicator = communicator

    @classmethod
    def from_settings(cls, model, settings, communicator=None):
        return cls(settings, communicator)

    def run(self, theta, stream_key):
        result = super().run(theta, stream_key)
        if self.communicator is not None:
            assert len(set(self.communicator.allgather(stream_key.point))) == 1
        return result


def note(stream_key):
    """Keep a list of what was run, and misbehave where the environment says so."""
    if "TOY_FILE_LIMIT" in os.environ:
        limit_files(int(os.environ["TOY_FILE_LIMIT"]))
    diary = os.environ.get("TOY_DIARY")
    if diary:
        with Path(diary).open("a") as file:
            file.write(f"{stream_key.point}\n")
        runs = len(Path(diary).read_text().split())
        # Two ranks may write before either has counted: the number itself may be seen by neither.
        if runs >= int(os.environ.get("TOY_KILLED_AT", sys.maxsize)):
            os.kill(os.getpid(), signal.SIGKILL)
        if runs >= int(os.environ.get("TOY_DISK_FULL_AT", sys.maxsize)) and is_first(f"{diary}.full"):
            limit_files(0)


def is_first(path):
    """Tell whether this process is the first of all that asks, by a file that only one of them can make."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def limit_files(n_byte):
    """Let this process write no file beyond so many bytes: a disk that is full for it alone."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_byte, resource.RLIM_INFINITY))


SIMULATORS = {"waves": "toy_batch:Waves", "shared": "toy_batch:Shared"}

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(simulate.main(sys.argv[1:], simulators=SIMULATORS))
