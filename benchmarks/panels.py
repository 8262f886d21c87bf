"""Pictures side by side under their titles, and below them one detail of each, enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

BACKGROUND = "#ffffff"
INK = "#1a1a1a"
GRAY = "#5c5c5c"
FRAME = "#d33a2c"
MARGIN = 24
TITLE = 30
FIGURES = 20
ZOOM = 3
DETAIL = (0.31, 0.25)  # left and top of the enlarged window, as fractions: the eyes of the portrait


@dataclass(frozen=True)
class Panel:
    """A picture, its title, and the line of figures below the title."""

    image: Image.Image
    title: str
    figures: str


def side_by_side(panels: Sequence[Panel]) -> Image.Image:
    """Draw the panels as columns; all pictures have one size."""
    width, height = panels[0].image.size
    window = _window(width, height)
    detail_height = (window[3] - window[1]) * ZOOM
    head = TITLE + FIGURES + 20
    sheet = Image.new(
        "RGB",
        (MARGIN + (width + MARGIN) * len(panels), MARGIN + head + height + MARGIN + detail_height + MARGIN),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    title_font, figures_font = ImageFont.load_default(TITLE), ImageFont.load_default(FIGURES)
    for index, panel in enumerate(panels):
        left, top = MARGIN + index * (width + MARGIN), MARGIN + head
        draw.text((left, MARGIN - 6), panel.title, INK, title_font)
        draw.text((left, MARGIN + TITLE + 2), panel.figures, GRAY, _fitting(draw, panel.figures, figures_font, width))
        sheet.paste(panel.image, (left, top))
        draw.rectangle([window[0] + left, window[1] + top, window[2] + left, window[3] + top], outline=FRAME, width=2)
        detail = panel.image.crop(window).resize((width, detail_height), Image.Resampling.NEAREST)
        sheet.paste(detail, (left, top + height + MARGIN))
    return sheet


def _window(width: int, height: int) -> tuple[int, int, int, int]:
    """The part that is enlarged: a third of the width, so that it fills a column."""
    side = width // ZOOM
    left, top = round(DETAIL[0] * width), round(DETAIL[1] * height)
    return left, top, left + side, min(top + side * 3 // 4, height)


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> Font:
    """The font, smaller where the text would not fit in the width."""
    size = FIGURES
    while draw.textlength(text, font) > width and size > 10:
        size -= 1
        font = ImageFont.load_default(size)
    return font
