"""``python -m inrcodec``: the command line."""

from __future__ import annotations

from inrcodec.cli.main import main

if __name__ == "__main__":
    main()
