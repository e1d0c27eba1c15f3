"""Models as estimators of scikit-learn, by Keras's names."""

from keryx import lazy

__getattr__, __dir__ = lazy.exports(
    __name__, {"keryx.wrappers.scikit_learn": "SKLearnClassifier SKLearnRegressor SKLearnTransformer"}
)
