"""Quantised weights to bytes and back: integer laws, their tables, the range coder. NumPy and constriction only."""
