"""ProgbarLogger: the place of the progress bar in a list of callbacks."""

from keryx.callbacks.callback import Callback


class ProgbarLogger(Callback):
    """Nothing by itself: `fit`, `evaluate` and `predict` show their progress as `verbose` says, with it or without.

    It is there for lists of callbacks that name it. A loop of your own has `keryx.utils.Progbar`.

    >>> logger = ProgbarLogger()
    """
