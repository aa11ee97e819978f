# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes the README's pictures of a finished run of the quickstart.

Run: python docs/make_images.py WORKDIR

The plot is the report's own file; page and demo are photographed by headless
Chromium. Of the quickstart alone, whose texts are this project's own. The demo
needs onnxruntime-web-1.30.0.tgz in the cache, or fetches it.
"""

import functools
import http.server
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from etils import epath
from PIL import Image

from gd_jax import hub
from gd_jax.export import demo

IMAGES = pathlib.Path(__file__).parent / "images"
README = pathlib.Path(__file__).parents[1] / "README.md"
# What is put between the marks of that name in the README.
SHOWN = {
  "picture": "![Accuracy of each arm](docs/images/accuracy.svg)",
  "screenshots": (
    "![The top of the quickstart's report](docs/images/report.png)\n\n"
    "![The demo page of its student](docs/images/demo.png)"
  ),
}
PACKAGE = "onnxruntime-web-1.30.0.tgz"
_SECONDS = 20
TEXT = "The parcel says delivered, but nobody here has it."
# Into a copy of the demo's page: what a reader would type. The picture, which
# no server has, puts off the photograph until the answer is there.
_TYPING = """
<img src="wait" hidden>
<script type="module">
while (!window.classify) await new Promise((go) => setTimeout(go, 50));
const box = document.getElementById("text");
box.value = %s;
box.dispatchEvent(new Event("input"));
</script>
"""


def main(argv: list[str]) -> None:
  """Writes docs/images/ and shows them in the README."""
  workdir = pathlib.Path(argv[0])
  results = json.loads((workdir / "report/results.json").read_text())
  if results["task"] != "quickstart":
    raise SystemExit("only the quickstart's texts may be shown")
  IMAGES.mkdir(exist_ok=True)
  plot = workdir / "report/figures/accuracy.svg"
  shutil.copy(plot, IMAGES / "accuracy.svg")
  page = (workdir / "report/index.html").resolve()
  photograph(page.as_uri(), IMAGES / "report.png", size=(1000, 1000))
  with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(workdir / "export", f"{folder}/export")
    package = pathlib.Path(hub.cache_dir()) / PACKAGE
    demo.build(
      epath.Path(f"{folder}/export"),
      package=str(package) if package.exists() else None,
    )
    site = pathlib.Path(folder) / "export/demo"
    typed = (site / "index.html").read_text() + _TYPING % json.dumps(TEXT)
    (site / "typed.html").write_text(typed)
    handler = functools.partial(_Server, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    photograph(
      f"http://127.0.0.1:{server.server_port}/typed.html",
      IMAGES / "demo.png",
      size=(760, 720),
    )
    server.shutdown()
  text = README.read_text("utf-8")
  for name, shown in SHOWN.items():
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = text.partition(begin)
    text = before + begin + shown + "\n" + end + rest.partition(end)[2]
  README.write_text(text, "utf-8")


class _Server(http.server.SimpleHTTPRequestHandler):
  def do_GET(self) -> None:
    if self.path == "/wait":
      time.sleep(_SECONDS)
    super().do_GET()

  def log_message(self, format: str, *args: object) -> None:
    del format, args


def photograph(url: str, file: pathlib.Path, *, size: tuple[int, int]) -> None:
  """A picture of a page's top, in at most 128 colours.

  Args:
    url: Of the page.
    file: A .png.
    size: Width and height of the window, in pixels.
  """
  chromium = shutil.which("chromium") or shutil.which("google-chrome")
  if chromium is None:
    raise SystemExit("Chromium is missing: apt-get install chromium")
  with tempfile.TemporaryDirectory() as folder:
    shot = pathlib.Path(folder) / "shot.png"
    subprocess.run(
      [
        chromium,
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        f"--user-data-dir={folder}/profile",
        f"--window-size={size[0]},{size[1]}",
        f"--screenshot={shot}",
        url,
      ],
      check=True,
      capture_output=True,
      timeout=300,
    )
    picture = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")
  picture.quantize(128).save(file, optimize=True)


if __name__ == "__main__":
  main(sys.argv[1:])
