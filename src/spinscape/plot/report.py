"""The report of a study: one HTML file that needs nothing else."""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from ..errors import DataError
from . import numbers
from .style import png_bytes

# What a result may leave out, so that the template can be strict about names.
_RESULT = dict.fromkeys(("measurements", "nuisances", "modes", "correlation", "combinations", "objective", "strategy"))
_RESULT |= dict.fromkeys(("quality", "minima", "variants", "warnings", "provenance", "details"))
_ESTIMATE = dict.fromkeys(("value", "std", "unit", "interval68", "interval95", "systematic"))
_ESTIMATE |= {"std_by_method": {}, "at_bound": False, "method": None, "intervals": {}, "identifiable": True}
_ROW: dict = {"parameters": {}, "modes": {}, "objective": None, "n_start": None, "count": None}
_ROW |= {"label": "", "at_bound": (), "error": None}


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Parameters
    ----------
    png : bytes
    caption : str
    alt : str
        What the figure shows, for those who do not see it.
    """

    png: bytes
    caption: str
    alt: str

    @property
    def size(self):
        """Width and height in pixels, as the PNG header says."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")

    @property
    def source(self):
        """The picture as a data address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def report_figure(figure, *, caption, alt, dpi=None):
    """Return a matplotlib figure as one of the report."""
    return ReportFigure(png_bytes(figure) if dpi is None else png_bytes(figure, dpi=dpi), caption, alt)


@dataclass(frozen=True)
class FitContent:
    """One fit: the dictionary of its JSON file and its figures.

    ``result`` holds "fit" and "parameters", and as far as they are known "measurements", "nuisances", "modes",
    "correlation", "combinations", "objective", "strategy", "quality", "minima", "variants", "warnings", "provenance".
    A combination is a text, or a dictionary that holds one as "text".
    ``simulated`` tells that what it was fitted to was made by the program.
    """

    result: dict
    figures: tuple[ReportFigure, ...] = ()
    simulated: bool = False


@dataclass(frozen=True)
class TrainingContent:
    """One trained model: its name, what is known of it (label -> plain value), and its figures."""

    name: str
    facts: dict = field(default_factory=dict)
    figures: tuple[ReportFigure, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SectionContent:
    """A part of the report of its own: what was simulated, a map of phases.

    ``facts`` are labels with plain values, shown as a table below the figures under the caption ``table``.
    """

    title: str
    text: str = ""
    figures: tuple[ReportFigure, ...] = ()
    facts: dict = field(default_factory=dict)
    table: str = "Numbers"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportContent:
    """What a report shows.

    Parameters
    ----------
    study, title : str
    fits : tuple of FitContent
        In the order in which they are shown.
    training : tuple of TrainingContent
    sections : tuple of SectionContent
        Between fits and models, in the order in which they are shown.
    figures : tuple of ReportFigure
        Of the study as a whole: crystal and paths.
    facts : dict
        Label -> plain value, of the study as a whole: numbers of points, of batches, of failures.
    provenance : dict
        Versions, seeds, fingerprints, sums: plain values, nested as one likes.
    warnings : tuple of str
    summary : str
        One sentence or two; made from the fits if empty.
    """

    study: str
    title: str = ""
    fits: tuple[FitContent, ...] = ()
    training: tuple[TrainingContent, ...] = ()
    sections: tuple[SectionContent, ...] = ()
    figures: tuple[ReportFigure, ...] = ()
    facts: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    summary: str = ""

    @property
    def simulated(self):
        """Whether any fit is of a simulated measurement."""
        return any(fit.simulated for fit in self.fits)


def render_report(content):
    """Return the report as HTML: styles and pictures inside, no script, no address that a browser would follow."""
    fits = [(fit, completed(fit.result)) for fit in content.fits]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"plain": numbers.plain, "interval": numbers.interval, "rows": flattened, "shade": shade}
    environment.globals |= {"uncertain": numbers.with_uncertainty, "names_of": _names_of, "methods_of": _methods_of}
    environment.globals |= {"names_of_values": _interval_methods, "without": _without}
    template = (Path(__file__).parent / "report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        content=content,
        fits=fits,
        summary=(content.summary,) if content.summary else summary_sentences(content),
        warnings=warnings_by_place(content),
        provenance={"study": content.study, **content.provenance},
    )


def completed(result):
    """Return a fit's result with every key that the template reads; :class:`DataError` where the necessary lack."""
    _check_result(result)
    filled = {**_RESULT, **result}
    for key in ("parameters", "nuisances", "modes"):
        filled[key] = {name: {**_ESTIMATE, **entry} for name, entry in (filled[key] or {}).items()}
    for key in ("minima", "variants"):
        filled[key] = [{**_ROW, **row} for row in filled[key] or ()]
    filled["combinations"] = [c["text"] if isinstance(c, dict) else str(c) for c in filled["combinations"] or ()]
    filled["as_variant"] = _as_variant(filled)
    return filled


def _as_variant(filled):
    """Return the fit itself as the first row of the table of its variants."""
    estimates = {**filled["parameters"], **filled["nuisances"]}
    return {
        **_ROW,
        "label": "as declared",
        "parameters": {name: p["value"] for name, p in estimates.items()},
        "modes": {name: p["value"] for name, p in filled["modes"].items()},
        "objective": filled["minima"][0]["objective"] if filled["minima"] else None,
    }


def _check_result(result):
    missing = [key for key in ("fit", "parameters") if key not in result]
    if missing or not all(isinstance(p, dict) and "value" in p for p in result["parameters"].values()):
        raise DataError(
            "a fit's result lacks what the report shows",
            where=f"fit {result.get('fit', '?')!r}",
            expected="'fit', and 'parameters' with a 'value' each",
            got=sorted(result),
            fix="write the result with the stage that fits",
        )


def summary_sentences(content):
    """Return what the study's parts and fits found, one sentence each; tuple of str."""
    sentences = [part.text for part in content.sections if part.text]
    if not content.fits and not sentences:
        return ("This study has no fits.",)
    for fit in content.fits:
        found = ", ".join(_estimate(name, p) for name, p in fit.result["parameters"].items())
        data = ", ".join(fit.result.get("measurements", ())) or "its data"
        kind = "simulated " if fit.simulated else ""
        sentences.append(f"Fit {fit.result['fit']} of {kind}{data}: {found}.")
    return tuple(sentences)


def _estimate(name, parameter):
    """Return "J = 30.14(6) ± 0.6 (systematic) meV"."""
    text = f"{name} = {numbers.with_uncertainty(parameter['value'], parameter.get('std'))}"
    if parameter.get("systematic") is not None:
        text += f" ± {numbers.plain(parameter['systematic'], 2)} (systematic)"
    return f"{text} {parameter.get('unit') or ''}".rstrip()


def warnings_by_place(content):
    """Return every warning under the part of the report that it comes from: dict of str to list of str."""
    out: dict[str, list[str]] = {}
    for place, texts in (
        ("study", content.warnings),
        *((part.title, part.warnings) for part in content.sections),
        *((f"model {t.name}", t.warnings) for t in content.training),
        *((f"fit {f.result['fit']}", f.result.get("warnings") or ()) for f in content.fits),
    ):
        if texts:
            out.setdefault(place, []).extend(texts)
    return out


def flattened(data, prefix=""):
    """Return nested plain data as rows (dotted key, text).

    >>> flattened({"seed": 1, "data": {"sha256": "ab"}, "paths": ["a", "b"]})
    [('seed', '1'), ('data.sha256', 'ab'), ('paths', 'a, b')]
    """
    rows = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            rows += flattened(value, f"{name}.")
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(numbers.plain(x) for x in value)))
        else:
            rows.append((name, numbers.plain(value, digits=10)))
    return rows


def shade(value):
    """Return the background of a correlation between −1 and 1: blue below, orange above, white at none.

    >>> shade(0.0), shade(1.0), shade(-1.0)
    ('rgb(255 255 255)', 'rgb(244 177 131)', 'rgb(157 195 230)')
    """
    strength = min(1.0, abs(float(value)))
    end = (244, 177, 131) if value > 0 else (157, 195, 230)
    return "rgb({} {} {})".format(*(round(255 + strength * (c - 255)) for c in end))


def _names_of(rows, key):
    """Return the names that rows of minima or variants give values for under a key, in the order they come."""
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row[key])
    return list(names)


def _methods_of(*groups):
    """Return the methods that standard deviations were found by: "hessian", "bootstrap"."""
    return _names_of([entry for group in groups for entry in group.values()], "std_by_method")


def _interval_methods(*groups):
    """Return the methods that intervals were found by: "profile", "posterior"."""
    return _names_of([entry for group in groups for entry in group.values()], "intervals")


def _without(data, name):
    """Return a dict without one key."""
    return {key: value for key, value in data.items() if key != name}
