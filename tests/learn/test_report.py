"""Report pages: what they say, that they need nothing else, and that a browser shows them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser import Browser, find_chromium

sys.path.insert(0, str(Path(__file__).parents[1] / "bridge"))
from bridge_runs import make_config, make_trace

from bridge.command import InputError
from bridge.records import write_dataset
from learn.report import main
from learn.report_page import cell, number, quantity, same_again
from learn.run import main as train
from sim.runfolder import run_path
from sim.runfolder import write_run as write
from sim.sweep_table import make_table, write_table
from sim.sweeps.collect import collect
from sim.trace import Trace

LOG = "hct116: a cell\n  ok  Mach number: 0.02 (≤ 0.1)\n  NO  nodes across the gap: 4 (≥ 8)"
FLOW = {"pressure_drop_pa": 3000.0, "gap_velocity_m_per_s": 0.1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder as sim.run writes it, of a made-up squeeze."""
    made = make_trace(make_config("hct116"))
    trace = Trace(made.samples, made.snapshot_time, made.snapshots, made.faces, made.outcome, made.config, FLOW)
    folder = run_path(tmp_path_factory.mktemp("runs"), trace.config)
    write(folder, lambda: trace, LOG)
    return folder


@pytest.fixture(scope="module")
def training(tmp_path_factory, dataset):
    """A folder of a finished training, of cells with a hostile label."""
    folder = tmp_path_factory.mktemp("training")
    write_dataset(folder / "cells.h5", dataset(groups=8, label=["<b>a</b>", "wbc"] * 40))
    words = ["--dataset", str(folder / "cells.h5"), "--workdir", str(folder / "w"), "--epochs", "3", "--quiet"]
    subprocess.run([sys.executable, "-m", "learn.run", "features_only", *words], check=True)
    return folder / "w"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of made-up squeezes of three diameters."""
    folder = tmp_path_factory.mktemp("sweep")
    for diameter in (10.5e-6, 11.0e-6, 11.5e-6):
        made = make_trace(make_config("hct116", diameter=diameter))
        trace = Trace(made.samples, made.snapshot_time, made.snapshots, made.faces, made.outcome, made.config, FLOW)
        write(run_path(folder, trace.config), lambda trace=trace: trace, LOG)
    write_table(folder, make_table(collect(folder)[0]))
    return folder


def page_of(folder, capsys):
    assert main([str(folder), "--json", "--quiet"]) == 0
    out = Path(json.loads(capsys.readouterr().out)["out"])
    assert out == folder / "report.html"
    return out.read_text(encoding="utf-8")


def test_page_of_a_run_says_what_the_run_says(run, capsys):
    text = page_of(run, capsys)
    features = json.loads((run / "features.json").read_text())["features"]
    for name in ("transition_time", "max_velocity", "deformation_index"):
        assert quantity(features[name]["value"], features[name]["unit"]) in text
    assert "EXITED" in text
    assert re.search(r"nodes across the gap</td><td class=\"bad\">missed</td><td>4 \(≥ 8\)", text)
    assert text.count("holds</td>") == 1
    assert run.name in text
    assert len(text) < 1e6


def test_page_needs_nothing_else_and_has_the_same_bytes_again(run, capsys):
    text = page_of(run, capsys)
    assert page_of(run, capsys) == text
    sources = re.findall(r"(?:src|href)=\"(?!#|data:)([^\"]*)\"", text)
    assert sources == []
    assert "@import" not in text
    links = set(re.findall(r"https?://[^\s\"'<>]+", text))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_a_report_does_not_disturb_its_folder(run, training, capsys):
    page_of(run, capsys)
    page_of(training, capsys)
    words = ["features_only", "--dataset", str(training.parent / "cells.h5"), "--workdir", str(training)]
    assert train([*words, "--epochs", "3"]) == 0
    assert "finished already" in capsys.readouterr().err
    assert page_of(run, capsys)


def test_page_of_a_training_says_what_its_report_says_and_trusts_no_label(training, capsys):
    text = page_of(training, capsys)
    report = json.loads((training / "report.json").read_text())
    assert f"{report['mean_accuracy']:.3f}" in text
    assert "groups kept whole" in text.lower()
    assert "<b>a</b>" not in text
    assert "&lt;b&gt;a&lt;/b&gt;" in text
    provenance = json.loads((training / "provenance.json").read_text())
    assert provenance["versions"]["jax"] in text
    assert "python -m learn.run features_only --dataset" in text


def test_page_of_a_sweep_has_every_run_and_what_was_varied(sweep, capsys):
    text = page_of(sweep, capsys)
    assert "cell.diameter from 10.5 to 11.5 µm" in text
    assert all(path.name in text for path in sweep.glob("hct116-*"))
    assert text.count("<figure") == 5
    (sweep / "sweep.csv").write_text("run\n")
    with pytest.raises(InputError, match="damaged"):
        main([str(sweep), "--quiet"])


def test_what_is_no_result_is_refused(tmp_path, training):
    def refused(*words):
        with pytest.raises(InputError) as error:
            main([*map(str, words)])
        return str(error.value)

    assert "no such folder" in refused(tmp_path / "absent")
    assert "no finished run" in refused(tmp_path)
    (tmp_path / "config.toml").write_text((training / "config.toml").read_text())
    assert "not finished" in refused(tmp_path)
    (tmp_path / "report.json").write_text("{")
    assert "damaged" in refused(tmp_path)
    assert "must end in .html" in refused(training, "--out", tmp_path / "page.pdf")


def test_numbers_are_written_for_people():
    assert quantity(3.6332e-4, "s") == "363 µs"
    assert quantity(0.1412, "m/s") == "141 mm/s"
    assert quantity(3000.0, "Pa") == "3.00 kPa"
    assert quantity(None, "s") == "– s"
    assert number(-0.25) == "−0.250"
    assert number(1.6e-16, 2) == "1.6·10⁻¹⁶"
    assert cell(float("nan")).key == float("inf")
    assert same_again({"command": ["/x/sim/run.py", "wbc", "a b"]}) == ["python -m sim.run wbc 'a b'"]


@pytest.mark.skipif(find_chromium() is None, reason="no chromium on this machine")
def test_a_browser_shows_every_page(run, training, capsys):
    pages = [run / "report.html", training / "report.html"]
    for page in pages:
        page_of(page.parent, capsys)
    with Browser(find_chromium()) as browser:
        for page in pages:
            for width, dark in ((1280, False), (390, True)):
                browser.open(page, width, dark=dark)
                assert browser.ask("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
                drawings = "[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)"
                assert min(browser.ask(drawings)) > 50
                assert browser.ask("document.documentElement.scrollWidth") <= width
            assert browser.print().startswith(b"%PDF")
        _sorts(browser)
        browser.open(pages[0])
        _plays(browser)
        assert browser.complaints == []
        asked = {request for request in browser.requests if not request.startswith("data:")}
        assert asked == {page.as_uri() for page in pages}


def _sorts(browser):
    """A click on a head sorts by number, a second one turns the order round."""
    column = "[...document.querySelector('#part-1 table').tBodies[0].rows].map(r => Number(r.cells[2].dataset.key))"
    head = "document.querySelector('#part-1 table').querySelectorAll('th button')[2].click()"
    browser.ask(head)
    rising = browser.ask(column)
    assert rising == sorted(rising)
    browser.ask(head)
    assert browser.ask(column) == rising[::-1]


def _plays(browser):
    """The animation moves by itself, stops, and shows the frame that is asked for."""
    frame = "Number(document.querySelector('.player input').value)"
    first = browser.ask(frame)
    browser.ask("new Promise(done => setTimeout(done, 300))")
    assert browser.ask(frame) != first
    browser.ask("document.querySelector('.player button').click()")
    still = browser.ask(frame)
    browser.ask("new Promise(done => setTimeout(done, 200))")
    assert browser.ask(frame) == still
    drawn = "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0))"
    assert browser.ask(f"{drawn}(document.querySelector('.player canvas'))")
