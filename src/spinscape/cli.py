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
    movie = commands.add_parser("movie", help="turn one spin of a study's structure, and film what follows")
    movie.add_argument("study", type=Path)
    movie.add_argument("--output", type=Path, help=".gif or .mp4 (needs ffmpeg); default: STUDY.gif")
    movie.add_argument("--bands", type=float, nargs="+", required=True, metavar="MEV", help="edges of the bands")
    movie.add_argument("--duration", type=float, default=200.0, help="ps (default 200)")
    movie.add_argument("--frames", type=int, default=150)
    movie.add_argument("--spin", type=int, help="which one is turned; default: one in the middle")
    movie.add_argument("--turn", type=float, default=90.0, help="degrees (default 90)")
    movie.set_defaults(run=_movie)
    export = commands.add_parser("export", help="write a fit's data, model and residual as histograms of Mantid")
    export.add_argument("arrays", type=Path, help="results/STUDY/fits/FIT.h5")
    export.add_argument("folder", type=Path)
    export.set_defaults(run=_export)
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


def _movie(arguments):
    from .config.load import load_study, located
    from .stages import movie

    study = load_study(arguments.study)
    output = arguments.output or Path(f"{study.study}.gif")
    options = {"duration": arguments.duration, "n_frame": arguments.frames, "turn": arguments.turn}
    with located(arguments.study):
        found = movie.run(study, output, edges=arguments.bands, spin=arguments.spin, **options)
    for k, (power, sites) in enumerate(zip(found["power"], found["sites"], strict=True)):
        low, high = arguments.bands[k : k + 2]
        print(f"{low:g} to {high:g} meV: power {power:.3g}, 90 % of it on {sites} sites")
    print(output)


def _export(arguments):
    from .stages.export import export_fit

    for path in export_fit(arguments.arrays, arguments.folder):
        print(path)


def _schema(arguments):
    import json

    from .config.schema import Study

    print(json.dumps(Study.model_json_schema(), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
