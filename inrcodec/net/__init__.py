"""The network in NumPy: its frozen description, pixel coordinates and forward pass. Decoding needs nothing else."""
