"""The fit: the only room that imports torch and cooper. Pixels and a budget go in, quantised symbols come out."""

import os

# A fit is thousands of short parallel loops. OpenMP threads that spin between them without end starve each other as
# soon as anything else wants the cores (16 steps a second with one busy process beside two threads); threads that
# sleep at once pay for every waking (36 s instead of 16 s for an encode on an idle machine). A short spin, then sleep:
# 20 s, and 49 steps a second beside the busy process. Read when torch loads, so it must be set before.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
