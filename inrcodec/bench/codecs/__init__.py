"""The codecs themselves, a module for each kind."""
