"""Recurrent layers: RNN, which runs any cell over time, and LSTM, GRU and SimpleRNN with their cells."""

from keryx.layers.recurrent.gru import GRU as GRU
from keryx.layers.recurrent.gru import GRUCell as GRUCell
from keryx.layers.recurrent.lstm import LSTM as LSTM
from keryx.layers.recurrent.lstm import LSTMCell as LSTMCell
from keryx.layers.recurrent.rnn import RNN as RNN
from keryx.layers.recurrent.rnn import StackedRNNCells as StackedRNNCells
from keryx.layers.recurrent.simple import SimpleRNN as SimpleRNN
from keryx.layers.recurrent.simple import SimpleRNNCell as SimpleRNNCell
