"""How a layer is called, resolved once for each `call` rather than at each of its calls."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keryx.core import scope


def accepted_arguments(function: Callable) -> tuple[list[str], bool]:
    """The names of a function's arguments, and whether it takes others by `**kwargs`."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return names, any(p.kind is p.VAR_KEYWORD for p in parameters)


@dataclass(frozen=True)
class CallPlan:
    """The calling convention of a `call`.

    Args:
        names: The names of its arguments after self.
        required: Those of them that have no default.
        takes_more: Whether it takes others by `**kwargs`.
        training: The position of the argument `training`; None where there is none.
        masks: Of each argument that is told its mask: its position and name, then those of the argument for the mask.
        alone: Whether a call outside of any model is one of training where nothing says otherwise, by the default.
    """

    names: list[str]
    required: list[str]
    takes_more: bool
    training: int | None
    masks: list[tuple[int, str, int, str]]
    alone: bool

    def missing(self, args: tuple, kwargs: dict[str, Any]) -> list[str]:
        """The required arguments that a call lacks, but for those that are filled in."""
        filled_in = {"training", *(mask_name for *_, mask_name in self.masks)}
        return [name for name in self.required if name not in {*self.names[: len(args)], *kwargs, *filled_in}]

    def fill_in_masks(self, args: tuple, kwargs: dict[str, Any]) -> None:
        """Hand the masks that travel beside the arguments to `mask`, for the first, and to `<argument>_mask`."""
        for position, name, mask_position, mask_name in self.masks:
            if kwargs.get(mask_name) is None and len(args) <= mask_position:
                masks = scope.masks_of(args[position] if position < len(args) else kwargs.get(name))
                if masks is not None:
                    kwargs[mask_name] = masks

    def resolve_training(self, args: tuple, kwargs: dict[str, Any], around: bool) -> bool:
        """Whether the call is one of training, as the caller says or as it is `around` it; `call` is told."""
        given = kwargs.get("training")
        if self.training is None:
            if not self.takes_more:
                kwargs.pop("training", None)
        elif self.training < len(args):
            given = args[self.training]
        else:
            given = kwargs["training"] = around if given is None else given
        return bool(around if given is None else given)


@functools.cache
def plan_of(call: Callable) -> CallPlan:
    """The plan of a `call`, a function whose first argument is self."""
    names, takes_more = accepted_arguments(call)
    parameters = inspect.signature(call).parameters
    required = [name for name in names[1:] if parameters[name].default is inspect.Parameter.empty]
    places = {name: i for i, name in enumerate(names[1:])}
    masks = []
    for name, position in places.items():
        mask_name = "mask" if position == 0 and "mask" in places else f"{name}_mask"
        if mask_name in places:
            masks.append((position, name, places[mask_name], mask_name))
    alone = "training" in places and parameters["training"].default is True
    return CallPlan(names[1:], required, takes_more, places.get("training"), masks, alone)
