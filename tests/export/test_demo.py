# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The exported page in headless Chromium, with no network but a file server.

Needs Chromium, and the npm package in the cache or in $GD_JAX_ONNXRUNTIME_WEB.
"""

import functools
import http.server
import json
import os
import pathlib
import queue
import random
import shutil
import subprocess
import threading

import numpy as np
import pytest
from etils import epath

from gd_jax import artefacts, hub, predict
from gd_jax.data import tokenizers, vocabulary
from gd_jax.export import demo, onnx_students
from gd_jax.models import families, students

pytest.importorskip("onnxruntime", reason="the extra `export`")
PACKAGE = pathlib.Path(
  os.environ.get("GD_JAX_ONNXRUNTIME_WEB")
  or hub.cache_dir() / "onnxruntime-web-1.30.0.tgz"
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# What a reader would do, and then what the page said, sent to the server.
_READER = """
<script type="module">
const texts = await (await fetch("texts.json")).json();
while (!window.classify) await new Promise((go) => setTimeout(go, 50));
const found = [];
for (const text of texts) found.push((await classify(text)).probabilities);
const box = document.getElementById("text");
box.value = texts[0];
box.dispatchEvent(new Event("input"));
while (!document.querySelector(".best")) {
  await new Promise((go) => setTimeout(go, 50));
}
const shown = document.querySelector(".best .percent").textContent;
const status = document.getElementById("status").textContent;
const body = JSON.stringify({found, shown, status});
await fetch("/", {method: "POST", body});
</script>
"""
_ALPHABETS = [
  "abcdefghij klmnopqrstuvwxyz",
  "àéîõü ßçñøå",
  "αβγδεζ ΣΟΔς",
  "привет мир",
  "שלום עולם",
  "مرحبا بالعالم",
  "नमस्ते दुनिया",
  "สวัสดีชาวโลก",
  "你好世界 ",
  "こんにちは ガギグ",
  "안녕하세요 ",
  "👋🏽🌍👩‍💻 ",
  "0123456789 .,!?-'",
]


class _Server(http.server.SimpleHTTPRequestHandler):
  answers: queue.Queue = queue.Queue()

  def do_POST(self):
    size = int(self.headers["Content-Length"])
    self.answers.put(json.loads(self.rfile.read(size)))
    self.send_response(204)
    self.end_headers()

  def log_message(self, *rest):
    del rest


def _texts():
  rng = random.Random(0)
  fixed = ["where is the order i placed?", "", "###", "x" * 500]
  return fixed + [
    "".join(rng.choices(rng.choice(_ALPHABETS), k=rng.randrange(1, 60)))
    for _ in range(196)
  ]


def _export(folder, tiny_bert, draw):
  teacher = tokenizers.load(tiny_bert)
  small, _ = vocabulary.prune(teacher, _texts(), vocab_size=500)
  module, params = draw(students.ResCnn(small.get_vocab_size(), 3))
  spec = families.spec_of(module)
  artefacts.write_json(
    folder / "config.json",
    {
      "format": 1,
      "task": "toy",
      "arm": "gd",
      "seed": 0,
      "model": spec,
      "max_tokens": 32,
      "unk_id": 1,
    },
  )
  artefacts.write_json(folder / "labels.json", ["a", "b", "c"])
  tokenizers.save(folder, small)
  model = onnx_students.build(spec, params)
  artefacts.write_atomic(folder / predict.ONNX, model)
  sums = [
    f"{artefacts.sha256_file(path)}  {path.name}" for path in folder.iterdir()
  ]
  artefacts.write_atomic(folder / predict.SUMS, "\n".join(sums))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.skipif(not PACKAGE.exists(), reason=f"needs {PACKAGE.name}")
def test_the_page_says_what_python_says(tmp_path, tiny_bert, draw_student):
  # Dies if: the page's tokens or model are others, or it needs a network.
  folder = epath.Path(tmp_path / "export")
  folder.mkdir()
  _export(folder, tiny_bert, draw_student)
  demo.build(folder, package=str(PACKAGE))
  page = (folder / "demo/index.html").read_text()
  (folder / "demo/reader.html").write_text(page + _READER)
  (folder / "demo/texts.json").write_text(json.dumps(_texts()))
  handler = functools.partial(_Server, directory=str(folder / "demo"))
  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  url = f"http://127.0.0.1:{server.server_port}/reader.html"
  profile = f"--user-data-dir={tmp_path / 'profile'}"
  command = [CHROMIUM, *_FLAGS, profile, "--remote-debugging-port=0", url]
  browser = subprocess.Popen(
    command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  try:
    said = _Server.answers.get(timeout=120)
  finally:
    browser.terminate()
    browser.wait(30)
    server.shutdown()
    server.server_close()
  wanted = predict.load(folder).predict_proba(_texts())
  np.testing.assert_allclose(said["found"], wanted, atol=1e-4)
  assert wanted.std(axis=0).max() > 0.01, "all texts got one answer"
  assert said["shown"] == f"{100 * wanted[0].max():.1f}%"
  assert said["status"].endswith(" ms")
