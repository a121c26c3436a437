"""Sentiment: sentences come in, a class for each goes out; with the control to be beaten, and whether one model beats another.

vocabulary = sentiment.vocabulary(train)                           # of a data.TextDataset
loader = text.BucketLoader(sentiment.encoded(train, vocabulary), 50, shuffle=True)
model = models.kim_cnn(len(vocabulary))                            # trained by train.fit(model, loader, ...)
control = sentiment.BagOfWords.fitted(train, dev)                  # tf-idf and logistic regression, without a network
sentiment.mcnemar(right, control.predict(test.texts) == test.labels).p
"""

from minidil.tasks.sentiment.compare import McNemar, mcnemar
from minidil.tasks.sentiment.control import BagOfWords
from minidil.tasks.sentiment.items import encoded, vocabulary

__all__ = ["BagOfWords", "McNemar", "encoded", "mcnemar", "vocabulary"]
