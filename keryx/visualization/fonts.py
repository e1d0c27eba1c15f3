"""Fonts that matplotlib finds here, for names in Latin letters and in Chinese."""

import functools

_LATIN = ("Helvetica", "Arial", "Liberation Sans")
_CHINESE = ("Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei")


@functools.cache
def known() -> tuple[list[str], list[str]]:
    """One that is as wide as Helvetica, if any, and those with Chinese letters.

    >>> latin, chinese = known()
    >>> len(latin) <= 1
    True
    """
    from matplotlib import font_manager

    here = set(font_manager.get_font_names())
    return [name for name in _LATIN if name in here][:1], [name for name in _CHINESE if name in here]
