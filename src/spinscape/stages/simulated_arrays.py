"""Which arrays a study's simulations give, told before anything is simulated: for ``spinscape check``."""

import importlib
import textwrap

from ..config import build
from ..errors import ConfigError
from .projected import PAIRS
from .simulate import SIMULATORS


def simulated_arrays(study):
    """Return the shape of each array of a point by name, those that are made from stored correlations among them."""
    module, _, name = SIMULATORS[study.simulate.kind].partition(":")
    model, structure = build.build_model(study)
    settings = dict(build.plan_header(study)["settings"])
    if structure is not None:
        settings["structure"] = structure.to_dict()
    template = getattr(importlib.import_module(module), name).from_settings(model, settings).template()
    out = {array: tuple(one.shape) for array, one in template.items()}
    if PAIRS in out:
        for volume in study.volumes:
            where = build.volume(study, volume)
            out.setdefault(f"signal_{volume}", (out[PAIRS][0], *where.shape))
    return out


def check_arrays_read(study, arrays):
    """Raise :class:`ConfigError` where a model or a map reads an array that no simulation gives.

    Parameters
    ----------
    study : Study
    arrays : collection of str
        Names that :func:`simulated_arrays` returns.
    """
    read = [(f"learn.{name}.arrays", getattr(section, "arrays", None) or ()) for name, section in study.learn.items()]
    read += [(f"phases.{name}.arrays", section.arrays) for name, section in study.phases.items()]
    read += [(f"phases.{name}.beside", section.beside) for name, section in study.phases.items()]
    for where, names in read:
        for name in names:
            if name not in arrays:
                raise ConfigError(
                    f"the simulations have no array {name!r}",
                    where=where,
                    expected=f"some of {', '.join(sorted(arrays))}",
                    got=list(names),
                    fix="name arrays that the study simulates",
                )


def arrays_text(arrays):
    """Return names and shapes as lines of text; errors, which stand beside most arrays, left out."""
    shown = [f"{n} {'×'.join(map(str, shape))}" for n, shape in sorted(arrays.items()) if "_error" not in n]
    # A name and its shape stay on one line.
    return "arrays    " + "\n          ".join(textwrap.wrap(", ".join(x.replace(" ", "\u00a0") for x in shown), 108))
