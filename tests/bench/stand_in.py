"""Does one job as `inrcodec.bench.child` would, with codecs that behave as their names say.

The first word is a file to which every call is added; the second is the job's folder.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from inrcodec.bench.child import end_with_the_parent
from inrcodec.bench.results import Results, text_of
from tests.bench.rows import a_row


def main() -> None:
    end_with_the_parent()
    log, folder = Path(sys.argv[1]), Path(sys.argv[2])
    job = json.loads((folder / "job.json").read_text())
    picture, codec, target = Path(job["picture"]), job["codec"], job["target_bpp"]
    with log.open("a") as calls:
        calls.write(f"{picture.stem} {codec} {target} {os.getpid()}\n")
    if codec.startswith("slow"):
        time.sleep(float(codec.removeprefix("slow")))
    if codec == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if codec == "fails":
        sys.exit("a warning\nno file is that small")
    if codec == "silent":
        return
    level = 20.0 + len(picture.read_bytes())
    if target is None:
        rows = [a_row(picture.stem, codec, None, level + q, bpp=q / 10, setting=f"quality {q}") for q in (1, 2, 3)]
    else:
        rows = [a_row(picture.stem, codec, target, level + target)]
        (folder / "coded").write_bytes(codec.encode())
    sys.stdout.write("noise\n")
    (folder / "rows.tsv").write_text(text_of(Results({}, tuple(rows))))


if __name__ == "__main__":
    main()
