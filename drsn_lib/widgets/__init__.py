"""Interactive figures: live in Jupyter and Colab, and live in the book's pages without a kernel.

Each figure is one JavaScript file and one Python module of the same name on one shared base. The Python
module holds a NumPy twin of every formula that the JavaScript computes::

    from drsn_lib import widgets

    lab = widgets.ThresholdLab(threshold=0.8)
    lab                                   # shown as a figure
    lab.measures()["mse_after"]           # the same numbers in Python
"""

from drsn_lib.widgets._base import LiveFigure
from drsn_lib.widgets.aprelu_lab import ApreluLab
from drsn_lib.widgets.depth_lab import DepthLab
from drsn_lib.widgets.draw_digit import DrawDigit
from drsn_lib.widgets.excitation_lab import ExcitationLab
from drsn_lib.widgets.noise_lab import NoiseLab
from drsn_lib.widgets.results_explorer import ResultsExplorer
from drsn_lib.widgets.shrinkage_unit import ShrinkageUnit
from drsn_lib.widgets.threshold_lab import ThresholdLab

# In the order of the book.
_FIGURES = (DepthLab, ThresholdLab, ExcitationLab, ShrinkageUnit, DrawDigit, NoiseLab, ApreluLab, ResultsExplorer)

__all__ = [
    "ApreluLab",
    "DepthLab",
    "DrawDigit",
    "ExcitationLab",
    "LiveFigure",
    "NoiseLab",
    "ResultsExplorer",
    "ShrinkageUnit",
    "ThresholdLab",
    "figures",
]


def figures():
    """Return the figures' classes by their HTML tag, in the order of the book.

    Example:

    >>> figures()["threshold-lab"].__name__
    'ThresholdLab'

    Returns:
        A dictionary such as `{"threshold-lab": ThresholdLab}`.
    """
    return {figure._tag: figure for figure in _FIGURES}
