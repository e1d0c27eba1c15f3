"""How wide text is before anyone draws it: the widths of Helvetica, which Arial and Liberation Sans share."""

import unicodedata

# Thousandths of the size, by the letters that are so wide, from the metrics that come with PostScript's fonts.
_REGULAR = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft\N{MIDDLE DOT}",
    333: "()-`r{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jcksvxyz",
    584: "+<=>~\N{MULTIPLICATION SIGN}",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "\N{RIGHTWARDS ARROW}\N{HORIZONTAL ELLIPSIS}",
    1015: "@",
}
_WIDTHS = {letter: width for width, letters in _REGULAR.items() for letter in letters}
_BOLD = 1.08  # as much wider, at most, as names are in bold


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text.

    >>> width("Dense", 10)
    28.9
    >>> width("\N{CJK UNIFIED IDEOGRAPH-5C42}", 10)
    10.0
    """
    total = sum(_letter(letter) for letter in text) * size / 1000
    return round(total * (_BOLD if bold else 1), 2)


def _letter(letter: str) -> int:
    if letter in _WIDTHS:
        return _WIDTHS[letter]
    if unicodedata.combining(letter):
        return 0
    return 1000 if unicodedata.east_asian_width(letter) in "WF" else 556


def clipped(text: str, letters: int = 42) -> str:
    """The text without control characters, at most so many letters of it.

    >>> clipped("a" * 50, 5)
    'aaaa\N{HORIZONTAL ELLIPSIS}'
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return plain if len(plain) <= letters else plain[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"
