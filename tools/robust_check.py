"""Run the notebook tests as on other processors: with AVX2 alone, and on one core (`make robust`).

Trained numbers differ between processors. The notebooks assert their claims with a margin, and this check shows
that the margins hold. Both runs go at the same time, each on a core of its own where there are two.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = {"AVX2 alone": {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "one core": {}}


def command_for(core):
    """The test command, bound to one core where the system can do that."""
    test = [sys.executable, "-m", "pytest", "notebooks", "-p", "no:cacheprovider", "-q", "-n", "0"]
    return ["taskset", "-c", str(core), *test] if core is not None else test


def main():
    """Start the runs, wait for them, show what failed."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    bound = bool(shutil.which("taskset")) and bool(cores)
    if not bound:
        print("taskset is not to be had here: the run on one core is left out.")
    start, running, failed = time.monotonic(), {}, []
    with tempfile.TemporaryDirectory(prefix="drsn-robust-") as folder:
        for number, (name, variables) in enumerate(RUNS.items()):
            if not variables and not bound:
                continue
            log = Path(folder) / f"{number}.log"
            core = cores[number % len(cores)] if bound else None
            environment = {**os.environ, **variables}
            file = log.open("w")
            process = subprocess.Popen(
                command_for(core), cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
            running[name] = (process, log)
            if bound and len(cores) == 1:
                process.wait()
        try:
            for name, (process, log) in running.items():
                status = process.wait()
                text = log.read_text(errors="replace")
                if status != 0:
                    failed.append(name)
                    print(text)
                ends = re.findall(r"(?m)^.*\d+ (?:passed|failed|error).*$", text)
                print(f"notebooks, {name}: {ends[-1].strip(' =') if ends else 'no test ran'}", flush=True)
                if not ends and name not in failed:
                    failed.append(name)
        except KeyboardInterrupt:
            for process, _ in running.values():
                process.terminate()
            return 130
    print(f"Both in {time.monotonic() - start:.0f} s." if not failed else f"Failed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
