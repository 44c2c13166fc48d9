"""Starts the Keras backend without TensorFlow's chatter, which would fill every notebook's first cell."""

import contextlib
import os
import re
import sys
import tempfile

# What TensorFlow says at every start on a healthy machine, to file descriptor 2, whatever its log level.
_CHATTER = re.compile(
    r"oneDNN custom operations are on|before absl::InitializeLog|cpu_feature_guard|"
    r"To enable the following instructions|rebuild TensorFlow with"
)


def import_keras():
    """Imports Keras; passes on what its backend writes to the error stream, but for the chatter."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings off, errors on
    with _filtered_errors():
        import keras  # noqa: F401


@contextlib.contextmanager
def _filtered_errors():
    try:
        kept = os.dup(2)
    except OSError:  # no error stream to filter
        yield
        return
    try:
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                said.seek(0)
                lines = said.read().decode(errors="replace").splitlines(keepends=True)
                sys.stderr.write("".join(line for line in lines if not _CHATTER.search(line)))
    finally:
        os.close(kept)
