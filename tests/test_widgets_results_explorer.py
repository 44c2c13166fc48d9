"""The results explorer without a browser: its numbers are the records', its words those of records.Paired."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drsn_lib import records
from drsn_lib.widgets import ResultsExplorer, results_explorer

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def data():
    return ResultsExplorer.load_data()


def test_the_script_knows_every_network():
    text = Path(results_explorer.__file__).with_suffix(".js").read_text(encoding="utf-8")
    block = text[text.index("const NETWORKS = {") : text.index("};", text.index("const NETWORKS = {"))]
    known = re.findall(r'"?([\w-]+)"?: \["([^"]+)", "(\w+)"\]', block)
    assert {key: name for key, name, _ in known} == results_explorer.NAMES
    assert [key for key, _, _ in known] == list(results_explorer.NAMES)
    color = {key: color for key, _, color in known}
    for study in ResultsExplorer.load_data().values():
        for condition in study["trained"].values():
            for table in condition["noises"].values():
                drawn = [color[key] for key in table["networks"]]
                assert len(set(drawn)) == len(drawn), drawn


@pytest.mark.parametrize("n", [2, 4, 7])
def test_intervals_are_those_of_paired(n):
    pd = pytest.importorskip("pandas")
    scores = np.random.default_rng(n).normal(size=(2, n, 3))
    ends = results_explorer.intervals(scores[0] - scores[1])
    for k in range(3):
        rows = [(name, seed, scores[i, seed, k]) for i, name in enumerate("ab") for seed in range(n)]
        found = records.paired(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "a", "b")
        np.testing.assert_allclose(ends[:, k], [found.low, found.high], atol=1e-12)


def test_every_score_is_a_records(data):
    """All that is shown, looked up in the records, one by one."""
    count = 0
    for study, one in data.items():
        for condition in one["trained"].values():
            found = records.load_records(study, device="best", budget=condition["budget"])
            scores = {}
            for record in found:
                if results_explorer._words(record["condition"]) == condition["words"]:
                    for probe in record["probes"]:
                        level = probe["condition"]["snr_db"]
                        place = record["variant"], record["seed"], probe["condition"]["noise"], level
                        scores[place] = probe["accuracy"]
            for kind, table in condition["noises"].items():
                for name, network in table["networks"].items():
                    for seed, values in zip(network["seeds"], results_explorer.decoded(network), strict=True):
                        for level, value in zip(table["levels"], values, strict=True):
                            clean = level == results_explorer.CLEAN
                            place = (name, seed, "none", None) if clean else (name, seed, kind, level)
                            assert value == pytest.approx(scores[place], abs=5.1e-5)
                            count += 1
    assert count > 300


def test_differences_and_words_are_those_of_paired(data):
    for study in data:
        for trained in data[study]["trained"]:
            figure = ResultsExplorer(study=study, trained=trained, level=0, networks=list(results_explorer.NAMES))
            at, rows = figure.shown(), figure.measures()
            assert (at["study"], at["trained"], at["level"]) == (study, trained, 0)
            budget = data[study]["trained"][trained]["budget"]
            found = [
                record
                for record in records.load_records(study, device="best", budget=budget)
                if results_explorer._key(record["condition"]) == trained
            ]
            table = records.probe_table(found)
            table = table[(table["noise"] == "gaussian") & (table["snr_db"] == 0)]
            seeds = {name: set(part["seed"]) for name, part in table.groupby("variant")}
            for name in set(rows) - {at["reference"]}:
                shared = seeds[name] & seeds[at["reference"]]
                pair = records.paired(table[table["seed"].isin(shared)], name, at["reference"])
                row = rows[name]
                assert row["difference"] == pytest.approx(pair.mean, abs=1e-4) and row["pairs"] == pair.n
                assert row["each"] == pytest.approx(pair.differences.to_list(), abs=1e-4)
                if pair.n > 1:
                    assert [row["low"], row["high"]] == pytest.approx([pair.low, pair.high], abs=2e-4)
                words = pair.verdict
                for key, said in results_explorer.NAMES.items():
                    words = words.replace(f"{key} is", f"{said} is")
                assert row["verdict"] == words
            for row in records.summary(table).to_dict("records"):
                mine = rows[row["variant"]]
                assert mine["mean"] == pytest.approx(row["mean"], abs=1e-4) and mine["n"] == row["n"]
                assert (mine["sd"] or 0) == pytest.approx(row["sd"] if row["n"] > 1 else 0, abs=1e-4)


@pytest.mark.parametrize(
    "low, high, n, words", [(1, 3, 5, "DRSN-CW is ahead"), (-1, 3, 9, "undecided"), (1, 3, 4, "no v")]
)
def test_the_rule_of_the_verdict(low, high, n, words):
    row = {"difference": (low + high) / 2, "low": low, "high": high, "pairs": n}
    assert results_explorer._verdict(row, "drsn-cw", "resnet").startswith(words)
    assert results_explorer.ENOUGH_SEEDS == records.statistics._ENOUGH_SEEDS


def grown(record, seed):
    """The record of another seed, with other scores."""
    rng = np.random.default_rng(seed)
    record = json.loads(json.dumps(record))
    record["seed"] = seed
    record["weights"] = None
    for probe in record["probes"]:
        probe["accuracy"] = round(float(np.clip(probe["accuracy"] + rng.normal(0, 0.01), 0, 1)), 6)
    return record


def test_it_follows_the_records_and_stays_light(tmp_path):
    """Ten times as many seeds: all of them are there at once, and the data are under 120 KB."""
    for study in results_explorer.STUDIES:
        lines = []
        for record in records.load_records(study, device="best"):
            lines += [json.dumps(grown(record, 1000 + 10 * record["seed"] + k)) for k in range(9)]
        (tmp_path / f"{study}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf8")
    before, after = results_explorer.collected(), results_explorer.collected(tmp_path)
    count = [
        sum(
            len(network["seeds"])
            for one in data.values()
            for condition in one["trained"].values()
            for table in condition["noises"].values()
            for network in table["networks"].values()
        )
        for data in (before, after)
    ]
    assert count[1] == 10 * count[0]
    assert len(json.dumps(after, separators=(",", ":"))) < 120_000


def test_data_are_made_anew_where_files_change(monkeypatch):
    first = ResultsExplorer.load_data()
    assert ResultsExplorer.load_data() is first
    monkeypatch.setattr(results_explorer, "_stamp", lambda: ("another",))
    assert ResultsExplorer.load_data() is not first and ResultsExplorer.load_data() == first


def test_it_starts_no_backend_and_reads_nothing_when_imported():
    code = """
import sys
from drsn_lib import widgets
before = sorted(m for m in ("pandas", "scipy", "keras") if m in sys.modules)
widgets.ResultsExplorer().measures()
print(before, [m for m in ("keras", "tensorflow", "jax", "torch", "matplotlib") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_the_default_and_the_sentence_know_nothing_of_the_records(monkeypatch):
    figure = ResultsExplorer()
    words = figure.static_html()
    monkeypatch.setattr(results_explorer, "_made", lambda stamp: {})
    assert ResultsExplorer().static_html() == words
    assert not any(mark in figure.fallback().replace("mnist-snr", "") for mark in "0123456789")


def test_the_csv_has_every_line(data):
    figure = ResultsExplorer(study="vibration-snr", noise="pink", networks=["resnet"])
    table = data["vibration-snr"]["trained"]["mixed"]["noises"]["pink"]
    lines = figure.csv().splitlines()
    assert lines[0] == "study,trained,noise,snr_db,network,seed,test_accuracy"
    assert len(lines) == 1 + len(table["levels"]) * len(table["networks"]["resnet"]["seeds"])
    assert lines[1].startswith("vibration-snr,mixed,pink,-5,resnet,0,0.") and ",clean," in lines[4]


def test_what_the_records_lack_is_replaced():
    at = ResultsExplorer(study="cifar10-snr", noise="pink", level=-60, networks=["drsn-cs"], seed=99).shown()
    assert at["noise"] == "gaussian" and at["level"] == -5 and at["seed"] == -1 and at["networks"]


@pytest.mark.parametrize("wrong", [{"study": "x"}, {"level": np.inf}, {"seed": -2}, {"networks": ["x"]}])
def test_values_that_are_none_are_refused(wrong):
    with pytest.raises(Exception, match=next(iter(wrong))):
        ResultsExplorer(**wrong)
