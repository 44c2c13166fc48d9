"""The threshold laboratory in a running JupyterLab: keys reach it, Python and linked widgets follow."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

from drsn_lib import widgets

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import json, pathlib
import ipywidgets
from drsn_lib import widgets

lab = widgets.ThresholdLab(threshold=0.5)
slider = ipywidgets.FloatSlider(value=0.5, min=0, max=4, step=0.02)
link = ipywidgets.jslink((lab, "threshold"), (slider, "value"))

def note(change):
    if slider.value == lab.threshold:
        lab.function = "hard"  # Python answers, and the figure must show it
        seen = {"threshold": lab.threshold, "slider": slider.value, "mse": lab.measures()["mse_after"]}
        pathlib.Path("seen.json").write_text(json.dumps(seen))

lab.observe(note, "threshold")
slider.observe(note, "value")
ipywidgets.VBox([slider, lab])
"""

DRAWN = "[...document.querySelectorAll('*')].filter(e => e.shadowRoot?.querySelector('.drsn[data-theme] svg')).length"

# Every figure, as a notebook shows it.
ALL = """
from drsn_lib import widgets
import ipywidgets
ipywidgets.VBox([figure() for figure in widgets.figures().values()])
"""


@pytest.fixture
def lab_address(tmp_path):
    """A JupyterLab on a loopback port, with nothing of the user's settings, and the notebook's folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (CODE, ALL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "RUNTIME")}
    settings = {
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--expose-app-in-browser", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={tmp_path}"]
    command += ["--ServerApp.port_retries=0", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(tmp_path / "server.log", "w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, **folders, **settings}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5)
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                text = (tmp_path / "server.log").read_text()
                assert server.poll() is None and time.monotonic() < deadline, f"JupyterLab did not start:\n{text}"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/tree/lab.ipynb?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.mark.jupyter
def test_arrow_keys_reach_python_and_linked_widgets(browser, lab_address, tmp_path):
    outside, errors = [], []
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    context.set_default_timeout(60_000)

    def on_route(route):
        if route.request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", on_route)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(lab_address)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        slider = page.get_by_role("slider", name="Threshold τ").first
        slider.wait_for()
        page.wait_for_selector(".jp-OutputArea svg[aria-label*='τ = 0.50']")
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")

        page.wait_for_selector(".jp-OutputArea svg[aria-label*='hard threshold function at τ = 0.60']")
        assert page.get_by_role("radio", name="hard").first.is_checked()
        deadline = time.monotonic() + 30
        seen = {}
        while seen.get("threshold") != pytest.approx(0.6) and time.monotonic() < deadline:
            if (tmp_path / "seen.json").exists():
                try:
                    seen = json.loads((tmp_path / "seen.json").read_text())
                except json.JSONDecodeError:  # half written
                    pass
            time.sleep(0.1)
        assert seen["threshold"] == pytest.approx(0.6) and seen["slider"] == pytest.approx(0.6)
        shown = page.locator("#mse").first.inner_text()
        assert shown.endswith(f"{seen['mse']:.3f}"), (shown, seen)
        # The cell is still the one that was run: the keys were the slider's, not the notebook's.
        assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2
        # The second cell shows every figure, drawn.
        page.wait_for_function(f"{DRAWN} === {1 + len(widgets.figures())}")
        assert not outside, f"JupyterLab asked for something off the machine: {outside}"
        assert not errors, f"errors in the page: {errors}"
    finally:
        context.close()
