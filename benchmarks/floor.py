"""Hold the training step of two networks against what the chip could do at best, on JAX, and print a table.

    .venv-backends/bin/python benchmarks/floor.py
    .venv-backends/bin/python benchmarks/floor.py --models 1,16,165 --precision bfloat16    # a GPU
    .venv-backends/bin/python benchmarks/floor.py --stored

The compiler counts the operations of a step and the bytes that its kernels read and write. What the chip does of
each in a second is measured here, in the same process: a product of two large matrices, and a sum of two arrays that
are larger than any cache. The floor is the longer of the two times. A step may be below it where what one kernel
writes is still in a cache when the next one reads it, and above it where kernels are small, wait for each other, or
cannot fill the chip's lanes. What convolutions and matrix products take alone, each timed by itself, tells these
apart.

Results go to benchmarks/results/floor-KIND.json, KIND being `cpu` or `gpu`, if only the defaults were asked for, or
into `--out`.
"""

import argparse
import collections
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "jax"
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import tqdm  # noqa: E402

from benchmarks import run  # noqa: E402
from drsn_lib import recipes  # noqa: E402
from drsn_lib.training import facts, many  # noqa: E402

# The two networks whose time the records' targets are about, with the batches of their budgets "modern".
PROGRAMS = (("cifar10-aprelu", "aprelu"), ("vibration-snr", "drsn-cw"), ("vibration-snr", "resnet"))
FEWEST = 5


def path(kind, folder=None):
    """The file of stored results of one kind of device."""
    return (folder or ROOT / "benchmarks" / "results") / f"floor-{kind}.json"


def seconds_of(function, patience=3.0):
    """The median time of a call; the first ones, which may compile, do not count."""
    for _ in range(2):
        function()
    times, begun = [], time.perf_counter()
    while len(times) < FEWEST or time.perf_counter() - begun < patience:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def ceilings(precision, size, elements, patience=3.0):
    """What the chip does at best: `"flops"` and `"bytes"` a second, measured.

    Args:
        precision: String, the type of the numbers.
        size: Integer, of the square matrices whose product is timed.
        elements: Integer, of the arrays whose sum is timed; together they must not fit into a cache.
        patience: Float, the seconds that each of the two is repeated for.
    """
    import jax
    import jax.numpy as jnp

    a, b = (jnp.ones((size, size), precision) for _ in range(2))
    product = jax.jit(lambda a, b: a @ b)
    flops = 2 * size**3 / seconds_of(lambda: product(a, b).block_until_ready(), patience)
    a, b = (jnp.ones(elements, precision) for _ in range(2))
    total = jax.jit(lambda a, b: a + b)
    moved = 3 * elements * a.dtype.itemsize
    return {"flops": flops, "bytes": moved / seconds_of(lambda: total(a, b).block_until_ready(), patience)}


def products(program, arguments):
    """Seconds of the convolutions and matrix products of a step, forward and backward, each timed by itself."""
    import jax
    import jax.numpy as jnp

    found = collections.Counter()

    def collect(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name in ("conv_general_dilated", "dot_general"):
                shapes = tuple((one.aval.shape, one.aval.dtype.name) for one in equation.invars)
                found[equation.primitive, shapes, tuple(equation.params.items())] += 1
            for value in jax.tree.leaves(tuple(equation.params.values()), is_leaf=_is_program):
                if _is_program(value):
                    collect(getattr(value, "jaxpr", value))

    collect(jax.make_jaxpr(program._mapped("train"))(*arguments).jaxpr)
    seconds = 0.0
    for (primitive, shapes, params), times in found.items():
        inputs = [jnp.ones(shape, dtype) for shape, dtype in shapes]
        one = jax.jit(lambda *x, primitive=primitive, params=dict(params): primitive.bind(*x, **params))
        seconds += times * seconds_of(lambda one=one, inputs=inputs: one(*inputs).block_until_ready(), 0.3)
    return seconds


def _is_program(value):
    return hasattr(value, "eqns") or hasattr(getattr(value, "jaxpr", None), "eqns")


def measure(recipe, variant, models, precision, patience=3.0, **changes):
    """One row: counts, the measured step, and its products alone, of all models together.

    Args:
        recipe: String, a recipe's name.
        variant: String.
        models: Integer, how many trainings at once.
        precision: String, the type of the numbers.
        patience: Float, the seconds that the step is repeated for.
        **changes: What replaces settings of the budget "modern".

    Returns:
        Dictionary of JSON's types.
    """
    import jax

    recipe = recipes.get(recipe)
    budget = dataclasses.replace(recipe.budget("modern"), **changes)
    with many._policy(precision):
        program = many._Program(recipe, variant, budget, [0], models, 100, precision, None, scan=False)
        compiled, arguments, _ = program.example()
        counts = program.count(compiled)
        alone = products(program, arguments)
        state, *rest = arguments

        def step():
            nonlocal state
            state, logs = compiled(state, *rest)
            jax.block_until_ready((state, logs))

        return {
            "recipe": recipe.name,
            "variant": variant,
            "models": models,
            "batch": budget.batch_size,
            "flops": counts["flops"] * models,
            "bytes": counts["bytes"] * models,
            "seconds": seconds_of(step, patience),
            "products_seconds": alone,
        }


def floor(row, ceiling):
    """The least seconds of a step: of its operations, and of its bytes."""
    return {name: row[name] / ceiling[name] for name in ("flops", "bytes")}


def table(results):
    """The lines of the table."""
    machine, ceiling, versions = results["machine"], results["ceilings"], results["versions"]
    yield (
        f"{results['device']['name']}, {machine['cores']} cores, jax {versions['jax']}, {results['precision']}; "
        f"{results['date'][:10]}; at best {ceiling['flops'] / 1e9:,.0f} GFLOP/s and {ceiling['bytes'] / 1e9:,.1f} GB/s"
    )
    yield (
        f"{'recipe':15} {'variant':8} {'models':>6} {'batch':>5} {'GFLOP':>7} {'MB':>8}   "
        f"{'floor, ms: operations':>21} {'bytes':>7} {'products, ms':>13} {'step, ms':>9} {'step/floor':>10}"
    )
    for row in results["steps"]:
        least = floor(row, ceiling)
        yield (
            f"{row['recipe']:15} {row['variant']:8} {row['models']:6} {row['batch']:5} {row['flops'] / 1e9:7.2f} "
            f"{row['bytes'] / 1e6:8.1f}   {1e3 * least['flops']:21.2f} {1e3 * least['bytes']:7.2f} "
            f"{1e3 * row['products_seconds']:13.1f} {1e3 * row['seconds']:9.1f} "
            f"{row['seconds'] / max(least.values()):10.1f}"
        )


def main():
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", default="1", help="how many trainings at once, such as 1,16")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--out", type=Path, help="another folder for the results, which are then stored in any case")
    parser.add_argument("--stored", action="store_true", help="only print what is stored")
    given = parser.parse_args()
    kind = facts.device()["kind"]
    if given.stored:
        print("\n".join(table(json.loads(path(kind).read_text(encoding="utf-8")))))
        return
    load = os.getloadavg()[0]
    if kind == "cpu" and load > run.BUSY:
        print(f"The machine is busy (load {load:.1f}): the times will be too long.\n", file=sys.stderr)
    size, elements = (1536, 1 << 27) if kind == "cpu" else (16384, 1 << 30)
    ceiling = ceilings(given.precision, size, elements)
    models = [int(number) for number in given.models.split(",")]
    rows = []
    for recipe, variant, number in tqdm.tqdm([(*one, n) for one in PROGRAMS for n in models], desc="steps"):
        rows.append(measure(recipe, variant, number, given.precision))
    results = {
        "schema": 1,
        "precision": given.precision,
        **run.circumstances(load),
        "ceilings": ceiling,
        "steps": rows,
    }
    if given.out or vars(given) == vars(parser.parse_args([])):
        path(kind, given.out).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
