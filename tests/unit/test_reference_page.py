"""Every block of the page on what a study can say validates in a study."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from spinscape.config.load import study_from_data
from spinscape.config.summary import summary

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "studies" / "reference.md").read_text(), re.DOTALL)
BASE = yaml.safe_load((ROOT / "config" / "studies" / "la2nio4.yaml").read_text())
BASE |= {"learn": {}, "measurements": {}, "fits": {}, "comparisons": {}}


def axes():
    """Return the sections that declare paths, volumes and powders: blocks refer to each other's."""
    found = {}
    for block in map(yaml.safe_load, BLOCKS):
        for name in ("paths", "volumes", "powders"):
            found.setdefault(name, {}).update(block.get(name, {}))
    return {**found, "paths": BASE["paths"] | found["paths"]}


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_validates(number):
    block = yaml.safe_load(BLOCKS[number])
    study = study_from_data(copy.deepcopy(BASE) | axes() | {k: v for k, v in block.items() if k not in axes()})
    for name in set(block) - {"paths", "volumes", "powders"}:
        assert getattr(study, name) is not None
    assert f"simulate  {study.simulate.kind}" in summary(study)


def test_there_are_blocks_of_every_section():
    sections = {name for block in BLOCKS for name in yaml.safe_load(block)}
    assert sections >= {"crystal", "structure", "conditions", "paths", "volumes", "powders", "simulate", "measurements"}
