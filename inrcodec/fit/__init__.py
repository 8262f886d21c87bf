"""The fit: the only room that imports torch and cooper. Pixels and a budget go in, quantised symbols come out."""

import os

# A fit is thousands of short parallel loops. OpenMP threads that spin between them starve each other as soon as
# anything else wants the cores (measured: 16 steps a second instead of 194 with one other busy process on two
# cores); threads that sleep do not. Read when torch loads, so it must be set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
