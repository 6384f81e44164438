"""The tiny studies of config/test, changed for a test."""

from pathlib import Path

import yaml

from spinscape.config.load import study_from_data

FOLDER = Path(__file__).parents[2] / "config" / "test"


def tiny_study(name, **changes):
    """Return the study of a file; ``forward__kind=...`` changes what stands below ``forward: kind:``."""
    data = yaml.safe_load((FOLDER / name).read_text())
    for path, value in changes.items():
        here = data
        *parts, last = path.split("__")
        for part in parts:
            here = here[part]
        here[last] = value
    return study_from_data(data)
