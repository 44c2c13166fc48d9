"""Time many trainings at once against one after the other, on JAX, and print a table.

    .venv-backends/bin/python benchmarks/many_at_once.py
    .venv-backends/bin/python benchmarks/many_at_once.py --length 2048 --batch 128 --models 1,16,64 --precision bfloat16

Times are those of one training step for one model. In every round each way does one step, in a random order, so
that ratios are those of steps done next to each other. "alone" is the step that `model.fit` runs. Below stand
whole short trainings, building and compiling included: one `training.run` a random seed against one `run_many`.

Results go to benchmarks/results/many_at_once.json, if nothing but the defaults was asked for.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks import compare, run, steps  # noqa: E402
from drsn_lib import recipes, training  # noqa: E402
from drsn_lib.training import facts, many  # noqa: E402

PATH = ROOT / "benchmarks" / "results" / "many_at_once.json"
WAYS = ("grouped", "matmul")
FEWEST, MOST = 7, 101


def step_times(given):
    """Times the steps of all ways; rows for the table."""
    import jax

    recipe = recipes.get(given.recipe)
    budget = dataclasses.replace(recipe.budget("modern"), batch_size=given.batch)
    if given.recipe == "vibration-snr":
        budget = dataclasses.replace(budget, network=(("input_shape", (given.length, 1)),))
    with many._policy(given.precision):
        trainer, _ = training.build_trainer(recipe, given.variant, 0, budget)
        trainer.compile(
            training.fit.make_optimizer(budget, 100), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        rng = np.random.default_rng(0)
        x = rng.normal(size=(given.batch, *trainer.input_shape[1:])).astype("float32")
        y = rng.integers(trainer.output_shape[-1], size=given.batch).astype("int32")
        ways, costs = {(1, "alone"): steps.training_step(trainer, (x, y))}, {}
        for models in given.models:
            for way in WAYS:
                program = many._Program(
                    recipe, given.variant, budget, [0], models, 100, given.precision, way, scan=False
                )
                compiled, arguments, taken = program.example()
                ways[models, way] = _step(jax, compiled, arguments)
                costs[models, way] = program.count(compiled) | {"compile_seconds": round(taken, 2)}
                print(f"{models} at once, {way}: compiled in {taken:.1f} s", file=sys.stderr, flush=True)
    for one in ways.values():
        one()
    seconds, order, begun = {key: [] for key in ways}, np.random.default_rng(0), time.perf_counter()
    for number in range(MOST):
        if number >= FEWEST and time.perf_counter() - begun > given.seconds:
            break
        for index in order.permutation(len(ways)):
            key = list(ways)[index]
            start = time.perf_counter()
            ways[key]()
            seconds[key].append((time.perf_counter() - start) / key[0])
    rows = []
    for (models, way), times in seconds.items():
        rows.append({"models": models, "way": way, "rounds": len(times)})
        rows[-1]["milliseconds"] = round(1e3 * float(np.median(times)), 3)
        if way != "alone":
            # The speed-up: how many times as long a model takes alone.
            faster = compare.ratio(seconds[1, "alone"], times)
            rows[-1]["faster"] = {name: round(value, 3) for name, value in faster.items()}
            rows[-1] |= costs[models, way]
    return rows, list(x.shape[1:])


def _step(jax, compiled, arguments):
    state, *rest = arguments

    def step():
        nonlocal state
        state, told = compiled(state, *rest)
        jax.block_until_ready((state, told))

    return step


def whole_runs(seeds):
    """Seconds of whole short trainings, one after the other and at once."""
    found = {"recipe": "mnist-noise", "variant": "drsn-cw", "budget": "smoke", "seeds": seeds}
    start = time.perf_counter()
    for seed in range(seeds):
        training.run("mnist-noise", "drsn-cw", seed, "smoke", progress=False)
    found["one_after_the_other"] = round(time.perf_counter() - start, 2)
    start = time.perf_counter()
    training.run_many("mnist-noise", "drsn-cw", range(seeds), "smoke", progress=False)
    found["at_once"] = round(time.perf_counter() - start, 2)
    return found


def table(results):
    """The lines of the table."""
    machine, what, versions = results["machine"], results["what"], results["versions"]
    yield (
        f"{what['recipe']} {what['variant']}, input {tuple(what['input'])}, batches of {what['batch']}, "
        f"{what['precision']}; "
        f"jax {versions['jax']}, Keras {versions['keras']}; {results['device']['name']}, "
        f"{machine['cores']} cores; {results['date'][:10]}"
    )
    yield f"{'models':>6} {'convolution':11} {'ms a model':>10}  {'times faster than alone':25} {'MFLOP':>8} {'MB':>8}"
    for row in results["steps"]:
        faster = row.get("faster")
        said = f"{faster['ratio']:.2f} [{faster['low']:.2f}, {faster['high']:.2f}]" if faster else ""
        counts = f"{row['flops'] / 1e6:8.1f} {row['bytes'] / 1e6:8.1f}" if faster else ""
        yield f"{row['models']:6} {row['way']:11} {row['milliseconds']:10.2f}  {said:25} {counts}".rstrip()
    runs = results.get("runs")
    if runs:
        yield (
            f"{runs['seeds']} trainings of {runs['recipe']} {runs['variant']} ({runs['budget']}): "
            f"{runs['one_after_the_other']:.1f} s one after the other, {runs['at_once']:.1f} s by run_many"
        )


def main():
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="vibration-snr", choices=recipes.names())
    parser.add_argument("--variant", default="drsn-cw")
    parser.add_argument("--length", type=int, default=512, help="points of a vibration window")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--models", default="1,4,16", help="how many at once")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--seconds", type=float, default=30, help="for the rounds")
    parser.add_argument("--stored", action="store_true", help="only print what is stored")
    given = parser.parse_args()
    if given.stored:
        print("\n".join(table(json.loads(PATH.read_text(encoding="utf-8")))))
        return
    default = vars(given) == vars(parser.parse_args([]))
    given.models = [int(number) for number in given.models.split(",")]
    load, begun = os.getloadavg()[0], time.monotonic()
    if load > run.BUSY and facts.device()["kind"] == "cpu":
        print(f"The machine is busy (load {load:.1f}): the times will be too long.\n")
    rows, shape = step_times(given)
    results = {
        "schema": 1,
        "what": {
            "recipe": given.recipe,
            "variant": given.variant,
            "input": shape,
            "batch": given.batch,
            "precision": given.precision,
        },
        **run.circumstances(load),
        "steps": rows,
        "runs": whole_runs(4) if default else None,
        "seconds": round(time.monotonic() - begun, 1),
    }
    if default:
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
