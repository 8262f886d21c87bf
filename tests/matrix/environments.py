"""The environments of the matrix: light ones, without torch, each with its versions, threads and instructions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIGHT = ("brotli", "click", "pillow", "threadpoolctl")
"""What the light half of the program needs beside NumPy and constriction, and what asks BLAS how it works."""

VERSIONS = (("numpy==1.26.*", "constriction==0.4.2"), ("numpy>=2,<3", "constriction>=0.5,<0.6"),
            ("numpy==1.26.*", "constriction>=0.5,<0.6"), ("numpy>=2,<3", "constriction==0.4.2"))  # fmt: skip
"""Pairs that are tried with every interpreter; where one has no wheel for a pair, the table says so."""

_V4 = ("AVX512", "X86_V4")
_V3 = (*_V4, "AVX2", "FMA3", "X86_V3")


@dataclass(frozen=True)
class Variant:
    """A way to run the same environment.

    Attributes:
        name: what the table calls it.
        threads: of BLAS.
        without: beginnings of the names of NumPy's CPU features that are switched off.
        core: the CPU that OpenBLAS is told to believe in; its own choice if empty.
    """

    name: str
    threads: int = 1
    without: tuple[str, ...] = ()
    core: str = ""


VARIANTS = (
    Variant("1 thread"),
    Variant("2 threads", threads=2),
    Variant("no AVX-512", without=_V4, core="Haswell"),
    Variant("no AVX2", without=_V3, core="Nehalem"),
)


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: where it lies.
        name: what the table calls it.
    """

    folder: Path
    name: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def probe(self, variant: Variant, out: Path, files: Sequence[Path]) -> None:
        """Have the files decoded; the folder ``out`` gets what came out.

        Raises:
            RuntimeError: the decoder failed; the message is its last line.
        """
        out.mkdir(parents=True, exist_ok=True)
        threads = str(variant.threads)
        settings = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if features := self._features(variant.without):
            settings["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
        if variant.core and features:
            settings["OPENBLAS_CORETYPE"] = variant.core
        words = [str(self.python), str(Path(__file__).with_name("probe.py")), str(out), *map(str, files)]
        _run(words, {**_clean(), **settings}, out)

    def _features(self, without: tuple[str, ...]) -> list[str]:
        """Those of NumPy's features here that begin so; NumPy refuses names that its loops were not built for."""
        code = (
            "import importlib, json, numpy as np\n"
            "core = 'numpy._core' if hasattr(np, '_core') else 'numpy.core'\n"
            "m = importlib.import_module(core + '._multiarray_umath')\n"
            "print(json.dumps([n for n in m.__cpu_dispatch__ if m.__cpu_features__.get(n)]))"
        )
        names: list[str] = json.loads(_run([str(self.python), "-c", code], _clean(), self.folder))
        return [name for name in names if name.startswith(without)] if without else []


def wheel(folder: Path) -> Path:
    """The checkout as a wheel.

    Raises:
        RuntimeError: it cannot be built.
    """
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check"]
    _run([*words, "-w", str(folder), str(ROOT)], dict(os.environ), folder)
    (built,) = folder.glob("inrcodec-*.whl")
    return built


def make(folder: Path, python: str, versions: Sequence[str], package: Path) -> Environment:
    """A virtual environment with the checkout and what the decoder needs, no more.

    Args:
        folder: where to put it.
        python: the interpreter.
        versions: of NumPy and constriction, as pip reads them.
        package: the checkout as a wheel.

    Raises:
        RuntimeError: these versions cannot be installed here; the message is pip's last line.
    """
    made = Environment(folder, folder.name)
    _run([python, "-m", "venv", str(folder)], _clean(), folder.parent)
    pip = [str(made.python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
    _run([*pip, *versions, *LIGHT], _clean(), folder)
    _run([*pip, "--no-deps", str(package)], _clean(), folder)
    return made


def interpreters(asked: Sequence[str]) -> Iterator[str]:
    """Those that were asked for, else this one and all of Python 3.10 to 3.13 that are on the path and run."""
    if asked:
        yield from asked
        return
    seen = {sys.version_info[:2]}
    yield sys.executable
    for minor in range(10, 14):
        if (3, minor) in seen:
            continue
        try:
            _run([f"python3.{minor}", "-c", "import venv"], _clean(), Path.cwd())
        except (OSError, RuntimeError):
            continue
        yield f"python3.{minor}"


def _clean() -> dict[str, str]:
    """The environment variables, but for those that would lead to this checkout or to other packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _run(words: Sequence[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise RuntimeError(lines[-1] if lines else f"code {done.returncode}")
    return done.stdout
