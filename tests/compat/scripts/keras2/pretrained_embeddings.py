# Word vectors in an Embedding that is not trained.
import numpy as np
np.random.seed(0)
from keras.preprocessing.text import Tokenizer
from keras.preprocessing.sequence import pad_sequences
from keras.utils import to_categorical
from keras.layers import Dense, Input, GlobalAveragePooling1D, Embedding
from keras.models import Model
from keras.initializers import Constant

texts = ['red apple', 'green apple', 'fast car', 'slow car', 'green car', 'red pear'] * 3
labels = to_categorical(np.array([0, 0, 1, 1, 1, 0] * 3))
tokenizer = Tokenizer(num_words=20, oov_token='<OOV>')
tokenizer.fit_on_texts(texts)
sequences = tokenizer.texts_to_sequences(texts)
word_index = tokenizer.word_index
assert word_index['<OOV>'] == 1
data = pad_sequences(sequences, maxlen=4, padding='post')
embedding_matrix = np.zeros((len(word_index) + 1, 5))
for word, i in word_index.items():
    embedding_matrix[i] = np.random.rand(5)
embedding_layer = Embedding(len(word_index) + 1, 5, weights=[embedding_matrix], input_length=4, trainable=False)
sequence_input = Input(shape=(4,), dtype='int32')
x = GlobalAveragePooling1D()(embedding_layer(sequence_input))
preds = Dense(2, activation='softmax')(x)
model = Model(sequence_input, preds)
model.compile(loss='categorical_crossentropy', optimizer='rmsprop', metrics=['acc'])
hist = model.fit(data, labels, batch_size=6, epochs=4, verbose=0)
assert np.allclose(embedding_layer.get_weights()[0], embedding_matrix, atol=1e-6)
other = Embedding(len(word_index) + 1, 5, embeddings_initializer=Constant(embedding_matrix))
other.build((None, 4))
assert np.allclose(other.get_weights()[0], embedding_matrix, atol=1e-6)
assert 'acc' in hist.history
