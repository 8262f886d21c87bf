"""The format for Pillow: importing this module is all it takes.

    >>> from PIL import Image
    >>> import inrcodec.plugin
    >>> with Image.open("gray.inr") as image:  # reads the header only
    ...     image.size, image.mode, image.info["arch"], round(image.info["bpp"], 2)
    ((25, 40), 'L', 'siren', 1.86)

``image.save("photo.inr", bpp=0.3)`` takes the options of :func:`inrcodec.encode`; the first save imports torch, and
nothing else here does. Pillow knows no entry points and finds no plugin by itself, so a program that should read the
format has to import this module once.

``image.info`` holds ``bpp`` (bits of the whole file per pixel), ``depth`` (bits a sample in the file, 8 or 16) and
``arch`` (``siren`` or ``grid``). It also has ``icc_profile``, ``exif`` and ``xmp``, as Pillow's own formats do, where
they are in the file; they are read on opening, before the checksum is looked at. Pillow has no modes for colours or
alpha of 16 bits: those become 8. Opaque gray keeps 16 (``I;16``).

Alpha is saved unless ``alpha=`` says otherwise. Of metadata, ``save`` writes what it is given as ``exif=``,
``icc_profile=`` and ``xmp=``, and the profile that the image has, as Pillow's PNG writer does; all of it counts under
the cap. ``icc_profile=None`` converts the colours to sRGB instead. ``metadata="all"`` keeps all that the image has,
``metadata="none"`` nothing. Pictures are saved upright, by the orientation of the EXIF that is given, or else by the
image's own.

Errors are those of Pillow's own formats. ``open`` raises ``UnidentifiedImageError`` for what is not ours or has a
broken header (with a warning where a newer inrcodec or another format of the same ending is the reason), and
``DecompressionBombError`` for what is too large. Damage behind the header is found when the pixels are loaded, or by
``verify``, and raises ``OSError``. So does a ``save`` that cannot reach its target.

Nothing is written before a file is complete. When a save fails Pillow removes the file if it was not there before; one
that was, it has emptied by then. Who wants to keep it gives what :func:`inrcodec.encode` returns to
:func:`inrcodec.atomic.atomic_write`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import IO, Any

from PIL import Image, ImageFile, ImageOps

from inrcodec.api import encode
from inrcodec.decoder import View, decode_pixels, probe
from inrcodec.errors import BadMagic, BitstreamError, InrError, UnsupportedVersion
from inrcodec.format.container import CRC_BYTES, MAGIC, MAX_HEADER_BYTES, Head, Header, Tag, read_head
from inrcodec.format.metadata import read_metadata
from inrcodec.image.metadata import EXIF_START, ORIENTATION, exif_bytes, parse_metadata, upright_xmp
from inrcodec.limits import Limits

FORMAT = "INR"
"""Pillow's name of the format, as in ``Image.open(file, formats=["INR"])``."""

MIME = "image/x-inr"

ENDING = ".inr"

OPTIONS = tuple(inspect.signature(encode).parameters)[1:]
"""What ``save`` hands on; it ignores others, as all of Pillow's formats do."""

KEPT = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}
"""Pillow's names, in ``info`` and in ``save``, of the metadata that a file can hold."""

_DECODER = "inrcodec"
_DRAFTS = 3  # halvings, as for JPEG
_ARCHITECTURES = {Tag.SIREN: "siren", Tag.GRID: "grid"}
_OPENING = Limits(max_pixels=1 << 62)  # how large is too large is Pillow's decision here, and the decoder's on loading


def mode_of(header: Header) -> str:
    """Pillow's mode for the pictures of such files."""
    if header.channels == 1:
        return "LA" if header.alpha else "I;16" if header.depth == 16 else "L"
    return "RGBA" if header.alpha else "RGB"


def picture_of(image: Image.Image, given: Mapping[str, Any] | None = None) -> tuple[Image.Image, str]:
    """What :func:`inrcodec.encode` gets for an image that is saved.

    Args:
        image: the image.
        given: options of the save; those named in :data:`KEPT` and ``metadata`` count.

    Returns:
        A copy that is upright and has the metadata that was given, and which of it is to be kept, as ``metadata`` of
        :func:`inrcodec.encode`. A copy because that saves it for itself, and would find the options of our own save on
        the original.

    Raises:
        ValueError: ``metadata`` is none of the choices.
    """
    given = given or {}
    blobs = {name: _bytes_of(given[key]) for name, key in KEPT.items() if key in given}
    blobs |= {"xmp": upright_xmp(blobs["xmp"])} if "xmp" in blobs else {}
    usual = "icc" if image.info.get(KEPT["icc"]) else "none"
    wanted = parse_metadata(given.get("metadata", usual)) - set(blobs) | {name for name, blob in blobs.items() if blob}
    exif = _read_exif(blobs.get("exif", b""))
    if exif is None:
        warnings.warn("EXIF data is damaged and will not be saved", stacklevel=2)
        wanted -= {"exif"}
    turned_by_given = exif is not None and ORIENTATION in exif
    picture = image.copy() if turned_by_given else _upright(image)
    if "exif" in wanted and "exif" not in blobs:
        blobs["exif"] = exif_bytes(image)
    picture.info.update({KEPT[name]: blobs[name] for name in wanted & set(blobs)})
    return _upright(picture), ",".join(name for name in KEPT if name in wanted) or "none"


class InrImageFile(ImageFile.ImageFile):
    """A picture whose pixels are drawn when they are asked for."""

    format = FORMAT
    format_description = "inrcodec picture"

    def _open(self) -> None:
        """Read the header.

        Raises:
            SyntaxError: it is not a valid one; Pillow makes ``UnidentifiedImageError`` of it.
        """
        try:
            head = read_head(self._file().read(MAX_HEADER_BYTES), _OPENING)
        except BitstreamError as error:
            raise SyntaxError(str(error)) from error
        self._head = head
        self._mode = mode_of(head.header)
        self.info.update(bpp=8 * head.file_bytes / head.header.pixels, depth=head.header.depth, arch=_arch(head))
        self.info.update(_metadata(self._file(), head))
        self._draw(1.0)

    def draft(
        self,
        mode: str | None,  # noqa: ARG002 - Pillow's name for what is of no use here
        size: tuple[int, int] | None,
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Have the picture drawn at 1/2, 1/4 or 1/8 of its size, as JPEG is, for ``thumbnail`` to go on from.

        The drawing is no smaller than asked for. Pixels of a network alone are samples of the picture, taken in as much
        less time. Those of latent grids are means over it, which take all of the time and a part of the memory.

        Args:
            mode: ignored.
            size: columns and rows that are enough.

        Returns:
            The mode, and the part of the drawing that is the picture: all of it. None if nothing could be done.
        """
        header = self._head.header
        if not self.tile or size is None:
            return None
        spare = min(header.width / max(1, size[0]), header.height / max(1, size[1]))  # floats in old Pillows
        self._draw(0.5 ** min(_DRAFTS, max(1, int(spare)).bit_length() - 1))
        return self.mode, (0, 0, *self.size)

    def verify(self) -> None:
        """Check the framing and the checksum of the file, without a pixel; to be called right after ``open``.

        Raises:
            OSError: the file is damaged, or asks for more than the decoder's limits.
        """
        file = self._file()
        try:
            file.seek(0)
            probe(_read(file, self._head.file_bytes))
        except BitstreamError as error:
            raise OSError(str(error)) from error
        finally:
            super().verify()

    def load_prepare(self) -> None:
        """Ask the decoder's limits before memory is taken."""
        try:
            Limits().check_size(self._head.header.width, self._head.header.height)
        except BitstreamError as error:
            raise OSError(str(error)) from error
        super().load_prepare()

    def load_seek(self, pos: int) -> None:
        """Its being here tells Pillow's incremental parser to wait for the whole file."""
        self._file().seek(pos)

    def _draw(self, scale: float) -> None:
        """Put down what is to be drawn on loading."""
        view = View(scale=scale, depth=16 if self.mode == "I;16" else 8)
        self._size = view.size(self._head.header.width, self._head.header.height)
        args = view, self._head.file_bytes
        self.tile = [(_DECODER, (0, 0, *self.size), 0, args)]  # type: ignore[list-item]  # old Pillows know plain tuples

    def _file(self) -> IO[bytes]:
        """The open file.

        Raises:
            RuntimeError: it has been closed.
        """
        if self.fp is None:
            raise RuntimeError("the file is closed: verify must be called directly after open")
        return self.fp


class InrDecoder(ImageFile.PyDecoder):
    """Draws a whole file into the memory of an image. Arguments: the view, and the bytes the file must have."""

    _pulls_fd = True

    def decode(self, _: Any) -> tuple[int, int]:
        """Read the file and draw it.

        Returns:
            What stands for success.

        Raises:
            OSError: it is damaged, or asks for more than the decoder's limits.
        """
        view, size = self.args
        assert self.fd is not None
        try:
            pixels = decode_pixels(_read(self.fd, size), view)
        except BitstreamError as error:
            raise OSError(str(error)) from error
        expected = self.state.ysize, self.state.xsize, len(Image.getmodebandnames(self.mode))
        samples = pixels.samples
        if samples.shape != expected:
            raise OSError("the file has changed since it was opened")
        self.set_as_raw(samples.astype("<u2" if pixels.depth == 16 else "u1", copy=False).tobytes())
        return -1, 0


def _accept(prefix: bytes) -> bool | str:
    """Whether a file that begins so is ours; if it will not do but we know why, the words for a warning."""
    try:
        read_head(prefix, _OPENING)
    except UnsupportedVersion as error:
        return f"image file could not be identified: {error}"
    except BadMagic as error:
        return f"image file could not be identified: {error}" if prefix[1:4] == b"INR" else False
    except BitstreamError:  # in the first place because there is more of the header than Pillow shows here
        return prefix.startswith(MAGIC)
    return True


def _arch(head: Head) -> str:
    """The name that ``encode`` has for the architecture.

    Raises:
        SyntaxError: there is none in the file.
    """
    for tag in head.lengths:
        if tag in _ARCHITECTURES:
            return _ARCHITECTURES[tag]
    raise SyntaxError("no section describes a network")


def _metadata(file: IO[bytes], head: Head) -> dict[str, bytes]:
    """What the file says besides its pixels, under Pillow's names.

    Nothing where it is damaged, which is found out on loading, and where it is more than the decoder's limits.
    """
    limits, length = Limits(), head.lengths.get(Tag.METADATA, 0)
    if not 0 < length <= limits.max_metadata:
        return {}
    file.seek(head.crc_at + CRC_BYTES + sum(size for tag, size in head.lengths.items() if tag < Tag.METADATA))
    try:
        metadata = read_metadata(file.read(length), limits)
    except BitstreamError:
        return {}
    blobs = {name: getattr(metadata, name) for name in KEPT}
    blobs["exif"] = blobs["exif"] and EXIF_START + blobs["exif"]
    return {KEPT[name]: blob for name, blob in blobs.items() if blob}


def _bytes_of(blob: Any) -> bytes:
    """Metadata as a save may be given it."""
    if isinstance(blob, Image.Exif):
        return blob.tobytes()
    return blob.encode() if isinstance(blob, str) else bytes(blob or b"")


def _read_exif(blob: bytes) -> Image.Exif | None:
    """EXIF that was given; None if nobody could read it."""
    exif = Image.Exif()
    try:
        exif.load(blob)
    except Exception:  # noqa: BLE001 - damaged EXIF raises nearly anything and must not cost the picture
        return None
    return exif


def _upright(image: Image.Image) -> Image.Image:
    """A copy that is turned as its EXIF says, which says so no longer."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - as above
        copy = image.copy()
        copy.info.pop("exif", None)
        return copy


def _read(file: IO[bytes], size: int) -> bytes:
    """The whole file, in blocks, because a header may declare more than there is memory for.

    Raises:
        OSError: the file goes on after that.
    """
    pieces, left = [], size
    while left and (piece := file.read(min(left, ImageFile.SAFEBLOCK))):
        pieces.append(piece)
        left -= len(piece)
    if not left and file.read(1):
        raise OSError(f"the file goes on after the {size} bytes that its header declares")
    return b"".join(pieces)


def _save(image: Image.Image, file: IO[bytes], _: str | bytes) -> None:
    """Encode an image and write it in one piece.

    Raises:
        OSError: the target cannot be reached, or images of this mode cannot be encoded.
        ValueError: options that make no sense.
    """
    options = {name: image.encoderinfo[name] for name in OPTIONS if name in image.encoderinfo}
    picture, metadata = picture_of(image, image.encoderinfo)
    if metadata != "none":
        options["metadata"] = metadata
    else:
        options.pop("metadata", None)
    try:
        data = encode(picture, **options)
    except InrError as error:
        raise OSError(f"cannot write the picture as {FORMAT}: {error}") from error
    file.write(data)


Image.register_decoder(_DECODER, InrDecoder)
Image.register_open(FORMAT, InrImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ENDING)
Image.register_mime(FORMAT, MIME)
