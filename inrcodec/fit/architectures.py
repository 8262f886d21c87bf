"""The architectures an encode can use, by name."""

from __future__ import annotations

from inrcodec.encoder import EncodeOptions
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.session import Session

SESSIONS: dict[str, type[Session]] = {"auto": Session, "siren": Session, "grid": GridSession}
"""What encodes with an architecture."""


def session_of(options: EncodeOptions) -> type[Session]:
    """What encodes with these options.

    Raises:
        ValueError: there is no such architecture.
    """
    if options.arch not in SESSIONS:
        raise ValueError(f"no architecture {options.arch!r}; there are {', '.join(SESSIONS)}")
    return SESSIONS[options.arch]
