// Copyright 2026 The gd_jax Authors.
// SPDX-License-Identifier: Apache-2.0
// The page: a text box, and the student's opinion of what stands in it.

import * as ort from "./ort.wasm.min.mjs";
import { Tokenizer } from "./tokenizer.js";

const element = (id) => document.getElementById(id);

async function load() {
  ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
  // More threads need headers that a plain file server does not send.
  ort.env.wasm.numThreads = 1;
  const [words, session] = await Promise.all([
    fetch("words.json").then((answer) => answer.json()),
    ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] }),
  ]);
  return { words, session, tokenizer: new Tokenizer(words) };
}

/** Each class's probability, the ids read, and the milliseconds it took. */
async function classify({ session, tokenizer }, text) {
  const start = performance.now();
  const ids = tokenizer.encode(text);
  const tokens = new ort.Tensor("int32", Int32Array.from(ids), [1, ids.length]);
  const { probabilities } = await session.run({ tokens });
  const milliseconds = performance.now() - start;
  return { probabilities: [...probabilities.data], ids, milliseconds };
}

function makeBars(labels) {
  return labels.map((label) => {
    const item = document.createElement("li");
    for (const name of ["name", "percent", "track"]) {
      item.append(Object.assign(document.createElement("span"), {
        className: name,
      }));
    }
    item.firstChild.textContent = label;
    item.firstChild.dir = "auto";
    const bar = document.createElement("div");
    bar.className = "bar";
    item.lastChild.append(bar);
    element("classes").append(item);
    return item;
  });
}

function show(bars, { probabilities, ids, milliseconds }, empty) {
  const best = Math.max(...probabilities);
  bars.forEach((bar, place) => {
    const share = empty ? 0 : probabilities[place];
    bar.classList.toggle("best", !empty && share === best);
    bar.querySelector(".percent").textContent =
      empty ? "" : `${(100 * share).toFixed(1)}%`;
    bar.querySelector(".bar").style.width = `${100 * share}%`;
  });
  const pieces = ids.length === 1 ? "1 word piece" : `${ids.length} word pieces`;
  element("status").textContent =
    empty ? "" : `${pieces}, ${milliseconds.toFixed(1)} ms`;
}

async function start() {
  const model = await load();
  const { words } = model;
  element("task").textContent = words.task;
  element("about").textContent = words.about;
  const bars = makeBars(words.labels);
  const box = element("text");
  let busy = false;
  let stale = true;
  const update = async () => {
    stale = true;
    if (busy) return;
    busy = true;
    while (stale) {
      stale = false;
      const text = box.value;
      show(bars, await classify(model, text), !text.trim());
    }
    busy = false;
  };
  box.addEventListener("input", update);
  // The first run is slow: not the one somebody waits for.
  await classify(model, "a");
  await update();
  // For tests and for other pages' scripts.
  window.classify = (text) => classify(model, text);
}

start().catch((error) => {
  element("about").textContent = `The model can't be loaded: ${error.message}`;
});
