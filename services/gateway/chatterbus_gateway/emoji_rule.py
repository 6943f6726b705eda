"""What counts as a reaction: exactly one emoji, whatever it is made of. Pure.

Promises: one emoji as people see it is accepted, of however many code points it is joined (families, skin tones, flags,
keycaps); anything else is refused with BAD_EMOJI. Two ways of writing the same emoji (with and without U+FE0F) come out
as one, the fully-qualified form of Unicode, or they would be counted as two reactions. Does not promise to know
emoji that are newer than the `emoji` library in use.
"""

from typing import Final

from emoji import EMOJI_DATA, STATUS

from chatterbus_contracts.errors import ErrorCode, Refusal

_PRESENTATION: Final = "\ufe0f"  # asks for the picture, where the character alone may be shown as a letter
_WHOLE: Final[dict[str, str]] = {
    emoji.replace(_PRESENTATION, ""): emoji
    for emoji, data in EMOJI_DATA.items()
    if data["status"] == STATUS["fully_qualified"]
}


def one_emoji(text: str) -> str:
    """The emoji that `text` is, in its fully-qualified form. Raises Refusal BAD_EMOJI."""
    # Skin tones and hair by themselves are in the library's table too, as parts; they have no whole form here.
    whole = _WHOLE.get(text.replace(_PRESENTATION, "")) if text in EMOJI_DATA else None
    if whole is None:
        raise Refusal(ErrorCode.BAD_EMOJI, "a reaction is exactly one emoji")
    return whole
