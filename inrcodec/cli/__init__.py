"""The command line: one file a command, and the only room that prints."""

import os

# The decoder multiplies many small matrices, and one BLAS thread does that in a quarter of a second for a photograph.
# Several would spin while they wait for each other, and on a busy machine take twenty times as long (measured: 3.9 s
# of processor time instead of 0.23 s). Read when NumPy loads, so it must be set before.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
