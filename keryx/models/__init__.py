"""Models: functional, sequential, subclassed."""

from keryx import lazy
from keryx.models.cloning import clone_model as clone_model
from keryx.models.cloning import model_from_json as model_from_json
from keryx.models.model import Model as Model
from keryx.models.sequential import Sequential as Sequential

__getattr__, __dir__ = lazy.exports(__name__, {"keryx.saving.models": "load_model save_model"})
