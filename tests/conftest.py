import os
import pathlib
import signal
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent))

# A shell starts a job in the background with Ctrl-C ignored, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The comparisons with formulas are made in float64, here and in the processes that tests start. Models exchanged
# between backends run as JAX is by default: tools/backends_check.py sets this to 0.
if os.environ["KERAS_BACKEND"] == "jax":
    os.environ.setdefault("JAX_ENABLE_X64", "1")

# Needs what the other backends have written; tools/backends_check.py says where.
collect_ignore = [] if "DRSN_EXCHANGE" in os.environ else ["test_exchange.py"]
