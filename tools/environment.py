"""Make the project's environment when it is missing, old or half-made; say nothing and cost nothing when it is whole.

    python tools/environment.py                 # .venv from requirements/book.txt (`make` calls this)
    python tools/environment.py --check         # exit status 0 when nothing needs doing
    python tools/environment.py --prefer python3.13 --venv .venv-colab --lock requirements/colab.txt --no-project

Only the standard library is used, in syntax that Python 3.6 can parse, so that an old Python can say what is
wrong instead of failing on a comma. A stamp, written last, holds a digest of everything the environment was made
from; without it the next run looks at what is there and mends it.
"""

# Newer idioms are what an old Python cannot parse.
# ruff: noqa: UP022, UP031

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

LOWEST, HIGHEST = (3, 11), (3, 13)
WANTED = "Python 3.11, 3.12 or 3.13"
CANDIDATES = ["python3", "python3.13", "python3.12", "python3.11"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAMP = "drsn-stamp.json"
INSTALLING = "drsn-installing"  # stands while an installation runs: after it, nothing is taken on trust
VERSION_CODE = "import sys; print('%d.%d %s' % (sys.version_info[0], sys.version_info[1], sys.executable))"
NO_PIP = "pip is missing. Install it (on Debian and Ubuntu: apt-get install python3-pip), then run make again."


class Problem(Exception):
    """Something that the person at the keyboard can mend; the message is one line."""


# ---------------------------------------------------------------- which Python


def version_of(command):
    """The ((major, minor), executable) of a Python command, or None where it does not run."""
    try:
        done = subprocess.run([command, "-c", VERSION_CODE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    words = done.stdout.decode("utf-8", "replace").strip().split(" ", 1)
    if done.returncode != 0 or len(words) != 2:
        return None
    major, minor = words[0].split(".")
    return (int(major), int(minor)), words[1]


def find_python(asked, prefer=None):
    """Return ((major, minor), executable) of the Python to build with.

    Args:
        asked: What `PYTHON=` names; it is taken or refused, never replaced.
        prefer: A command to try before the usual ones.
    """
    if asked:
        found = version_of(asked)
        if found is None:
            raise Problem("PYTHON=%s does not run. %s is needed." % (asked, WANTED))
        if not LOWEST <= found[0] <= HIGHEST:
            raise Problem("PYTHON=%s is Python %d.%d; %s is needed." % ((asked,) + found[0] + (WANTED,)))
        return found
    unfit = []
    for command in ([prefer] if prefer else []) + CANDIDATES:
        found = version_of(command)
        if found and LOWEST <= found[0] <= HIGHEST:
            return found
        if found and "%d.%d" % found[0] not in unfit:
            unfit.append("%d.%d" % found[0])
    met = "only Python %s was found" % ", ".join(unfit) if unfit else "no Python was found"
    raise Problem("%s is needed, %s. Install one, or name it: make book PYTHON=/path/to/python3." % (WANTED, met))


# ---------------------------------------------------------------- what belongs in the environment


def project_part():
    """The parts of pyproject.toml and drsn_lib that an editable installation depends on."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        text = file.read()
    sections = re.split(r"(?m)^(?=\[)", text)
    kept = [part for part in sections if re.match(r"\[(build-system|project|tool\.hatch)", part)]
    with open(os.path.join(ROOT, "drsn_lib", "__init__.py"), encoding="utf-8") as file:
        kept += re.findall(r"(?m)^__version__ = .*$", file.read())
    return "".join(kept)


def digest_of(lock, with_project, version):
    """One digest for everything the environment is made from, its place included (scripts hold it)."""
    with open(lock, "rb") as file:
        parts = [file.read(), ROOT.encode(), ("%d.%d" % version).encode()]
    if with_project:
        parts.append(project_part().encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp(venv):
    """The stamp of an environment, or {} where there is none that can be read."""
    try:
        with open(os.path.join(venv, STAMP), encoding="utf-8") as file:
            stamp = json.load(file)
        return stamp if isinstance(stamp, dict) and len(stamp.get("python", [])) == 2 else {}
    except (OSError, ValueError, TypeError):
        return {}


def is_current(venv, lock, with_project, asked):
    """Whether the environment is whole and made from what stands here now."""
    stamp = read_stamp(venv)
    if not stamp or os.path.exists(os.path.join(venv, INSTALLING)):
        return False
    version = tuple(stamp["python"])
    if asked:
        found = version_of(asked)
        if found is None or found[0] != version:
            return False
    return stamp.get("digest") == digest_of(lock, with_project, version) and os.path.exists(
        os.path.join(venv, "bin", "python")
    )


# Runs inside the environment: which locked packages are missing, of another version, or not whole.
# A package that pip was interrupted in the middle of has metadata and no RECORD; pip itself takes it as installed.
INSPECT = r"""
import csv, json, os, re, sys
from importlib import metadata
try:
    from pip._vendor.packaging.requirements import Requirement
except ImportError:
    print(json.dumps({"pip": False})); sys.exit()
wanted, bad, broken, number = {}, [], [], 0
for line in open(sys.argv[1], encoding="utf-8"):
    line = re.sub(r"(^|\s)#.*$", "", line).strip()
    if line:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            wanted[re.sub(r"[-_.]+", "-", requirement.name).lower()] = (line, requirement)
found = {}
for distribution in metadata.distributions():
    name = distribution.metadata["Name"] if distribution.metadata else None
    if not name:
        broken.append(str(distribution._path)); continue
    found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append(distribution)
for name, (line, requirement) in wanted.items():
    whole = False
    for distribution in found.get(name, []):
        # Not `distribution.files`, which from Python 3.12 on passes over what is missing.
        rows = list(csv.reader((distribution.read_text("RECORD") or "").splitlines()))
        if not rows:
            broken.append(str(distribution._path)); continue
        if not requirement.specifier.contains(distribution.version, prereleases=True):
            continue
        whole = True
        for row in rows:
            if len(row) < 3 or not row[2] or row[0].endswith(".pyc"):
                continue
            try:
                if os.stat(distribution.locate_file(row[0])).st_size != int(row[2]):
                    whole = False; break
            except OSError:
                whole = False; break
    if not whole:
        bad.append(line)
print(json.dumps({"pip": True, "wanted": len(wanted), "bad": bad, "broken": broken,
                  "project": "drsn-lib" in found, "site": __import__("sysconfig").get_path("purelib")}))
"""


def inspect(venv, lock):
    """Look at every file of every locked package; None where the environment's Python does not run."""
    python = os.path.join(venv, "bin", "python")
    try:
        done = subprocess.run([python, "-I", "-c", INSPECT, lock], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return json.loads(done.stdout.decode("utf-8"))
    except (OSError, ValueError):
        return None


# ---------------------------------------------------------------- making it


def say(text):
    """Print at once: the person watches."""
    print(text, flush=True)


def clean_environment():
    """The variables for a child Python that must not see another Python's folders."""
    drop = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV", "PIP_USER")
    return {key: value for key, value in os.environ.items() if key not in drop}


def quiet(command):
    """Run a command; (whether it succeeded, the last lines it printed)."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment())
    except OSError as error:
        return False, str(error)
    return done.returncode == 0, "\n".join(done.stdout.decode("utf-8", "replace").strip().splitlines()[-8:])


def make_venv(venv, executable):
    """Create the environment's Python and pip; Debian's Python without its venv package is enough."""
    made, words = quiet([executable, "-m", "venv", venv])
    python = os.path.join(venv, "bin", "python")
    if made and quiet([python, "-m", "pip", "--version"])[0]:
        return
    made, words = quiet([executable, "-m", "venv", "--clear", "--without-pip", venv])
    if not made:
        raise Problem("%s could not make %s: %s" % (executable, venv, (words.splitlines() or ["no reason given"])[-1]))
    open(os.path.join(venv, INSTALLING), "w").close()
    pip = [executable, "-m", "pip"]
    if not quiet([*pip, "--version"])[0]:
        remove_venv(venv)
        raise Problem(NO_PIP)
    done, words = quiet([*pip, "--python", python, "install", "--quiet", "pip"])
    if not done:
        raise Problem("pip could not be installed into %s: %s" % (venv, (words.splitlines() or ["?"])[-1]))


def remove_venv(venv):
    """Delete an environment, and nothing that is not one."""
    if os.path.isdir(venv):
        if not os.path.exists(os.path.join(venv, "pyvenv.cfg")) and os.listdir(venv):
            raise Problem("%s is no virtual environment; move it away, then run make again." % venv)
        shutil.rmtree(venv)


class Progress:
    """One line that moves on a terminal; a line every ten seconds elsewhere."""

    def __init__(self, total):
        self.total, self.start, self.live = total, time.time(), sys.stdout.isatty()
        self.said = 0.0 if self.live else self.start

    def show(self, what, done):
        """Show that so many of the packages have got through this stage."""
        now = time.time()
        if self.total < 2 or now - self.said < (0.2 if self.live else 10):
            return
        self.said = now
        filled = int(24 * done / max(self.total, 1))
        bar = "#" * filled + "-" * (24 - filled)
        text = "  %s [%s] %d of %d, %d s" % (what, bar, done, self.total, now - self.start)
        if self.live:
            print("\r\033[K" + text, end="", flush=True)
        else:
            say(text)

    def end(self):
        """Leave the line clean for what is printed next."""
        if self.live:
            print("\r\033[K", end="", flush=True)


def run_pip(arguments, total, site):
    """Run pip with progress; on failure raise with its last lines."""
    command = [*arguments[:1], "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments[1:]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment())
    lines, collected = [], [0, False]

    def read():
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            lines.append(line)
            collected[0] += line.startswith("Collecting ")
            collected[1] = collected[1] or line.startswith("Installing collected packages")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    progress = Progress(total)
    before = count_packages(site)
    try:
        while process.poll() is None:
            if collected[1]:
                progress.show("installing", min(total, max(0, count_packages(site) - before)))
            else:
                progress.show("fetching  ", min(total, collected[0]))
            time.sleep(0.1)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        progress.end()
    reader.join(5)
    if process.returncode != 0:
        errors = [line for line in lines if line.strip()][-12:]
        print("\n".join("  | " + line for line in errors), file=sys.stderr)
        raise Problem(
            "pip failed (its last words are above). Mend the cause, then run make again: it goes on from here."
        )


def count_packages(site):
    """How many packages stand whole in a site-packages folder: pip writes each RECORD last."""
    try:
        names = [name for name in os.listdir(site) if name.endswith(".dist-info")]
    except OSError:
        return 0
    return sum(os.path.exists(os.path.join(site, name, "RECORD")) for name in names)


def build(options):
    """Bring the environment to what the lock says, from whatever state it is in."""
    venv, lock, start = options.venv, options.lock, time.time()
    name = os.path.relpath(venv)
    python = os.path.join(venv, "bin", "python")
    is_range = lock.endswith(".in")  # names without pins: the newest versions, dependencies resolved by pip
    stamp, state = read_stamp(venv), None
    moved = stamp.get("root", ROOT) != ROOT
    if os.path.isdir(venv) and not moved:
        state = inspect(venv, lock)
        if state and not state.get("pip"):
            state = None
    if state and (options.asked or options.prefer):
        found = find_python(options.asked, options.prefer)
        if found[0] != version_of(python)[0]:
            say("%s holds another Python than the one asked for: making it anew." % name)
            state = None
    if state:
        version = version_of(python)[0]
        if not LOWEST <= version <= HIGHEST:
            state = None
    if state:
        if os.path.exists(os.path.join(venv, INSTALLING)):
            say("An installation into %s was interrupted: mending it." % name)
        open(os.path.join(venv, INSTALLING), "w").close()
    else:
        version, executable = find_python(options.asked, options.prefer)
        say("Making %s with Python %d.%d (%s)." % ((name, *version, executable)))
        remove_venv(venv)
        make_venv(venv, executable)
        open(os.path.join(venv, INSTALLING), "w").close()
        state = inspect(venv, lock)
        if state is None or not state.get("pip"):
            raise Problem("The Python in %s does not run. Remove the folder, then run make again." % name)
    try:
        os.remove(os.path.join(venv, STAMP))
    except OSError:
        pass
    half_removed = [os.path.join(state["site"], name) for name in os.listdir(state["site"]) if name.startswith("~")]
    for path in state["broken"] + half_removed:
        if os.path.isdir(path) and (path.endswith((".dist-info", ".egg-info")) or path in half_removed):
            shutil.rmtree(path)
    bad = state["bad"]
    if bad or is_range:
        size = ", about 600 MB to fetch and 2.5 GB on disk" if len(bad) > 100 else ""
        wait = "a minute or two" if len(bad) > 30 else "a moment"
        say("Installing %d packages from %s%s: %s." % (len(bad), os.path.relpath(lock), size, wait))
        if is_range:
            arguments = ["--upgrade", "-r", lock] + (["-e", ROOT] if options.project else [])
            run_pip([python, *arguments], len(bad), state["site"])
        else:
            # The lock is complete (`pip check` below shows it), so nothing needs resolving again.
            wanted = os.path.join(venv, "drsn-wanted.txt")
            with open(wanted, "w", encoding="utf-8") as file:
                file.write("\n".join(bad) + "\n")
            run_pip([python, "--no-deps", "--force-reinstall", "-r", wanted], len(bad), state["site"])
            os.remove(wanted)
    if options.project and not is_range:
        run_pip([python, "--no-deps", "--no-build-isolation", "--force-reinstall", "-e", ROOT], 1, state["site"])
    state = inspect(venv, lock)
    if not state or state["bad"] or state["broken"]:
        raise Problem(
            "%s is still not whole (%s). Remove the folder, then run make again."
            % (name, ", ".join((state or {}).get("bad", [])[:3]) or "its Python does not run")
        )
    agreed, words = quiet([python, "-m", "pip", "check"])
    if not agreed and not is_range:
        raise Problem("the lock is not consistent: %s" % words.splitlines()[0])
    write_stamp(options, version)
    say("%s is ready: %d packages, %d s." % (name, state["wanted"], time.time() - start))


def write_stamp(options, version):
    """Say, last of all, that the environment is whole."""
    path = os.path.join(options.venv, STAMP)
    stamp = {"digest": digest_of(options.lock, options.project, version), "python": list(version), "root": ROOT}
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(stamp, file)
    os.replace(path + ".part", path)
    os.remove(os.path.join(options.venv, INSTALLING))


def main(arguments=None):
    """Read the command line and make or check the environment."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--venv", default=os.path.join(ROOT, ".venv"), help="the environment's folder")
    parser.add_argument("--lock", default=os.path.join(ROOT, "requirements", "book.txt"), help="what to install")
    parser.add_argument("--asked", metavar="PYTHON", default="", help="the Python to build with, or fail")
    parser.add_argument("--prefer", metavar="PYTHON", default="", help="a Python to try first")
    parser.add_argument("--no-project", dest="project", action="store_false", help="leave drsn_lib out")
    parser.add_argument("--check", action="store_true", help="only say, by the exit status, whether all is done")
    options = parser.parse_args(arguments)
    options.venv, options.lock = os.path.abspath(options.venv), os.path.abspath(options.lock)
    try:
        if is_current(options.venv, options.lock, options.project, options.asked):
            return 0
        if options.check:
            return 1
        build(options)
    except Problem as problem:
        print("make: %s" % problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nmake: interrupted; the next make goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:
        print("make: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
