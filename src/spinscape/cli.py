"""The command ``spinscape``: look at a study before anything runs, and at a measurement while it runs."""

import argparse
import os
import sys
import time
from pathlib import Path

from .errors import SpinscapeError, located


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
    watch = commands.add_parser("watch", help="refit whenever a file of data changes, and say when it is enough")
    watch.add_argument("file", type=Path, help="the measurement's main file; it may not be there yet")
    watch.add_argument("--study", type=Path, required=True)
    watch.add_argument("--until", required=True, metavar="J=1%", help="the precision to stop at; or J=0.2meV")
    watch.add_argument("--keep-on", action="store_true", help="go on after that")
    _add_fit(watch)
    watch.set_defaults(run=_watch)
    following = commands.add_parser("next", help="which further measurement would shrink the intervals most")
    following.add_argument("study", type=Path)
    following.add_argument("--at", nargs="+", metavar="J=29", default=None, help="couplings (meV) in place of a fit")
    following.add_argument("--data", type=Path, default=None, help="folder of data (default: $SPINSCAPE_DATA)")
    following.set_defaults(run=_next)
    thin = commands.add_parser("thin", help="what fewer counts would have said of the couplings")
    thin.add_argument("study", type=Path)
    thin.add_argument("--counts", type=float, nargs="+", default=[1e3, 1e4, 1e5, 1e6, 1e7])
    thin.add_argument("--replicas", type=int, default=20, help="fits for each number of counts (default 20)")
    thin.add_argument("--output", type=Path, help="figure; default: STUDY_counts.png in the current folder")
    _add_fit(thin)
    thin.set_defaults(run=_thin)
    schema = commands.add_parser("schema", help="print the JSON schema of study files, for editors")
    schema.set_defaults(run=_schema)
    return parser


def _add_fit(command):
    command.add_argument("--fit", help="of the study; its only one by default")
    command.add_argument("--measurement", help="of the fit; its only one by default")
    command.add_argument("--data", type=Path, default=None, help="folder of data (default: $SPINSCAPE_DATA)")


def _check(arguments):
    from .config.load import load_study
    from .config.summary import summary
    from .stages.simulated_arrays import arrays_text, check_arrays_read, simulated_arrays

    study = load_study(arguments.study)
    with located(arguments.study):
        arrays = simulated_arrays(study)
        check_arrays_read(study, arrays)
        print(summary(study), arrays_text(arrays), sep="\n\n")


def _show(arguments):
    from .config import build
    from .config.load import load_study
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
    from .config.load import load_study
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


def _data_folder(arguments):
    return arguments.data or os.environ.get("SPINSCAPE_DATA")


def _watch(arguments):
    from .config.load import load_study
    from .errors import SpinscapeError
    from .infer.watching import Goal
    from .stages.watch import readings, sentence

    study, goal = load_study(arguments.study), Goal.parse(arguments.until)
    how = {"fit": arguments.fit, "measurement": arguments.measurement, "data_folder": _data_folder(arguments)}
    print(f"watching {arguments.file} until {arguments.until}; end with Ctrl-C", flush=True)
    try:
        for reading in readings(study, arguments.file, goal, **how):
            clock = time.strftime("%H:%M:%S")
            if isinstance(reading, SpinscapeError):
                print(f"{clock}  not fitted: {str(reading).splitlines()[0]}", flush=True)
                continue
            print(f"{clock}  {sentence(reading, goal)}", flush=True)
            for warning in reading.warnings:
                print(f"          {warning}", flush=True)
            if reading.done and not arguments.keep_on:
                return
    except KeyboardInterrupt:
        print()


def _next(arguments):
    from .config.load import load_study
    from .stages import next_options

    study = load_study(arguments.study)
    with located(arguments.study):
        at = None if arguments.at is None else next_options.couplings_from_text(arguments.at)
        print(next_options.table(*next_options.run(study, at=at, data_folder=_data_folder(arguments))))


def _thin(arguments):
    from .config.load import load_study
    from .stages import thin

    study = load_study(arguments.study)
    output = arguments.output or Path(f"{study.study}_counts.png")
    with located(arguments.study):
        how = {"fit": arguments.fit, "measurement": arguments.measurement, "data_folder": _data_folder(arguments)}
        print(thin.run(study, arguments.counts, arguments.replicas, output, **how))
    print(output)


def _schema(arguments):
    import json

    from .config.schema import Study

    print(json.dumps(Study.model_json_schema(), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
