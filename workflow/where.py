"""Print where the reports lie: of the studies that are named, or else of those of config/config.yaml."""

import sys
from pathlib import Path

import yaml

from spinscape.config.load import load_study


def main(files):
    """Print one line for each study file."""
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    for file in files or config["studies"]:
        print("report:", Path(config["pathvars"]["results"], load_study(file).study, "report.html").resolve())


if __name__ == "__main__":
    main(sys.argv[1:])
