"""Language: sentences come in, as numbers of word pieces, and what a language model was tuned to say of them goes out.

bert, pieces = language.pretrained()                       # MiniLM, from a package; models.bert.Bert for your own
items = [(pieces.encode(sentence), label) for sentence, label in zip(sentences, labels)]
model = language.SentenceClassifier(bert, language.MeanHead(384, 2))
train.freeze(model, ["bert.embeddings", "bert.encoder.layer.[0-3]"])
train.fit(model, text.BucketLoader(items, 32, shuffle=True), ..., optim.AdamW(train.layer_groups(model, 1e-4), 1e-4))
(read,) = language.states(bert, [ids for ids, _ in items], (4,))  # what layers that stand still make of them, once for all
"""

from minidil.tasks.language.minilm import pretrained, vocabulary
from minidil.tasks.language.network import ConvHead, MeanHead, SentenceClassifier
from minidil.tasks.language.reading import states

__all__ = ["ConvHead", "MeanHead", "SentenceClassifier", "pretrained", "states", "vocabulary"]
