"""Coverage-guided fuzzing of the decoder with atheris (libFuzzer): python -m fuzz.decode --seconds 60.

Starts from the golden files and from what earlier runs left in data/fuzz/corpus. A file that breaks the decoder is left
in data/fuzz/ as ``crash-...`` or ``timeout-...``; once it is understood it goes to tests/corpus/, which tests replay.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
WORK = ROOT / "data" / "fuzz"
SEEDS = (ROOT / "tests" / "golden", ROOT / "tests" / "corpus")
MEMORY, GROWTH = 1024, 4
"""MiB that the process may take, and how many more a second: atheris keeps about two of what it traces.

The same mutations in a plain loop stay at 57 MB.
"""

with atheris.instrument_imports(include=["inrcodec"]):
    from fuzz.outcome import outcome

from fuzz.mutation import mutated  # noqa: E402


def _scramble(data: bytes, rng: random.Random) -> bytes:  # noqa: ARG001 - libFuzzer has its own
    """What libFuzzer knows of comparisons that failed goes into a part of the file, not into its frame."""
    return bytes(atheris.Mutate(data or b"\0", len(data) + 16))


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description="Fuzz the decoder.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="0 is another one every time")
    options = parser.parse_args()
    corpus = WORK / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    files = [path.read_bytes() for folder in SEEDS for path in sorted(folder.glob("*.inr"))]
    for number, data in enumerate(files):
        (corpus / f"seed-{number}").write_bytes(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        scramble = (_scramble,) if rng.random() < 0.5 else ()
        return mutated(bytes(data), rng, files, *scramble)[:max_size]

    words = [
        sys.argv[0], str(corpus), f"-max_total_time={options.seconds}", f"-artifact_prefix={WORK}/", "-max_len=4096",
        "-timeout=20", f"-rss_limit_mb={MEMORY + GROWTH * options.seconds}", "-print_final_stats=1",
        f"-seed={options.seed}",
    ]  # fmt: skip
    atheris.Setup(words, lambda data: outcome(bytes(data)) and None, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
