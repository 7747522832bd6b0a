"""Token classification: words and spans to tokens and back, nothing cut off."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForTokenClassification, BertTokenizer, ByT5Tokenizer, GPT2Tokenizer

from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError, DataError
from tunesmith.tasks.base import Example, Span
from tunesmith.training.recipe import Encoding
from tunesmith.training.tagging import RECIPE
from tunesmith.training.units import split_words

NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
WORDS = "ann lee ##na ##s met in new york , . u s ( )".split()
LETTERS = [chr(place) for place in range(33, 127)] + ["Ġ"]


def bert(maxlength=64, kind="tags", names=NAMES, **settings):
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *(f"w{i}" for i in range(100))]
    tokenizer = BertTokenizer(vocab={token: place for place, token in enumerate(vocab)})
    return Encoding(tokenizer, Labels("single", tuple(names)), kind, maxlength, **settings)


def gpt2(kind="spans", maxlength=64):
    """Byte level, a token a letter, one letter joined to the space before it; padded on the left."""
    vocab = {token: place for place, token in enumerate([*LETTERS, "Ġc", "<|endoftext|>"])}
    tokenizer = GPT2Tokenizer(vocab=vocab, merges=[("Ġ", "c")], pad_token="<|endoftext|>", padding_side="left")
    return Encoding(tokenizer, Labels("single", NAMES), kind, maxlength)


def tagged(words, tags, id=0):
    return Example(id, " ".join(words), tokens=tuple(words), tags=tuple(tags))


def spanned(text, *spans, id=0):
    made = [Span(label, text.index(part), text.index(part) + len(part)) for label, part in spans]
    return Example(id, text, spans=tuple(made))


def label_names(feature, encoding):
    return [encoding.labels.names[label] if label >= 0 else "" for label in feature["labels"]]


def perfect(features, encoding):
    rows = []
    for feature in features:
        scores = np.zeros((len(feature["labels"]), len(encoding.labels.names)), dtype=np.float32)
        for place, label in enumerate(feature["labels"]):
            if label >= 0:
                scores[place, label] = 20
        rows.append({"scores": scores})
    return rows


def round_trip(examples, encoding):
    features = RECIPE.encode(examples, encoding, True)
    return RECIPE.decode(perfect(features, encoding), features, examples, encoding)


def found(prediction, text):
    return [(span.label, text[span.start : span.end]) for span in prediction.spans]


def test_a_words_first_token_carries_its_tag():
    encoding = bert()
    [feature] = RECIPE.encode([tagged(["ann", "leenas", "met"], ["B-PER", "I-PER", "O"])], encoding, True)
    assert encoding.tokenizer.convert_ids_to_tokens(feature["input_ids"])[1:-1] == ["ann", "lee", "##na", "##s", "met"]
    assert label_names(feature, encoding) == ["", "B-PER", "I-PER", "", "", "O", ""]
    assert feature["units"] == [-1, 0, 1, -1, -1, 2, -1]


def test_words_come_back_with_their_tags_and_characters():
    example = tagged(
        ["ann", "leenas", "met", "new", "york", "."], ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"], id="x"
    )
    [prediction] = round_trip([example], bert())
    assert prediction.id == "x"
    assert prediction.tags == example.tags
    assert found(prediction, example.text) == [("PER", "ann leenas"), ("LOC", "new york")]


def test_a_word_without_a_token_has_the_tag_o():
    example = tagged(["ann", "\u200b", " ", "lee"], ["B-PER", "I-PER", "I-PER", "I-PER"])
    [prediction] = round_trip([example], bert())
    assert prediction.tags == ("B-PER", "O", "O", "I-PER")
    assert found(prediction, example.text) == [("PER", "ann"), ("PER", "lee")]


def test_words_are_found_in_a_text_that_is_not_joined_by_spaces():
    example = Example(0, "met ann, (lee).", tokens=("met", "ann", ",", "(", "lee", ")", "."))
    encoding = bert()
    features = RECIPE.encode([example], encoding, False)
    scores = np.zeros((len(features[0]["units"]), len(NAMES)))
    scores[features[0]["units"].index(4), NAMES.index("B-PER")] = 9
    [prediction] = RECIPE.decode([{"scores": scores}], features, [example], encoding)
    assert found(prediction, example.text) == [("PER", "lee")]


def test_words_that_are_not_in_the_text_are_read_by_themselves():
    for text in ("something else", "oh, ann never met"):
        example = Example(0, text, tokens=("ann", "met"), tags=("B-PER", "O"))
        [prediction] = round_trip([example], bert())
        assert prediction.tags == ("B-PER", "O")
        assert found(prediction, "ann met") == [("PER", "ann")]


def test_spans_become_bio_tags_of_every_token():
    encoding = bert(kind="spans")
    [feature] = RECIPE.encode([spanned("leenas met ann lee", ("PER", "leenas"), ("PER", "ann lee"))], encoding, True)
    assert label_names(feature, encoding) == ["", "B-PER", "I-PER", "I-PER", "O", "B-PER", "I-PER", ""]
    assert feature["misaligned"] == 0


def test_spans_come_back():
    example = spanned("leenas, met in new york (ann).", ("PER", "leena"), ("LOC", "new york"), ("PER", "ann"))
    [prediction] = round_trip([example], bert(kind="spans"))
    assert prediction.spans == tuple(Span(span.label, span.start, span.end, pytest.approx(1)) for span in example.spans)
    assert prediction.tags is None


def test_neighbouring_spans_stay_apart():
    text = "ann lee"
    example = Example(0, text, spans=(Span("PER", 0, 3), Span("PER", 4, 7)))
    assert found(round_trip([example], bert(kind="spans"))[0], text) == [("PER", "ann"), ("PER", "lee")]


def test_a_span_within_a_token_takes_the_token_and_is_counted():
    encoding = bert(kind="spans")
    example = Example(0, "ann met", spans=(Span("PER", 0, 2),))
    [feature] = RECIPE.encode([example], encoding, True)
    assert label_names(feature, encoding)[1] == "B-PER"
    assert feature["misaligned"] == 1


def test_an_overlapping_span_is_left_out_and_counted():
    encoding = bert(kind="spans")
    example = Example(0, "in new york", spans=(Span("PER", 7, 11), Span("LOC", 3, 11)))
    [feature] = RECIPE.encode([example], encoding, True)
    assert label_names(feature, encoding) == ["", "O", "B-LOC", "I-LOC", ""]
    assert feature["misaligned"] == 1


def test_byte_level_tokenizers_leave_the_space_before_a_word_out_of_the_span():
    encoding = gpt2()
    example = spanned("ab cd ef", ("PER", "cd"), id=1)
    [prediction] = round_trip([example], encoding)
    assert [(span.start, span.end) for span in prediction.spans] == [(3, 5)]
    batch = RECIPE.collate(encoding)(RECIPE.encode([example, spanned("ab", ("LOC", "ab"))], encoding, True))
    assert batch["labels"][1].tolist() == [-100] * 5 + [1, 2]


def test_byte_level_tokenizers_take_words_without_a_prefix_space():
    example = tagged(["ab", "cd"], ["O", "B-PER"])
    [prediction] = round_trip([example], gpt2(kind="tags"))
    assert prediction.tags == ("O", "B-PER")


LONG = tagged([f"w{i}" for i in range(100)], ["B-LOC" if i % 3 == 0 else "I-LOC" for i in range(100)])


@pytest.mark.parametrize(
    ("maxlength", "stride"), [(3, 128), (4, 128), (12, 128), (12, 3), (12, 0), (40, 37), (200, 128)]
)
def test_a_long_text_comes_back_whole_whatever_the_chunks(maxlength, stride):
    encoding = bert(maxlength, stride=stride)
    features = RECIPE.encode([LONG], encoding, True)
    assert all(len(feature["input_ids"]) <= maxlength for feature in features)
    assert RECIPE.decode(perfect(features, encoding), features, [LONG], encoding)[0].tags == LONG.tags
    decided = [unit for feature in features for unit in feature["units"] if unit >= 0]
    assert sorted(decided) == list(range(100))  # each word is trained and predicted once


def test_a_word_is_decided_where_most_of_its_surroundings_are_seen():
    features = RECIPE.encode([LONG], bert(maxlength=12, stride=6), True)  # chunks of 10 tokens, 4 new ones each
    assert [unit for unit in features[0]["units"] if unit >= 0] == [0, 1, 2, 3, 4, 5, 6]
    assert [unit for unit in features[1]["units"] if unit >= 0] == [7, 8, 9, 10]


def test_a_word_cut_by_a_chunks_border_is_decided_by_its_first_token():
    words = ["leenas"] * 12  # three tokens each, chunks of four
    example = tagged(words, ["B-PER", "O", "B-LOC"] * 4)
    for stride in (0, 1, 2, 3):
        encoding = bert(maxlength=6, stride=stride)
        features = RECIPE.encode([example], encoding, True)
        for feature in features:
            names = encoding.tokenizer.convert_ids_to_tokens(feature["input_ids"])
            assert {names[place] for place, unit in enumerate(feature["units"]) if unit >= 0} <= {"lee"}
        assert round_trip([example], encoding)[0].tags == example.tags


def test_a_model_of_words_reads_plain_text():
    example = Example(0, "Ann Lee (New York)!")
    encoding = bert()
    features = RECIPE.encode([example], encoding, False)
    scores = np.zeros((len(features[0]["units"]), len(NAMES)))
    for unit, tag in ((0, "B-PER"), (1, "I-PER"), (3, "B-LOC"), (4, "I-LOC")):
        scores[features[0]["units"].index(unit), NAMES.index(tag)] = 9
    [prediction] = RECIPE.decode([{"scores": scores}], features, [example], encoding)
    assert found(prediction, example.text) == [("PER", "Ann Lee"), ("LOC", "New York")]
    assert prediction.tags is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("U.S. troops, (well-known).", ["U.S", ".", "troops", ",", "(", "well-known", ")", "."]),
        ("don't  stop\n…", ["don't", "stop", "…"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("東京へ go", ["東", "京", "へ", "go"]),
        (" ", []),
    ],
)
def test_plain_text_is_split_into_words(text, words):
    assert [text[start:end] for start, end in split_words(text)] == words


def test_a_stray_inside_tag_is_an_entity():
    example = tagged(["ann", "met", "new", "york"], ["I-PER", "O", "I-LOC", "I-PER"])
    assert found(round_trip([example], bert())[0], example.text) == [("PER", "ann"), ("LOC", "new"), ("PER", "york")]


def test_parts_of_speech_are_a_span_a_word():
    example = tagged(["ann", "lee", "met"], ["PROPN", "PROPN", "VERB"])
    [prediction] = round_trip([example], bert(names=("PROPN", "VERB")))
    assert found(prediction, example.text) == [("PROPN", "ann"), ("PROPN", "lee"), ("VERB", "met")]


def test_tags_without_prefix_beside_o_join_neighbours():
    example = tagged(["ann", "lee", "met"], ["person", "person", "O"])
    [prediction] = round_trip([example], bert(names=("O", "person")))
    assert found(prediction, example.text) == [("person", "ann lee")]


def test_spans_are_learnt_with_a_label_set_without_prefixes():
    encoding = bert(kind="spans", names=("O", "person"))
    [feature] = RECIPE.encode([spanned("ann lee met", ("person", "ann lee"))], encoding, True)
    assert label_names(feature, encoding) == ["", "person", "person", "O", ""]


def test_the_score_is_the_mean_probability_of_the_spans_words():
    encoding = bert(names=("O", "B-PER", "I-PER"))
    example = tagged(["ann", "lee"], ["O", "O"])
    features = RECIPE.encode([example], encoding, True)
    scores = np.log(np.array([[1, 0, 0], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6], [1, 0, 0]]) + 1e-9)
    [prediction] = RECIPE.decode([{"scores": scores}], features, [example], encoding)
    assert prediction.spans == (Span("PER", 0, 7, pytest.approx(0.7)),)


def test_an_empty_text_has_no_spans():
    [prediction] = round_trip([Example(0, "")], bert(kind="spans"))
    assert prediction.spans == ()
    features = RECIPE.encode([Example(0, "")], gpt2(), True)  # no token at all
    batch = RECIPE.collate(gpt2())(features)
    assert batch["attention_mask"].tolist() == [[0]]


def test_a_tag_outside_the_label_set_is_an_error_that_names_the_row():
    with pytest.raises(DataError, match=r"row 17: tag 'B-ORG' is not in the label set \(O, B-LOC"):
        RECIPE.encode([tagged(["ann"], ["B-ORG"], id=17)], bert(), True)


def test_a_maxlength_without_room_is_refused():
    with pytest.raises(ConfigError, match="'maxlength' is 2: expected at least 3"):
        RECIPE.encode([LONG], bert(maxlength=2), True)


def test_a_slow_tokenizer_is_refused():
    encoding = Encoding(ByT5Tokenizer(), Labels("single", NAMES), "tags", 64)
    with pytest.raises(ConfigError, match="'ByT5Tokenizer': expected a fast tokenizer"):
        RECIPE.encode([LONG], encoding, True)


def model_of(encoding):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(encoding.tokenizer), num_labels=len(encoding.labels.names), **sizes)
    return BertForTokenClassification(config).eval()


def test_micro_batches_add_up_to_the_large_batch():
    encoding = bert(maxlength=32)
    model, loss = model_of(encoding), RECIPE.loss(encoding)
    features = RECIPE.encode([LONG, tagged(["ann"], ["B-PER"]), tagged(["ann", "lee"], ["O", "O"])], encoding, True)
    batch = RECIPE.collate(encoding)(features)
    theirs = model(**batch).loss

    def gradient(parts):
        model.zero_grad()
        cut = [{key: value[part] for key, value in batch.items()} for part in parts]
        count = sum(loss.count(micro) for micro in cut)
        total = 0.0
        for micro in cut:
            targets = {key: micro.pop(key) for key in loss.targets}
            value = loss(model(**micro), targets, count)
            value.backward()
            total += value.item()
        return total, model.classifier.weight.grad.clone()

    whole, whole_gradient = gradient([slice(0, None)])
    summed, summed_gradient = gradient([slice(0, 1), slice(1, None)])
    assert whole == pytest.approx(theirs.item(), rel=1e-5)
    assert summed == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(summed_gradient, whole_gradient, atol=1e-6)


def test_a_real_models_outputs_decode():
    encoding = bert(maxlength=32)
    examples = [LONG, tagged(["ann", "met"], ["B-PER", "O"], id="b")]
    features = RECIPE.encode(examples, encoding, True)
    outputs = RECIPE.outputs(model_of(encoding), RECIPE.collate(encoding)(features), encoding)
    assert set(outputs) == set(RECIPE.per_token)
    rows = [
        {"scores": outputs["scores"][place, : len(feature["input_ids"])].detach().numpy()}
        for place, feature in enumerate(features)
    ]
    predictions = RECIPE.decode(rows, features, examples, encoding)
    assert [len(prediction.tags) for prediction in predictions] == [100, 2]
    assert [prediction.id for prediction in predictions] == [0, "b"]


def test_no_examples_give_no_features():
    assert RECIPE.encode([], bert(), True) == []
    assert RECIPE.decode([], [], [], bert()) == []
