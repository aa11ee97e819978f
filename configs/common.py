# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all task configs share: one section per phase, every field explained.

A config file calls `get_config(task)` here, changes what its task needs, and
shrinks everything with `quick(config)` when asked for `FILE.py:quick`.
"""

from ml_collections import config_dict


def get_config(task: str) -> config_dict.ConfigDict:
  """The defaults for `task`, unlocked; sections are named after the phases."""
  config = config_dict.ConfigDict()
  config.task = task
  # Everything random but the draw of rows: see data.seed.
  config.seed = 0
  config.mesh = _mesh()
  config.data = _data()
  config.teacher = _teacher()
  config.generator = _generator()
  config.corpus = _corpus()
  config.soft_labels = _soft_labels()
  config.students = _students()
  config.report = _report()
  config.export = _export()
  return config


def _mesh() -> config_dict.ConfigDict:
  """Where things lie. No artefact depends on it but for rounding."""
  c = config_dict.ConfigDict()
  # Devices, of all hosts, over which the rows of a batch are spread; -1: all
  # that fsdp leaves.
  c.data = -1
  # Devices over which the parameters of teacher and generator and their
  # optimizer's state are spread as well, for what does not fit one device.
  c.fsdp = 1
  return c


def _data() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # DIR/TASK/train.tsv, test.tsv and perhaps validation.tsv; None: download.
  c.dir = config_dict.placeholder(str)
  # The task "custom" reads FOLDER/train.tsv, test.tsv itself.
  c.folder = config_dict.placeholder(str)
  # A longer line in a file is an error, most likely of its line ends.
  c.max_line_bytes = 100_000
  # Where prepared data sets are kept; None: tfds in $GD_JAX_CACHE, else in
  # ~/.cache/gd_jax.
  c.cache_dir = config_dict.placeholder(str)
  # Whether the public archive may be fetched where data.dir is None.
  c.allow_download = False
  # Labelled rows drawn per class; None: all rows.
  c.labels_per_class = config_dict.placeholder(int)
  c.labels_per_class = 100
  # Which rows are drawn.
  c.seed = 0
  # "test" for final tables, "validation" for choices (test is not opened).
  c.evaluate_on = "test"
  # Share of the drawn rows that only selects: stopping, restarts, rates.
  c.heldout_fraction = 0.2
  # Word pieces a text is cut at for the teacher.
  c.max_tokens = 64
  return c


def _teacher() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # "minilm", a Hugging Face folder, or a hub id (needs allow_download).
  c.init = "minilm"
  c.allow_download = False
  # "mean" over tokens or "cls".
  c.pooling = "mean"
  c.learning_rate = 1e-4
  # Each layer below the top learns this much slower than the one above it.
  c.layerwise_decay = 0.9
  c.weight_decay = 0.01
  c.dropout = 0.1
  c.batch_size = 16
  c.total_epochs = 10
  # Few rows still get this many steps.
  c.min_steps = 200
  c.warmup_fraction = 0.1
  c.evals = 10
  # Trainings from other seeds; the best on held-out rows is kept.
  c.restarts = 2
  # So many of the best restarts label the texts together, by their mean logits;
  # None: the best alone.
  c.keep = config_dict.placeholder(int)
  _add_memory_fields(c)
  return c


def _add_memory_fields(c: config_dict.ConfigDict) -> None:
  """What makes large models fit, the same for teacher and generator."""
  # A batch is gone through in so many parts, one in memory; None: at once.
  c.accumulate_steps = config_dict.placeholder(int)
  # "bfloat16": of activations; parameters are float32. None: "float32".
  c.dtype = config_dict.placeholder(str)
  # Compute activations anew for the gradients instead of keeping them.
  c.remat = False


def _generator() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # "warm_start" (an encoder turned decoder), "pretrained" (a GPT-2 folder),
  # "scratch" (byte-level BPE and a small GPT-2 on the user's text alone).
  c.kind = "warm_start"
  c.init = "minilm"
  c.allow_download = False
  c.learning_rate = 2e-4
  c.weight_decay = 0.01
  c.dropout = 0.1
  c.batch_size = 32
  c.max_steps = 400
  c.warmup_fraction = 0.1
  c.eval_every_steps = 25
  # Evaluations without a better held-out perplexity before it stops.
  c.patience = 3
  # Longer training texts are cut here.
  c.max_tokens = 64
  # "prefix": it is told each text's class, and draws for each class in turn;
  # None: it is not.
  c.condition = config_dict.placeholder(str)
  # Files of general text, plain or .xz, one text a line, that it reads before
  # the task's; () for none. Each file is a domain of its own in what is told.
  c.pretrain_on = ()
  # Where such models are kept, for every run of the same files and settings;
  # None: general_generators in $GD_JAX_CACHE, else in ~/.cache/gd_jax.
  c.pretrain_dir = config_dict.placeholder(str)
  c.pretrain = _pretrain()
  # The shape of a generator from scratch.
  c.scratch = config_dict.create(
    vocab_size=4000, width=256, num_layers=4, num_heads=4
  )
  _add_memory_fields(c)
  return c


def _pretrain() -> config_dict.ConfigDict:
  """The reading of general text; read where `pretrain_on` names files."""
  c = config_dict.ConfigDict()
  # Of weights and order; not config.seed, for all draws share the model.
  c.seed = 0
  c.max_steps = 2000
  c.batch_size = 32
  # Texts are laid end to end and cut into rows of so many tokens.
  c.row_tokens = 128
  c.learning_rate = 5e-4
  c.weight_decay = 0.01
  c.warmup_fraction = 0.05
  c.eval_every_steps = 100
  # Evaluations without a better held-out perplexity before it stops.
  c.patience = 5
  return c


def _corpus() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # Texts drawn, rows 0..N-1; raising it later extends the corpus.
  c.num_texts = 12_000
  # Rows sampled at a time on each device.
  c.slots = 128
  # Decoding steps between two looks of the host at finished rows.
  c.steps_per_call = 256
  # Rows in one file of the corpus.
  c.shard_rows = 2048
  # "pure", "top_k", "top_p" or "min_p".
  c.sampler = "top_p"
  # 0 is greedy.
  c.temperature = 1.0
  c.top_k = 40
  c.top_p = 0.95
  c.min_p = 0.05
  c.min_tokens = 3
  c.max_tokens = 64
  # "bos", or "training": the first token by its frequency in the texts.
  c.first_token = "training"
  # Jaccard similarity from which the later of two texts is dropped.
  c.near_duplicate = 0.8
  return c


def _soft_labels() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  c.batch_size = 128
  # Texts made by word rules, for the arm rules_kd: so many for each generated
  # one; None: none are made.
  c.rules = config_dict.placeholder(float)
  return c


def _students() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  c.arms = ("gold", "kd", "gd_hard", "gd", "tfidf")
  c.num_seeds = 5
  # Use generated rows with ids below this alone; None: all of them.
  c.num_texts = config_dict.placeholder(int)
  # "res_cnn" or "kim_cnn" (which has no num_blocks). Earlier works, whose sizes
  # and words are their own: "blend_cnn", "bilstm".
  c.model = "res_cnn"
  c.num_filters = 128
  c.num_blocks = 3
  c.dropout = 0.3
  # Most word pieces; about 2,000 of them are single characters.
  c.vocab_size = 8000
  c.embed_width = 96
  # Where the table starts: "teacher" (its own, projected) or "random".
  c.embeddings = "teacher"
  # Longer texts are cut at so many word pieces.
  c.max_tokens = 64
  c.total_steps = 800
  c.batch_size = 32
  # Each is tried for each student; the best on held-out rows is kept.
  c.learning_rates = (3e-3,)
  c.warmup_fraction = 0.05
  c.weight_decay = 0.01
  c.eval_every_steps = 100
  # Evaluations without a better one after which a student stops; None: never.
  c.patience = config_dict.placeholder(int)
  # Distance from the teacher: "kl" at a temperature, or "mse" of the logits.
  c.loss = "kl"
  c.temperature = 2.0
  # Share of the hard label in the loss of labelled rows (gold: 1).
  c.hard_weight = 0.5
  # Least share of labelled rows in a batch, and what one counts in the loss.
  c.labelled_fraction = 0.25
  c.labelled_weight = 1.0
  # Pairs of rows are mixed by shares of Beta(mix, mix); None: they are not.
  c.mix = config_dict.placeholder(float)
  # Of generated texts, only those the teacher is so sure of; None: all.
  c.min_confidence = config_dict.placeholder(float)
  # At most so many times an equal share of them in one class of the teacher's;
  # None: as they come.
  c.balance = config_dict.placeholder(float)
  # "vmap" (all in one program), "sequential" (one in each CPU core), "auto".
  c.mode = "auto"
  return c


def _report() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # Generated texts shown with the teacher's labels.
  c.examples = 12
  return c


def _export() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # Which student leaves; None: gd, or what comes nearest to it.
  c.arm = config_dict.placeholder(str)
  # None: the arm's seed that did best on held-out rows.
  c.seed = config_dict.placeholder(int)
  # Besides safetensors: "onnx" and "int8" (both need the extra `export`),
  # "stablehlo", "demo" (a page; 33 MB are fetched from npm, once).
  c.formats = ("onnx", "int8", "stablehlo")
  # The file onnxruntime-web-1.30.0.tgz for the demo; None: download it.
  c.onnxruntime_web = config_dict.placeholder(str)
  return c


def quick(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """Shrinks every phase: a smoke test of the whole pipeline in a minute."""
  config.data.labels_per_class = 10
  config.teacher.update(total_epochs=1, min_steps=2, restarts=1, evals=1)
  config.generator.update(max_steps=3, eval_every_steps=3)
  config.generator.pretrain.update(max_steps=2, eval_every_steps=2)
  config.corpus.update(num_texts=32, slots=16, max_tokens=16, shard_rows=16)
  config.students.update(num_seeds=2, total_steps=4, eval_every_steps=2)
  return config


def finish(
  config: config_dict.ConfigDict, arg: str = ""
) -> config_dict.ConfigDict:
  """Applies a config file's argument, "" or "quick", and locks the config.

  Raises:
    ValueError: another argument.
  """
  if arg not in ("", "quick"):
    raise ValueError(
      f"the config's argument is 'quick' or nothing, not {arg!r}"
    )
  return (quick(config) if arg else config).lock()
