"""Keras's names for what reads images, texts and series; all of it stands in `keryx.utils` too."""

from keryx import lazy

__getattr__, __dir__ = lazy.exports(
    __name__,
    {
        "keryx.utils": "image_dataset_from_directory text_dataset_from_directory timeseries_dataset_from_array",
        "keryx.preprocessing.image": "",
        "keryx.preprocessing.sequence": "",
    },
)
