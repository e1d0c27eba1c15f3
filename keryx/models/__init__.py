"""Models: functional, sequential, subclassed."""

from keryx.models.model import Model as Model
from keryx.models.sequential import Sequential as Sequential
