import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent))

if os.environ["KERAS_BACKEND"] == "jax":  # the comparisons are made in float64
    import jax

    jax.config.update("jax_enable_x64", True)
