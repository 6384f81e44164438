"""The report as a browser meets it: self-contained, well-formed, escaped, complete, accessible."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from spinscape.errors import DataError
from spinscape.plot.report import (
    FitContent,
    ReportContent,
    ReportFigure,
    TrainingContent,
    render_report,
    report_figure,
    warnings_by_place,
)
from spinscape.plot.training import training_figure

HOSTILE = "<script>alert(1)</script>\"' onload=x <b>&amp;"
VOID = {"meta", "img", "br", "hr"}


class Page(HTMLParser):
    """Elements in order, their text, and a check that every one is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags):
        return " ".join(" ".join(t) for tag, t in self.texts.items() if not tags or tag in tags)


def estimate(value, std, systematic, unit="meV"):
    pairs = {f"interval{p}": [value - z * std, value + z * std] for p, z in ((68, 1.0), (95, 1.96))}
    return {
        "value": value,
        "std": std,
        **pairs,
        "systematic": systematic,
        "unit": unit,
        "std_by_method": {"hessian": std},
    }


def result(**changed):
    found = {
        "fit": "direct",
        "measurements": ["path1"],
        "parameters": {"J": estimate(30.14, 0.061, 0.62), "Jp": estimate(-2.12, 0.042, None)},
        "nuisances": {"q_smear": estimate(0.0721, 0.0031, None, "1/Å")},
        "modes": {"X": {"value": 113.12, "std": 0.11, "unit": "meV"}},
        "correlation": {"names": ["J", "Jp"], "matrix": [[1.0, -0.973], [-0.973, 1.0]]},
        "objective": {"kind": "chi2_profiled"},
        "strategy": {"kind": "multistart", "n_sobol": 256},
        "quality": {"chi2_reduced": 1.0213},
        "minima": [{"parameters": {"J": 30.14, "Jp": -2.12}, "objective": 27123.4, "n_start": 417, "at_bound": ["Jp"]}],
        "variants": [
            {"label": "no Q smear", "parameters": {"J": 29.5}, "modes": {"X": 113.3}, "objective": 27500.0},
            {"label": "wider", "parameters": {}, "modes": {}, "objective": None, "error": "no stable structure"},
        ],
        "combinations": [{"coefficients": {"J": 1.0, "Jp": -2.1}, "text": "J − 2.1 Jp = 34.6 ± 0.02 meV"}],
        "warnings": ["the variants move J by ten standard deviations"],
        "provenance": {"seed": 5852, "data": {"sha256": "45601712"}},
    }
    return {**found, **changed}


@pytest.fixture(scope="module")
def figure():
    drawn = training_figure(curves={"training": ([1, 2, 3], [1.0, 0.5, 0.1])})
    return report_figure(drawn, caption="How it learnt.", alt="A falling curve", dpi=50)


@pytest.fixture(scope="module")
def content(figure):
    return ReportContent(
        study="square",
        title="A square lattice",
        fits=(FitContent(result(), (figure,)),),
        training=(TrainingContent("siren", {"held-out R²": 0.99712}, (figure,), ("stopped early",)),),
        figures=(figure,),
        facts={"points": 1200, "unstable": 100},
        provenance={"versions": {"numpy": "2.4.6"}, "seed": 5852, "code": "0f3a9c"},
        warnings=("path2 is not at hand",),
    )


@pytest.fixture(scope="module")
def page(content):
    return Page(render_report(content))


def test_nothing_is_asked_of_the_outside(content, page):
    """No script, no link to anywhere, every picture inside; the browser is told to refuse the rest."""
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "video", "audio", "svg"}
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(anchor["href"].startswith("#") for anchor in page.all("a"))
    html = render_report(content)
    assert not re.search(r"https?:|url\(|@import|\bon\w+=|srcset", html)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_it_can_be_read_by_everyone(page):
    assert page.all("html") == [{"lang": "en"}] and len(page.all("h1")) == 1
    assert any(m.get("name") == "viewport" for m in page.all("meta"))
    assert len(page.all("img")) == 3 and all(image["alt"] for image in page.all("img"))
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    for image in page.all("img"):
        assert int(image["width"]) > 0 and int(image["height"]) > 0


def test_every_link_has_its_target_once(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a")} <= set(ids)
    labels = {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a}
    assert labels <= set(ids)


@pytest.mark.parametrize(
    "text",
    [
        "30.140(61)",
        "30.079 … 30.201",
        "± 0.62",
        "−2.120(42)",
        "q_smear (nuisance)",
        "0.0721(31)",
        "1/Å",
        "113.12(11)",
        "−0.973",
        "27123.4",
        "417",
        "no Q smear",
        "113.3",
        "no stable structure",
        "as declared",
        "J − 2.1 Jp = 34.6 ± 0.02 meV",
        "chi2_reduced",
        "1.0213",
        "chi2_profiled",
        "strategy.n_sobol",
        "data.sha256",
        "45601712",
        "held-out R²",
        "0.99712",
        "versions.numpy",
        "0f3a9c",
        "unstable",
        "How it learnt.",
        "stopped early",
        "path2 is not at hand",
        "ten standard deviations",
    ],
)
def test_it_shows_what_it_was_given(page, text):
    assert text in page.text()


def test_the_summary_says_values_errors_and_data(page, content):
    assert "Fit direct of path1: J = 30.140(61) ± 0.62 (systematic) meV, Jp = −2.120(42) meV." in page.text("p")
    assert "simulated" not in page.text("p").lower()
    own = Page(render_report(ReportContent(study="s", summary="All is well.")))
    assert "All is well." in own.text("p")
    assert "no fits" in Page(render_report(ReportContent(study="s"))).text("p")


def test_warnings_say_where_they_come_from(content):
    assert list(warnings_by_place(content)) == ["study", "model siren", "fit direct"]
    assert "Warnings" not in Page(render_report(ReportContent(study="s"))).text("h2")


def test_simulated_measurements_are_told_on_top_and_at_the_fit(figure):
    fits = (FitContent(result()), FitContent(result(fit="other"), simulated=True))
    page = Page(render_report(ReportContent(study="s", fits=fits)))
    assert "SIMULATED: at least one fit" in page.text("p") and "simulated path1" in page.text("li")
    headings = page.texts["h2"]
    assert any("other (SIMULATED measurement)" in h for h in headings)
    assert not any("direct (SIMULATED" in h for h in headings)


def test_hostile_text_stays_text():
    """Names, labels and warnings come from study files of strangers."""
    bad = result(
        fit=HOSTILE,
        measurements=[HOSTILE],
        parameters={HOSTILE: {"value": 1.0, "unit": HOSTILE}},
        modes={HOSTILE: {"value": 1.0}},
        correlation={"names": [HOSTILE, "b"], "matrix": [[1.0, 0.0], [0.0, 1.0]]},
        minima=[{"parameters": {HOSTILE: 1.0}, "objective": 1.0}],
        variants=[{"label": HOSTILE, "parameters": {HOSTILE: 1.0}, "objective": 1.0}],
        warnings=[HOSTILE],
        provenance={HOSTILE: HOSTILE},
    )
    figure = ReportFigure(b"\x89PNG" + bytes(20), HOSTILE, HOSTILE)
    text = render_report(
        ReportContent(study=HOSTILE, title=HOSTILE, fits=(FitContent(bad, (figure,)),), facts={HOSTILE: [HOSTILE]})
    )
    page = Page(text)
    assert "<script" not in text and "<b>" not in text and not page.all("b")
    assert all("onload" not in attributes for _, attributes in page.elements)
    assert page.all("img")[0]["alt"] == HOSTILE and HOSTILE in page.text("h1")


def test_a_fit_with_nothing_but_values_is_shown():
    bare = {"fit": "bare", "parameters": {"J": {"value": 29.0}}}
    page = Page(render_report(ReportContent(study="s", fits=(FitContent(bare),))))
    assert "29" in page.text("td") and "–" in page.text("td")
    assert len(page.all("table")) == 2  # the parameters, and the provenance of the study


def test_couplings_may_have_the_names_of_methods():
    awkward = result(parameters={"items": {"value": 1.5}, "values": {"value": 2.5}}, nuisances={"get": {"value": 3.5}})
    page = Page(render_report(ReportContent(study="s", fits=(FitContent(awkward),))))
    assert all(text in page.text("td") for text in ("1.5", "2.5", "3.5"))


def test_values_that_are_not_numbers_are_dashes():
    lost = result(parameters={"J": estimate(float("nan"), 0.1, None)}, modes={}, nuisances={}, minima=[], variants=[])
    text = render_report(ReportContent(study="s", fits=(FitContent(lost),)))
    assert "nan" not in Page(text).text("td", "th", "p")


@pytest.mark.parametrize("lacking", ["fit", "parameters"])
def test_a_result_that_lacks_the_necessary_is_refused(lacking):
    broken = {key: value for key, value in result().items() if key != lacking}
    with pytest.raises(DataError, match="lacks what the report shows"):
        render_report(ReportContent(study="s", fits=(FitContent(broken),)))


def test_equal_contents_make_equal_pages(content):
    assert render_report(content) == render_report(content)
