"""Callbacks: what happens beside training, by Keras's names."""

from keryx import lazy
from keryx.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
from keryx.callbacks.callback import Callback as Callback
from keryx.callbacks.callback_list import CallbackList as CallbackList
from keryx.callbacks.csv_logger import CSVLogger as CSVLogger
from keryx.callbacks.early_stopping import EarlyStopping as EarlyStopping
from keryx.callbacks.history import History as History
from keryx.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from keryx.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from keryx.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from keryx.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from keryx.callbacks.orbax_checkpoint import OrbaxCheckpoint as OrbaxCheckpoint
from keryx.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN

__getattr__, __dir__ = lazy.exports(
    __name__,
    {
        "keryx.callbacks.live_plot": "LivePlot",
        "keryx.callbacks.progbar_logger": "ProgbarLogger",
        "keryx.callbacks.remote_monitor": "RemoteMonitor",
        "keryx.callbacks.swap_ema_weights": "SwapEMAWeights",
        "keryx.callbacks.tensorboard": "TensorBoard",
    },
)
