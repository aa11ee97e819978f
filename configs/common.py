# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all task configs share: one section per phase, every field explained.

A config file calls `get_config(task)` here, changes what its task needs, and
shrinks everything with `quick(config)` when asked for `FILE.py:quick`. Above
each field stand its unit, what it is, and (from "Change" on) when to set it;
`docs/make_configs.py` makes docs/configs.md of that.
"""

from ml_collections import config_dict


def get_config(task: str) -> config_dict.ConfigDict:
  """The defaults for `task`, unlocked; sections are named after the phases."""
  config = config_dict.ConfigDict()
  # [name] The data set. Change by taking another config file.
  config.task = task
  # [number] Everything random but the draw of rows, which is data.seed.
  # Change for another teacher, corpus and students from the same rows.
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
  # [devices] Over which a batch is spread; -1: all left. Change seldom.
  c.data = -1
  # [devices] Over which parameters and optimizer of teacher and generator are
  # spread as well. Change for models that do not fit one device.
  c.fsdp = 1
  return c


def _data() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [folder] DIR/TASK/train.tsv, test.tsv and perhaps validation.tsv; None:
  # download. Change to read files of your own.
  c.dir = config_dict.placeholder(str)
  # [folder] Of the task "custom". Change by --config=configs/custom.py:FOLDER.
  c.folder = config_dict.placeholder(str)
  # [bytes] A longer line is an error when its file is first read. Change for
  # texts so long in truth.
  c.max_line_bytes = 100_000
  # [folder] Where prepared data sets are kept; None: tfds in $GD_JAX_CACHE,
  # else in ~/.cache/gd_jax. Change where the home is small or not writable.
  c.cache_dir = config_dict.placeholder(str)
  # [yes or no] Whether the public archive may be fetched. Change to let it.
  c.allow_download = False
  # [rows] Labelled rows drawn per class; None: all rows. Change to None to use
  # all that you have.
  c.labels_per_class = config_dict.placeholder(int)
  c.labels_per_class = 100
  # [number] Which rows are drawn. Change with seed for another draw.
  c.seed = 0
  # [name] "test" for final tables, "validation" for choices (test is not
  # opened). Change to "validation" while you try settings.
  c.evaluate_on = "test"
  # [name] "train": the training rows that are not drawn are read without their
  # labels; None: they are not. Change for the arm real_kd.
  c.unlabelled = config_dict.placeholder(str)
  # [share] Of the drawn rows, those that only select. Change for many rows.
  c.heldout_fraction = 0.2
  # [word pieces] Where a text is cut for the teacher. Change for longer texts.
  c.max_tokens = 64
  return c


def _teacher() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [name or folder] "minilm", a folder, or a hub id. Change for a larger BERT:
  # its errors bound the student's.
  c.init = "minilm"
  # [yes or no] Whether the hub may be asked. Change to let it.
  c.allow_download = False
  # [name] "mean" over tokens or "cls". Change to "cls" for BERTs as published.
  c.pooling = "mean"
  # [a step, AdamW] The largest rate. Change to about 2e-5 for large BERTs.
  c.learning_rate = 1e-4
  # [factor] Of a layer's rate, for the one below. Change to 1 for equal rates.
  c.layerwise_decay = 0.9
  # [factor] AdamW's. Change seldom.
  c.weight_decay = 0.01
  # [share] Of activations dropped in training. Change seldom.
  c.dropout = 0.1
  # [rows] In a step. Change with memory: see also accumulate_steps.
  c.batch_size = 16
  # [epochs] Over the training rows. Change to fewer where there are many rows.
  c.total_epochs = 10
  # [steps] Few rows still get this many. Change to fewer for a first look.
  c.min_steps = 200
  # [share] Of the steps, in which the rate rises. Change seldom.
  c.warmup_fraction = 0.1
  # [number] Looks at held-out rows; the best is kept. Change seldom.
  c.evals = 10
  # [number] Trainings; the best on held-out rows is kept. Change to 1 to halve
  # the time.
  c.restarts = 2
  # [number] Of best restarts that label together, by mean logits; None: the
  # best alone. Change for steadier labels.
  c.keep = config_dict.placeholder(int)
  _add_memory_fields(c)
  return c


def _add_memory_fields(c: config_dict.ConfigDict) -> None:
  """What makes large models fit, the same for teacher and generator."""
  # [parts] A batch is gone through in so many, one in memory; None: at once.
  # Change where a step does not fit.
  c.accumulate_steps = config_dict.placeholder(int)
  # [name] "bfloat16": of activations; parameters are float32. None: "float32".
  # Change to "bfloat16" on GPUs and TPUs; on a CPU it is slower.
  c.dtype = config_dict.placeholder(str)
  # [name] "bfloat16": of what dense layers multiply, for gradients as well;
  # sums and all between are of dtype. None: of dtype too. Change on CPUs with
  # AMX.
  c.matmul_dtype = config_dict.placeholder(str)
  # [yes or no] Compute activations anew. Change where a step does not fit.
  c.remat = False


def _generator() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [name] "warm_start" (an encoder turned decoder), "pretrained" (a GPT-2
  # folder), "scratch" (byte-level BPE and a small GPT-2 on the user's text
  # alone). Change to "pretrained" where a GPT-2 is at hand.
  c.kind = "warm_start"
  # [name or folder] As teacher.init; a GPT-2 for "pretrained". Change with
  # kind.
  c.init = "minilm"
  # [yes or no] Whether the hub may be asked. Change to let it.
  c.allow_download = False
  # [a step, AdamW] The largest rate. Change to about 5e-5 for a GPT-2.
  c.learning_rate = 2e-4
  # [factor] AdamW's. Change seldom.
  c.weight_decay = 0.01
  # [share] Of activations dropped in training. Change seldom.
  c.dropout = 0.1
  # [rows] In a step. Change with memory and length of texts.
  c.batch_size = 32
  # [steps] At most; held-out texts stop it earlier. Change for more rows.
  c.max_steps = 400
  # [share] Of max_steps, in which the rate rises. Change seldom.
  c.warmup_fraction = 0.1
  # [steps] Between two evaluations. Change with max_steps.
  c.eval_every_steps = 25
  # [evaluations] Without a better one before it stops. Change seldom.
  c.patience = 3
  # [tokens] Longer training texts are cut here. Change with data.max_tokens.
  c.max_tokens = 64
  # [name] "prefix": it is told each text's class, and draws for each class in
  # turn; "per_class": each class has a generator of its own; None: it is told
  # nothing. Change where rare classes come up too seldom.
  c.condition = config_dict.placeholder(str)
  # [files] Of general text, plain or .xz, one text a line, read before the
  # task's; () for none. Change where the generator knows too little.
  c.pretrain_on = ()
  # [folder] Where such models are kept for other runs; None: general_generators
  # in $GD_JAX_CACHE, else in ~/.cache/gd_jax. Change where the home is small.
  c.pretrain_dir = config_dict.placeholder(str)
  c.pretrain = _pretrain()
  c.scratch = config_dict.ConfigDict()
  # [tokens] At most, for "scratch". Change with the amount of text.
  c.scratch.vocab_size = 4000
  # [numbers] Of a token's vector, for "scratch". Change with vocab_size.
  c.scratch.width = 256
  # [layers] For "scratch". Change with the amount of text.
  c.scratch.num_layers = 4
  # [heads] Of attention, for "scratch"; they divide the width. Change with it.
  c.scratch.num_heads = 4
  _add_memory_fields(c)
  return c


def _pretrain() -> config_dict.ConfigDict:
  """The reading of general text; read where `pretrain_on` names files."""
  c = config_dict.ConfigDict()
  # [number] Of weights and order; not seed, for all draws share the model.
  # Change seldom.
  c.seed = 0
  # [steps] At most. Change with the amount of text.
  c.max_steps = 2000
  # [rows] In a step. Change with memory.
  c.batch_size = 32
  # [tokens] Of a row: texts are laid end to end and cut. Change seldom.
  c.row_tokens = 128
  # [a step, AdamW] The largest rate. Change with kind.
  c.learning_rate = 5e-4
  # [factor] AdamW's. Change seldom.
  c.weight_decay = 0.01
  # [share] Of the steps, in which the rate rises. Change seldom.
  c.warmup_fraction = 0.05
  # [steps] Between two evaluations. Change with max_steps.
  c.eval_every_steps = 100
  # [evaluations] Without a better one before it stops. Change seldom.
  c.patience = 5
  return c


def _corpus() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [texts] Drawn; raising it extends the corpus. Change to more while gd gains.
  c.num_texts = 12_000
  # [rows] Sampled at a time on each device. Change with a device's memory.
  c.slots = 128
  # [name] Of keys and values in memory, "by_head", "merged" or "blocked"; None:
  # as suits the device. "blocked" is read on a GPU as far as each row has come,
  # by a kernel that was never timed. Change there to try it.
  c.cache_layout = config_dict.placeholder(str)
  # [name] "bfloat16": of what a CPU's layers multiply; sums, the cache and all
  # between stay float32. None: float32. GPUs and TPUs have all in bfloat16.
  # Change on CPUs with AMX for models as large as MiniLM or GPT-2.
  c.matmul_dtype = config_dict.placeholder(str)
  # [steps] Of decoding, between two looks at finished rows. Change seldom.
  c.steps_per_call = 256
  # [rows] In one file. Change to fewer to lose less to a kill.
  c.shard_rows = 2048
  # [name] "pure", "top_k", "top_p" or "min_p". Change for other variety.
  c.sampler = "top_p"
  # [factor] Divides logits; 0 is greedy. Change below 1 for tamer texts.
  c.temperature = 1.0
  # [tokens] The likeliest that "top_k" keeps. Change with that sampler.
  c.top_k = 40
  # [probability] The sum of what "top_p" keeps. Change with that sampler.
  c.top_p = 0.95
  # [share] Of the likeliest one's probability, for "min_p". Change with it.
  c.min_p = 0.05
  # [tokens] No text ends before. Change to the length of your shortest texts.
  c.min_tokens = 3
  # [tokens] Texts are cut there. Change with generator.max_tokens.
  c.max_tokens = 64
  # [name] "training": as often as in the texts, or "bos". Change seldom.
  c.first_token = "training"
  # [similarity] Jaccard's, from which the later text is dropped. Change seldom.
  c.near_duplicate = 0.8
  return c


def _soft_labels() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [rows] The teacher reads at once. Change with memory.
  c.batch_size = 128
  # [texts] By word rules, for each generated one; None: none. Change to 1 for
  # the arm rules_kd.
  c.rules = config_dict.placeholder(float)
  # [texts] Of data.unlabelled; None: as many as are generated. Change to read
  # more of them.
  c.real_texts = config_dict.placeholder(int)
  # [name] "bfloat16": of what the teacher's dense layers multiply as it reads;
  # sums and all between are of teacher.dtype. None: of it too. Change on CPUs
  # with AMX.
  c.matmul_dtype = config_dict.placeholder(str)
  return c


def _students() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [names] What is compared. Change to ("gd",) for the classifier alone.
  c.arms = ("gold", "kd", "gd_hard", "gd", "tfidf")
  # [students] Of each arm; tables show their spread. Change to 1 for speed.
  c.num_seeds = 5
  # [texts] With ids below this alone; None: all. Change to compare amounts.
  c.num_texts = config_dict.placeholder(int)
  # [share] Of num_texts, chosen by how far 3 first students, whatever num_seeds
  # is, are from the teacher; None: as they come. Change for a second round.
  c.second_round = config_dict.placeholder(float)
  # [name] "res_cnn", "kim_cnn" (no num_blocks), or of earlier works, with sizes
  # and words of their own, "blend_cnn", "bilstm". Change to compare.
  c.model = "res_cnn"
  # [filters] Of each convolution. Change with the size you can afford.
  c.num_filters = 128
  # [blocks] Of two convolutions each. Change with the size you can afford.
  c.num_blocks = 3
  # [share] Of activations dropped in training. Change seldom.
  c.dropout = 0.3
  # [word pieces] With a vector, at most; about 2,000 are single characters.
  # Change for tasks that rare words decide.
  c.vocab_size = 8000
  # [name] "nearest": word pieces without a vector are read as the nearest ones
  # that have one, by the teacher's table. None: they are cut into smaller ones.
  # Change to None for a tokenizer.json of a quarter of the size.
  c.left_out = config_dict.placeholder(str)
  c.left_out = "nearest"
  # [numbers] Of a word's vector. Change with the size you can afford.
  c.embed_width = 96
  # [name] "teacher": its table, projected. Change to "random" to compare.
  c.embeddings = "teacher"
  # [word pieces] Where a text is cut. Change with data.max_tokens.
  c.max_tokens = 64
  # [steps] The same for all arms. Change for more texts.
  c.total_steps = 1600
  # [rows] In a step. Change with total_steps.
  c.batch_size = 32
  # [a step, AdamW] The best one is kept. Change to several to search.
  c.learning_rates = (3e-3,)
  # [share] Of the steps, in which the rate rises. Change seldom.
  c.warmup_fraction = 0.05
  # [factor] AdamW's. Change seldom.
  c.weight_decay = 0.01
  # [steps] Between two evaluations. Change with total_steps.
  c.eval_every_steps = 100
  # [evaluations] Without a better one; None: no stop. Change to save time.
  c.patience = config_dict.placeholder(int)
  # [share] Of the steps, before which none is the best, lest few held-out rows
  # choose an early one by luck; None: from the first. Change to None where
  # hundreds of rows are held out.
  c.select_from = config_dict.placeholder(float)
  c.select_from = 0.5
  # [name] "kl" at a temperature, or "mse" of logits. Change to compare.
  c.loss = "kl"
  # [factor] Softens both distributions of "kl". Change between 1 and 4.
  c.temperature = 2.0
  # [share] Of labels in the loss of labelled rows (gold: 1). Change seldom.
  c.hard_weight = 0.5
  # [share] Of labelled rows in a batch, at least, rounded to rows. Change where
  # labels say it better.
  c.labelled_fraction = 0.25
  # [factor] What a labelled row counts in the loss. Change seldom.
  c.labelled_weight = 1.0
  # [parameter] Pairs are mixed by Beta(mix, mix); None: no. Change to try it.
  c.mix = config_dict.placeholder(float)
  # [probability] Least, of generated texts; None: 0. Change against nonsense.
  c.min_confidence = config_dict.placeholder(float)
  # [times] At most so many times an equal share of them in one class of the
  # teacher's; None: as they come. Change where one class swamps the others.
  c.balance = config_dict.placeholder(float)
  # [name] "vmap" (all in one program), "sequential", "auto". Change seldom.
  c.mode = "auto"
  return c


def _report() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [texts] Generated ones on the page. Change to 0 where it may show none.
  c.examples = 12
  return c


def _export() -> config_dict.ConfigDict:
  c = config_dict.ConfigDict()
  # [name] None: gd, or what comes nearest to it. Change to take another arm.
  c.arm = config_dict.placeholder(str)
  # [number] None: the best seed on held-out rows. Change to take another.
  c.seed = config_dict.placeholder(int)
  # [names] Besides safetensors: "onnx" and "int8" (both need the extra
  # `export`), "stablehlo", "demo" (a page; 33 MB are fetched from npm, once).
  # Change to what you need.
  c.formats = ("onnx", "int8", "stablehlo")
  # [file] For the demo; None: download it. Change where there is no network.
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
