'''Topics by a Tokenizer's matrix, and metrics of its time.'''
import numpy as np
np.random.seed(1337)
from keras.models import Sequential
from keras.layers import Dense, Activation
from keras.preprocessing.text import Tokenizer, text_to_word_sequence, one_hot
from keras.preprocessing.sequence import skipgrams, make_sampling_table
from keras.optimizers import Adam
from keras.utils.np_utils import to_categorical

texts = ['good film, good cast', 'bad film', 'a good story', 'bad cast and bad story'] * 4
labels = [1, 0, 1, 0] * 4
tokenizer = Tokenizer(nb_words=6)
tokenizer.fit_on_texts(texts)
assert tokenizer.word_index['good'] == 1 and tokenizer.nb_words == 6
X = tokenizer.texts_to_matrix(texts, mode='binary')
assert X.shape == (16, 6)
assert text_to_word_sequence('A b, c!') == ['a', 'b', 'c'] and len(one_hot('a b', 10)) == 2
Y = to_categorical(labels, 2)
model = Sequential()
model.add(Dense(2, input_shape=(6,)))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer=Adam(lr=0.1), metrics=['accuracy', 'precision', 'fmeasure', 'mse'])
hist = model.fit(X, Y, nb_epoch=30, batch_size=4, verbose=0, validation_split=0.25)
assert {'acc', 'precision', 'fmeasure', 'mean_squared_error', 'val_acc'} <= set(hist.history)
assert hist.history['acc'][-1] > 0.9
couples, targets = skipgrams(tokenizer.texts_to_sequences(texts)[0], 6, window_size=1)
assert len(couples) == len(targets) and make_sampling_table(5).shape == (5,)
