"""What `keras.preprocessing` and `keras.wrappers` had in Keras 1 and 2, and Keras 3 has dropped."""
