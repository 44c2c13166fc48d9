"""What articles report stands in one place, with its source, and is whole."""

import numpy as np
import pandas as pd
import pytest

from drsn_lib import plotting, records
from drsn_lib.records import published


@pytest.fixture(params=published.__all__)
def reported(request):
    return getattr(published, request.param)


def test_every_number_has_its_source(reported):
    for key in ("source", "where", "unit", "setting"):
        assert isinstance(reported[key], str) and len(reported[key]) > 10, key
    assert reported["source"].endswith(")") and "et al." in reported["source"]
    assert reported["read"] in ("printed", "digitized")
    assert ("error" in reported) == (reported["read"] == "digitized"), "a digitized number has an error"


def test_it_is_reached_through_records():
    assert records.published is published


def test_the_table_of_the_shrinkage_article_is_whole():
    table = published.SHRINKAGE_TABLE
    for part in ("noisy", "clean", "seconds"):
        assert list(table[part]) == ["convnet", "resnet", "drsn-cs", "drsn-cw"]
        assert set(table[part]) <= set(plotting.VARIANT_NAMES)
    for part in ("noisy", "clean"):
        means, spreads = np.array(list(table[part].values())).T
        assert (np.diff(means) > 0).all() and means.max() < 100  # the article's order, from worst to best
        assert (0 < spreads).all() and (spreads < 5).all()
    # What the article says of its own numbers.
    ahead = table["noisy"]["drsn-cw"][0] - table["noisy"]["resnet"][0]
    assert ahead == pytest.approx(3.32)
    slower = [table["seconds"][name] / table["seconds"]["resnet"] for name in ("drsn-cw", "drsn-cs")]
    assert slower == pytest.approx([1.55, 1.62], abs=0.01)


def test_the_curves_of_the_shrinkage_article_fit_its_levels_and_its_table():
    curves, table = published.SHRINKAGE_GAUSSIAN, published.SHRINKAGE_TABLE
    assert curves["snr_db"] == tuple(range(-5, 6))
    assert list(curves["accuracy"]) == list(table["noisy"])
    for name, curve in curves["accuracy"].items():
        assert len(curve) == len(curves["snr_db"])
        # Less noise, more right answers; digits that were swapped in reading would break that.
        assert (np.diff(curve) > 0).all() and curve[-1] < table["clean"][name][0]
        # One of three kinds of noise lies near the mean of the three.
        assert abs(np.mean(curve) - table["noisy"][name][0]) < 3


def test_the_tables_of_the_aprelu_article_are_whole():
    table, statistic = published.APRELU_TABLE, published.APRELU_STATISTIC
    order = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "aprelu"]
    for kind in ("convnet", "resnet"):
        assert list(table[kind]) == order and max(table[kind].values()) < 100
        assert (np.diff(list(table[kind].values())) > 0).all()  # the article's order, from worst to best
    assert all(table["resnet"][name] > table["convnet"][name] for name in order)
    # The worst case lies below the mean that it is part of, and scatters more.
    assert table["failure"][0] < table["convnet"]["aprelu"] and table["failure"][1] > table["spread"]["convnet"]
    scores = statistic["accuracy"]
    assert min(scores, key=scores.get) == "aprelu-mean" and max(scores, key=scores.get) == "aprelu"
    assert set(scores) | set(order[2:]) <= set(plotting.VARIANT_NAMES)


def test_the_last_lines_of_tuning_record_16_are_whole():
    lines = published.APRELU_RECORD_16
    numbers = {key: value for key, value in lines.items() if isinstance(value, tuple)}
    assert set(numbers) == {"epochs", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert {len(value) for value in numbers.values()} == {11}
    assert (np.diff(lines["epochs"]) == 1).all() and lines["epochs"][-1] == 3345
    # What the article says of them: 88.6 to 89.2 %, 11 to 12 s an epoch.
    assert (round(min(lines["val_accuracy"]), 1), round(max(lines["val_accuracy"]), 1)) == (88.6, 89.2)
    assert set(lines["seconds"]) == {11, 12}
    # Of so many images an accuracy has two digits behind the point; a swapped digit would leave the narrow range.
    for key, low, high in (
        ("accuracy", 89, 90),
        ("val_accuracy", 88, 90),
        ("loss", 0.39, 0.41),
        ("val_loss", 0.4, 0.42),
    ):
        assert low < min(lines[key]) and max(lines[key]) < high, key


def test_what_an_article_reports_is_drawn_beside_records_or_their_lack():
    scores = {"relu": [0.90, 0.91], "aprelu": [0.92, 0.95]}
    rows = [(name, seed, score) for name, both in scores.items() for seed, score in enumerate(both)]
    table = pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"])
    kinds = {kind: published.APRELU_TABLE[kind] for kind in ("convnet", "resnet")}
    figure = plotting.published_beside(kinds, table, rows=("relu", "prelu", "aprelu", "relu-wide"), source=False)
    left, right = figure.axes
    marked = [(line.get_xdata()[0], line.get_ydata()[0]) for line in left.lines if len(line.get_xdata())]
    # Both networks' numbers of the three that the article has, none for the control.
    in_both = list(enumerate(("relu", "prelu", "aprelu")))
    assert marked == [(kinds[kind][name], row) for kind in kinds for row, name in in_both]
    assert [text.get_text() for text in right.texts] == ["no record yet"] * 2
    bars = [line.get_xdata()[0] for line in right.lines if len(set(line.get_xdata())) == 1]
    assert bars == pytest.approx([90.5, 93.5])  # means over seeds, in percent
    named = plotting.published_beside(kinds, table, labels={"aprelu": "APReLU, both"}, source=False)
    words = [text.get_text() for text in named.axes[0].get_yticklabels()]
    assert "APReLU, both" in words and "PReLU" in words and "APReLU" not in words
    none = plotting.published_beside(kinds, table.iloc[:0])
    assert len(none.axes[1].texts) == 6 and not none.axes[1].lines
