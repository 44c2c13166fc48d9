"""What runs produced: one compact JSON record a run, validated; tables, statistics and trained weights from them.

Nothing here starts a Keras backend, except for `load_model`, `save_weights` and `load_weights`.

A file of records holds one JSON object a line; `validate` says what an object holds. The package brings the
book's own records; `load(folder="runs")` reads yours beside them.
"""

from drsn_lib.records import published as published
from drsn_lib.records.schema import COLUMNS, run_key, validate
from drsn_lib.records.statistics import (
    Paired,
    agreement,
    by_seed,
    is_current,
    matched,
    missing,
    paired,
    provenance,
    summary,
)
from drsn_lib.records.store import (
    SHIPPED,
    BrokenRecord,
    Record,
    append,
    default_folder,
    load,
    load_records,
    merge,
    probe_table,
    read_file,
    to_table,
)
from drsn_lib.records.weights import load_model, load_weights, save_weights, weights_path

__all__ = [
    "COLUMNS",
    "SHIPPED",
    "BrokenRecord",
    "Paired",
    "Record",
    "agreement",
    "append",
    "by_seed",
    "default_folder",
    "is_current",
    "load",
    "load_model",
    "load_records",
    "load_weights",
    "matched",
    "merge",
    "missing",
    "paired",
    "probe_table",
    "provenance",
    "read_file",
    "run_key",
    "save_weights",
    "summary",
    "to_table",
    "validate",
    "weights_path",
]
