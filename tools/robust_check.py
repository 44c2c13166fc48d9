"""Run the notebook tests as on other processors: with AVX2 alone, and on one core (`make robust`).

Trained numbers differ between processors. The notebooks assert their claims with a margin, and this check shows
that the margins hold. Both runs go at the same time, each on a core of its own where there are two.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import execute_notebooks
from colab_check import older_processor

ROOT = execute_notebooks.ROOT


def test_run(notebooks, variables, core):
    """Run the notebooks' tests, bound to one core where the system can do that; (exit status, what was printed)."""
    command = [sys.executable, "-m", "pytest", *map(str, notebooks), "-p", "no:cacheprovider", "-q", "-n", "0"]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def on_an_older_processor(notebooks, core):
    """Run the notebooks in as many processes as they need different settings."""
    groups = {}
    for notebook in notebooks:
        groups.setdefault(tuple(older_processor(notebook).items()), []).append(notebook)
    return [test_run(group, dict(variables), core) for variables, group in groups.items()]


def on_one_core(notebooks, core):
    """Run the notebooks as they are."""
    return [test_run(notebooks, {}, core)]


def main():
    """Start the runs, wait for them, show what failed."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    bound = bool(shutil.which("taskset")) and bool(cores)
    runs = {"AVX2 alone": on_an_older_processor}
    if bound:
        runs["one core"] = on_one_core
    else:
        print("taskset is not to be had here: the run on one core is left out.")
    notebooks = execute_notebooks.find_notebooks([])
    start, failed = time.monotonic(), []
    with ThreadPoolExecutor(len(runs) if len(cores) != 1 else 1) as pool:
        jobs = {
            name: pool.submit(run, notebooks, cores[number % len(cores)] if bound else None)
            for number, (name, run) in enumerate(runs.items())
        }
        for name, job in jobs.items():
            results = job.result()
            ends = [re.findall(r"(?m)^.*\d+ (?:passed|failed|error).*$", text) for _, text in results]
            for (status, text), end in zip(results, ends, strict=True):
                if status != 0 or not end:
                    failed.append(name)
                    print(text)
            said = " and ".join(end[-1].strip(" =") if end else "no test ran" for end in ends)
            print(f"notebooks, {name}: {said}", flush=True)
    print(f"Both in {time.monotonic() - start:.0f} s." if not failed else f"Failed: {', '.join(dict.fromkeys(failed))}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
