"""What goes beside the colours: opacity and metadata, added to a file that is finished otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inrcodec.format.container import Tag, read, write
from inrcodec.format.varint import varint
from inrcodec.limits import Limits


@dataclass(frozen=True)
class Extras:
    """Sections beside those of the colours.

    Attributes:
        alpha: body of ALPHA, if there is an opacity.
        metadata: body of METADATA, if any is kept.
    """

    alpha: bytes | None = None
    metadata: bytes | None = None

    @property
    def sections(self) -> dict[Tag, bytes]:
        """The sections that are there, in their order."""
        found = {Tag.ALPHA: self.alpha, Tag.METADATA: self.metadata}
        return {tag: body for tag, body in found.items() if body is not None}

    @property
    def bytes(self) -> int:
        """What a file grows by."""
        return sum(section_bytes(len(body)) for body in self.sections.values())


def section_bytes(length: int) -> int:
    """What a file grows by with another section."""
    return 1 + len(varint(length)) + length


def attach(data: bytes, extras: Extras, limits: Limits | None = None) -> bytes:
    """A file of colours alone, and what belongs beside them, as one file.

    Raises:
        BitstreamError: not a valid file.
    """
    container = read(data, limits)
    header = replace(container.header, alpha=extras.alpha is not None)
    return write(header, {**container.sections, **extras.sections})
