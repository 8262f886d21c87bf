"""The container: bytes to header and sections, and back. FORMAT.md beside this file is its specification."""
