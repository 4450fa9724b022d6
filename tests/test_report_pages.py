"""The pages of validations and of training: whole, self-contained, escaped, and with the numbers of the results."""

import errno
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.report.page import number
from hermite_dual.report.save import check_target
from hermite_dual.report.training_page import study_page
from hermite_dual.validation.training_study import training_study

X = hd.on_sphere(hd.load_digits()[0][:8])
HOSTILE = '</title><script>alert("1")</script> $\\frac{ & \' <img src=x onerror=y>'
CITATION = "https://arxiv.org/abs/2205.13814"


def hostile():
    def phi(u):
        return np.tanh(u)

    phi.__name__ = HOSTILE
    return hd.activation(phi, derivative=lambda u: 1.0 - np.tanh(u) ** 2)


@pytest.fixture(scope="module")
def report():
    return hd.DEQ.paper("erf", sigma_w2=0.08).validate(X, widths=(16, 32), replicas=3, seed=1)


@pytest.fixture(scope="module")
def study():
    return training_study(("tanh", "relu"), "sphere", (30, 40), samples=6, inputs=5, epochs=4)


@pytest.fixture(scope="module")
def checks():
    return [hd.DEQ.paper(name, 0.08).check(X) for name in ("tanh", "relu")]


@pytest.fixture(scope="module")
def pages(report, study, checks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    report.save(folder / "validation.html")
    study.save(folder / "study.html", checks)
    study.runs[0].run.save(folder / "run.html")
    return folder


def parse(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    return ET.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def rows(page, label):
    """The cells of the table in the box of that name: floats where there is a number, text otherwise."""
    (box,) = [one for one in page.iter("div") if one.get("aria-label") == label]
    return [
        [
            float(cell[0].get("value")) if len(cell) and cell[0].tag == "data" else "".join(cell.itertext())
            for cell in row
        ]
        for row in next(box.iter("tbody"))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["validation", "study", "run"])
def test_pages_are_well_formed_and_need_nothing_else(pages, name):
    text = (pages / f"{name}.html").read_text(encoding="utf-8")
    page = parse(pages / f"{name}.html")
    elements = list(page.iter())
    tags = {element.tag for element in elements}
    assert tags.isdisjoint({"script", "link", "img", "image", "iframe", "object", "embed", "base", "foreignObject"})
    assert "svg" in tags
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\s\"'<)]*", text)) <= {CITATION}
    names = [element.get("id") for element in elements if element.get("id")]
    assert len(names) == len(set(names))
    for element in elements:
        assert not [attribute for attribute in element.attrib if attribute.startswith("on") or attribute == "src"]
        target = element.get("href")
        if target is not None:
            assert target[1:] in names if element.tag == "use" else (element.tag, target) == ("a", CITATION)
    for target in re.findall(r"url\(([^)]*)\)", text):
        assert target.startswith("#")
        assert target[1:] in names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "word"), [("validation", "INCONCLUSIVE"), ("study", "ALL CLAIMS HOLD"), ("run", "ALL CLAIMS HOLD")]
)
def test_the_verdict_comes_first_and_in_words(pages, name, word):
    main = next(parse(pages / f"{name}.html").iter("main"))
    assert [element.tag for element in main][:3] == ["h1", "p", "section"]
    assert main[2].get("aria-label") == "Verdict"
    assert "".join(main[2][0].itertext()).split(maxsplit=1)[1] == word


@pytest.mark.slow
def test_numbers_of_a_validation_are_those_of_its_json(pages, report):
    page, content = parse(pages / "validation.html"), json.loads(report.to_json())
    for label, found in (("Tests of the networks", content), ("Tests of the control's mean", content["control"])):
        listed = [*found["directions"], found["entries"]]
        keys = ("discrepancy", "standard_error", "statistic", "p_value", "detectable")
        table = rows(page, label)
        assert [row[2:7] for row in table] == [[test[key] for key in keys] for test in listed]
        assert [row[0] for row in table[:-1]] == [test["name"] for test in found["directions"]]
        assert [row[1].endswith(" not rejected") for row in table] == [not test["rejected"] for test in listed]
    seen = rows(page, "Smallest discrepancies")
    assert [row[1] for row in seen] == [
        content["entries"]["detectable"],
        content["entries"]["detectable_median"],
        *(test["detectable"] for test in content["directions"]),
    ]
    keys = ("width", "normalized_mean", "normalized_standard_error", "mean", "standard_error")
    assert rows(page, "Errors by width") == [[row[key] for key in keys] for row in content["errors_by_width"]]
    assert rows(page, "Exponents")[0][1:] == [content["slope"], content["slope_error"], *content["slope_interval"]]
    assert [row[4] for row in rows(page, "Sources, pairwise")] == [
        pair["difference"] for pair in content["comparisons"]
    ]
    least = [
        [r["width"], r["held"], r["replicas"], *r["interval"], r["mean"]]
        for r in content["least_eigenvalues"]["by_width"]
    ]
    assert rows(page, "Least eigenvalues") == least
    assert sum(row[2] for row in rows(page, "Error probability")) == pytest.approx(content["error_probability"])
    text = "".join(page.itertext())
    for words in (content["data_digest"], content["versions"]["NumPy"], content["reason"][1:], "seed1"):
        assert words in text


def test_numbers_of_a_study_are_those_of_its_json(pages, study, checks):
    page, content = parse(pages / "study.html"), json.loads(study.to_json())
    for row, item in zip(rows(page, "Numbers"), content["runs"], strict=True):
        run = item["run"]
        assert row[:3] == [item["activation"], item["width"], run["step"]]
        pairs = [run[name][k] for name in ("loss", "norm") for k in (0, -1)]
        assert row[3:] == [*pairs, 1.0 / run["lipschitz"], *(run["least_eigenvalue"][k] for k in (0, -1))]
    for row, item in zip(rows(page, "Claims"), content["runs"], strict=True):
        for cell, claim in zip(row[2:5], item["run"]["claims"], strict=True):
            assert cell.startswith("✓ holds, ratio ") == claim["holds"]
    for check in checks:
        listed = rows(page, f"Hypotheses for {check.activation}")
        items = [*check.hypotheses, *check.consequences]
        assert [row[0] for row in listed] == [item.name for item in items]
        assert [row[1].split()[1] for row in listed] == [item.outcome.value for item in items]


def test_json_files_hold_the_same_as_to_dict(report, study, checks, tmp_path):
    assert json.loads(report.save(tmp_path / "r.json").read_text()) == report.to_dict()
    content = json.loads(study.save(tmp_path / "s.json", checks).read_text())
    assert content.pop("hypotheses")[0]["hypotheses"][0]["outcome"] == "PROVEN"
    assert content == study.to_dict()
    run = study.runs[1].run
    assert json.loads(run.save(tmp_path / "t.json").read_text()) == run.to_dict()


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(pages, study, checks, tmp_path):
    again = hd.DEQ.paper("erf", sigma_w2=0.08).validate(X, widths=(16, 32), replicas=3, seed=1)
    assert again.save(tmp_path / "a.html").read_bytes() == (pages / "validation.html").read_bytes()
    assert study.save(tmp_path / "b.html", checks).read_bytes() == (pages / "study.html").read_bytes()


@pytest.mark.slow
def test_names_from_outside_are_escaped(tmp_path):
    model = hd.DEQ(hostile(), sigma_w=0.3)
    model.validate(X, widths=(8, 16), replicas=2).save(tmp_path / "v.html")
    training_study((hostile(),), "sphere", (20,), samples=3, inputs=3, epochs=1).save(tmp_path / "s.html")
    for file in tmp_path.iterdir():
        page = parse(file)
        assert {element.tag for element in page.iter()}.isdisjoint({"script", "img"})
        assert HOSTILE in "".join(page.itertext())


@pytest.mark.slow
def test_a_claim_that_fails_is_said_first_and_explained():
    page = study_page(training_study(("gelu",), "sphere", (40,), samples=4, inputs=4, epochs=2, sigma_w2=0.2))
    head = page[: page.index("<h2>")]
    assert "A CLAIM FAILS" in head
    assert "s^2 = 0.2 is too large for gelu" in head
    assert "fails at epoch 0" in page
    # Without a step neither rate nor eigenvalue were tested.
    assert page.count("not tested") == 2
    untested = study_page(training_study(("gelu",), "sphere", (40,), samples=4, inputs=4, epochs=0))
    assert "NOT TESTED" in untested[: untested.index("<h2>")]
    ended = study_page(training_study(("relu",), "sphere", (40,), samples=4, inputs=4, epochs=1, sigma_w2=8.0))
    assert "was not found" in ended


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1 / 3, "0.333333"), (-2.5e-20, "−2.5e−20"), (float("nan"), "not a number"), (float("-inf"), "−∞"), (0.0, "0")],
)
def test_numbers_are_shown_short_and_kept_whole(value, shown):
    element = ET.fromstring(f"<p>{number(value)}</p>")
    assert "".join(element.itertext()) == shown
    if np.isfinite(value):
        assert float(element[0].get("value")) == value


def test_plots_are_axes(report, study):
    assert report.plot().get_xlabel() == "width m"
    assert study.plot().shape == (2, 3)
    row = study.runs[0].run.plot()
    np.testing.assert_array_equal(row[0].get_lines()[0].get_ydata(), study.runs[0].run.loss)


@pytest.mark.slow
def test_a_full_disk_is_named_and_the_old_page_stays(report, tmp_path, monkeypatch):
    target = report.save(tmp_path / "report.html")
    before = target.read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataFileError, match=r"report\.html' cannot be written: No space left on device\. Check free"):
        report.save(target)
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == before


def test_targets_that_cannot_be_written_are_named_before_the_work(report, tmp_path):
    (tmp_path / "file").touch()
    for attempt in (check_target, report.save):
        with pytest.raises(DataFileError, match=r"cannot be written: (Not a directory|File exists)"):
            attempt(tmp_path / "file" / "report.html")
        with pytest.raises(InvalidInputError, match=r"allowed are \.html and \.json"):
            attempt(tmp_path / "report.pdf")
        (tmp_path / "folder.html").mkdir(exist_ok=True)
        with pytest.raises(DataFileError, match="it is a folder"):
            attempt(tmp_path / "folder.html")
    check_target(tmp_path / "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.html"]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser")
@pytest.mark.parametrize("name", ["validation", "study", "run"])
def test_a_browser_shows_verdict_and_figures_and_nothing_overflows_on_a_phone(pages, tmp_path, name):
    # A frame of the width of a phone, which tells the page around it what it shows.
    probe = (
        "<script>const wide = [...document.querySelectorAll('main > *, section > *')].filter("
        "one => one.getBoundingClientRect().right > innerWidth).length;"
        "parent.postMessage([document.documentElement.scrollWidth, wide, document.querySelectorAll('svg').length,"
        "document.querySelector('.word').innerText].join('|'), '*')</script></body>"
    )
    text = (pages / f"{name}.html").read_text(encoding="utf-8").replace("</body>", probe)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    frame = "<iframe src='page.html' style='width:400px;height:900px;border:0'></iframe><output></output>"
    listen = "<script>addEventListener('message', e => document.querySelector('output').textContent = e.data)</script>"
    (tmp_path / "phone.html").write_text(f"<!DOCTYPE html><meta charset='utf-8'>{listen}{frame}", encoding="utf-8")
    off = ("quic", "background-networking", "component-update", "sync", "gpu", "extensions")
    flags = ["--no-first-run", *(f"--disable-{feature}" for feature in off)]
    command = ["chromium", "--headless", "--no-sandbox", *flags, f"--user-data-dir={tmp_path / 'profile'}"]
    command += [
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
        "--dump-dom",
        (tmp_path / "phone.html").as_uri(),
    ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    width, wide, figures, word = re.search("<output>(.*?)</output>", found.stdout).group(1).split("|")
    assert int(width) <= 400
    assert int(wide) == 0
    assert int(figures) == (2 if name == "validation" else 1)
    assert re.search("[A-Z]{4}", word)
    assert "CONSOLE" not in found.stderr
