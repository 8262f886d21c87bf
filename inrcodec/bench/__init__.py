"""The comparison with other codecs: what is coded, how it is measured, and what the figures mean."""
