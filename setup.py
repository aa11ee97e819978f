# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Packaging of gd_jax; the tools' settings stand in pyproject.toml."""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent
(_VERSION,) = re.findall(
  r'__version__ = "(.+)"', (_HERE / "gd_jax" / "__init__.py").read_text()
)

_EXPORT = ["onnx>=1.18", "onnxruntime>=1.20"]

_TEST = [
  *_EXPORT,
  "basedpyright>=1.31",
  "beartype>=0.21",
  "hypothesis>=6.130",
  "pytest>=8.4",
  "pytest-timeout>=2.4",
  "pytest-xdist>=3.6",
  "ruff>=0.12",
]

setuptools.setup(
  name="gd_jax",
  version=_VERSION,
  description=(
    "Generation-distillation in JAX: from about a hundred labelled sentences "
    "per class to a tiny, fast, accurate text classifier."
  ),
  long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  packages=setuptools.find_packages(include=["gd_jax", "gd_jax.*"]),
  package_data={
    "gd_jax": ["py.typed"],
    "gd_jax.data": ["quickstart/*"],
    "gd_jax.export": ["web/*"],
    "gd_jax.reporting": ["*.html", "*.css"],
  },
  python_requires=">=3.11",
  install_requires=[
    "absl-py>=2.1",
    "array_record>=0.8",
    "datasketch>=1.6",
    "etils[epath]>=1.12",
    "flax>=0.12.8,<0.13",
    # tensorflow-datasets imports it without declaring it.
    "importlib_resources",
    "jax>=0.10.0,<0.13",
    "jaxtyping>=0.3",
    "jinja2>=3.1",
    "matplotlib>=3.9",
    "ml-collections>=1.1",
    "numpy>=2.0",
    "optax>=0.2.8,<0.3",
    "orbax-checkpoint>=0.12.8,<0.13",
    "rich>=13.9",
    "safetensors>=0.5",
    "scikit-learn>=1.6",
    "tensorboardX>=2.6.2",
    "tensorflow-datasets>=4.9.10",
    "tokenizers>=0.22",
    "transformers>=5.17,<6",
  ],
  extras_require={
    "cuda12": ["jax[cuda12]"],
    "cuda13": ["jax[cuda13]"],
    "tpu": ["jax[tpu]"],
    # A workdir in a bucket: epath opens gs:// by gcsfs.
    "gcs": ["etils[epath-gcs]>=1.12"],
    # The catalogue's own builders (`tfds:glue/sst2`) need TensorFlow.
    "catalog": ["tensorflow-cpu>=2.20"],
    # ONNX files and the runtime that reads them without JAX.
    "export": _EXPORT,
    "parity": ["torch>=2.6"],
    # What experiments/generation_throughput compares with.
    "peers": ["ctranslate2>=4.6", "torch>=2.6"],
    "test": _TEST,
  },
  entry_points={
    "console_scripts": [
      "gd-jax = gd_jax.main:cli",
      "gd-jax-predict = gd_jax.predict_files:cli",
    ]
  },
  classifiers=[
    "License :: OSI Approved :: Apache Software License",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
  ],
)
