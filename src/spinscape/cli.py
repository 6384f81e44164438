"""The command ``spinscape``: look at a study before anything runs."""

import argparse
import sys
from pathlib import Path

from .errors import SpinscapeError


def main(argv=None):
    """Run the command line; return the exit status (0, or 2 after an error that was told)."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except SpinscapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="spinscape", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="validate a study and print what it expands to")
    check.add_argument("study", type=Path)
    check.set_defaults(run=_check)
    show = commands.add_parser("show", help="draw crystal, bonds and paths to a PNG file")
    show.add_argument("study", type=Path)
    show.add_argument("--output", type=Path, help="default: STUDY.png in the current folder")
    show.add_argument("--symmetry", action="store_true", help="print the allowed exchange of each bond shell instead")
    show.add_argument("--shells", type=int, default=4, help="with --symmetry: how many distances (default 4)")
    show.set_defaults(run=_show)
    schema = commands.add_parser("schema", help="print the JSON schema of study files, for editors")
    schema.set_defaults(run=_schema)
    return parser


def _check(arguments):
    from .config.load import load_study, located
    from .config.summary import summary

    study = load_study(arguments.study)
    with located(arguments.study):
        print(summary(study))


def _show(arguments):
    from .config import build
    from .config.load import load_study, located
    from .plot.crystal import crystal_figure

    study = load_study(arguments.study)
    if arguments.symmetry:
        from .config.summary import symmetry_summary

        with located(arguments.study):
            print(symmetry_summary(study, n_shell=arguments.shells))
        return
    with located(arguments.study):
        model, structure = build.build_model(study)
    output = arguments.output or Path(f"{study.study}.png")
    paths = [build.path(study, name) for name in study.paths]
    crystal_figure(model=model, structure=structure, paths=paths, title=study.title).savefig(output, dpi=150)
    print(output)


def _schema(arguments):
    import json

    from .config.schema import Study

    print(json.dumps(Study.model_json_schema(), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
