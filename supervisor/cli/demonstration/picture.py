"""Pictures that load nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Final

# Rich's pictures name a font on somebody's server, and where Rich comes from.
_FONTS: Final = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
_COMMENTS: Final = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_FAMILY: Final = re.compile(r"font-family: (?:Fira Code|arial), ?monospace|font-family: Fira Code[^;]*")
_OWN: Final = "font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def self_contained(svg: str) -> str:
    """Return a picture of Rich or Textual in the fonts of who looks at it."""
    return _FAMILY.sub(_OWN, _COMMENTS.sub("", _FONTS.sub("", svg)))
