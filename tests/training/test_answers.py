"""Question answering: positions exact, chunks complete, answers exact slices of the context."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertTokenizer,
    ByT5Tokenizer,
    GPT2Config,
    GPT2ForQuestionAnswering,
    GPT2Tokenizer,
)

from tunesmith.errors import ConfigError
from tunesmith.tasks.base import Example
from tunesmith.training.answers import LONGEST, RECIPE, SpanLoss
from tunesmith.training.recipe import Encoding

WORDS = "1 yellow red onion onions how many which one is it the of and ##s . ?".split()
LETTERS = [chr(place) for place in range(33, 127)] + ["Ġ"]


def bert(maxlength=64, kind="answerable", **settings):
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *(f"w{i}" for i in range(100))]
    tokenizer = BertTokenizer(vocab={token: place for place, token in enumerate(names)})
    return Encoding(tokenizer, None, kind, maxlength, **settings)


def gpt2(maxlength=64, kind="answerable", side="left"):
    """A byte-level tokenizer without [CLS]: a token a letter, one letter joined to the space before it."""
    vocab = {token: place for place, token in enumerate([*LETTERS, "Ġx", "<|endoftext|>"])}
    tokenizer = GPT2Tokenizer(vocab=vocab, merges=[("Ġ", "x")], pad_token="<|endoftext|>", padding_side=side)
    return Encoding(tokenizer, None, kind, maxlength)


def bert_model(encoding):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(encoding.tokenizer), max_position_embeddings=64, **sizes)
    return BertForQuestionAnswering(config).eval()


def example(question, context, *answers, id=0):
    return Example(id, question, pair=context, answers=tuple((text, context.index(text)) for text in answers))


def tokens(encoding, feature):
    return encoding.tokenizer.convert_ids_to_tokens(feature["input_ids"])


def answer_tokens(encoding, feature):
    return tokens(encoding, feature)[feature["start_positions"] : feature["end_positions"] + 1]


def perfect(features):
    """Logits of a model that points exactly where the gold positions are, at the null token more surely still."""
    rows = []
    for feature in features:
        row = {name: np.zeros(len(feature["input_ids"]), dtype=np.float32) for name in ("start", "end")}
        height = 12 if feature["start_positions"] == feature["null"] else 10
        row["start"][feature["start_positions"]] = row["end"][feature["end_positions"]] = height
        rows.append(row)
    return rows


def round_trip(examples, encoding):
    features = RECIPE.encode(examples, encoding, True)
    return RECIPE.decode(perfect(features), features, examples, encoding)


LONG = " ".join(f"w{i}" for i in range(100))


def test_an_answer_that_ends_the_context_has_exact_positions():
    encoding = bert()
    features = RECIPE.encode([example("how many ?", "1 yellow onion", "onion")], encoding, True)
    assert answer_tokens(encoding, features[0]) == ["onion"]
    batch = RECIPE.collate(encoding)([*features, *RECIPE.encode([example("", LONG[:90], "w1")], encoding, True)])
    start, end = batch["start_positions"][0], batch["end_positions"][0]
    assert start == end == features[0]["input_ids"].index(encoding.tokenizer.convert_tokens_to_ids("onion"))


def test_an_answer_that_is_the_whole_context_has_exact_positions():
    encoding = bert()
    [feature] = RECIPE.encode([example("how many ?", "1 yellow onion", "1 yellow onion")], encoding, True)
    assert answer_tokens(encoding, feature) == ["1", "yellow", "onion"]


def test_the_first_gold_answer_trains():
    encoding = bert()
    [feature] = RECIPE.encode([example("which ?", "red onion and yellow onion", "yellow", "red")], encoding, True)
    assert answer_tokens(encoding, feature) == ["yellow"]


def test_an_answer_within_a_token_takes_the_whole_token():
    encoding = bert()
    for answer in (("onion", 4), ("nions", 5)):
        [feature] = RECIPE.encode([Example(0, "which ?", pair="red onions .", answers=(answer,))], encoding, True)
        assert answer_tokens(encoding, feature) == ["onions"]


def test_white_space_around_an_answer_changes_nothing():
    encoding = gpt2()
    [feature] = RECIPE.encode([Example(0, "q", pair="a bc d", answers=((" bc ", 1),))], encoding, True)
    assert answer_tokens(encoding, feature) == ["b", "c"]


def test_the_question_is_stripped_on_the_left():
    encoding = gpt2()  # keeps white space
    plain, blank = RECIPE.encode([example("one?", "red"), example("  one?", "red")], encoding, False)
    assert plain["input_ids"] == blank["input_ids"]


def test_no_answer_points_at_cls():
    encoding = bert()
    [feature] = RECIPE.encode([Example(0, "which ?", pair="red onion", answers=())], encoding, True)
    assert (feature["start_positions"], feature["end_positions"]) == (0, 0)
    assert feature["input_ids"][0] == encoding.tokenizer.cls_token_id


def test_long_contexts_become_chunks_that_lose_nothing():
    encoding = bert(maxlength=32, stride=8)
    features = RECIPE.encode([example("which one ?", LONG, "w50")], encoding, True)
    assert len(features) > 3
    assert all(len(feature["input_ids"]) <= 32 for feature in features)
    covered = {LONG[s:e] for f in features for s, e in zip(f["starts"], f["ends"], strict=True) if s >= 0}
    assert covered == set(LONG.split())


def test_a_chunk_without_the_whole_answer_points_at_cls():
    encoding = bert(maxlength=32, stride=8)
    features = RECIPE.encode([example("which one ?", LONG, "w24 w25 w26")], encoding, True)
    held = [feature for feature in features if feature["start_positions"] != 0]
    partial = [
        feature
        for feature in features
        if feature["start_positions"] == 0 and {"w24", "w25", "w26"} & set(tokens(encoding, feature))
    ]
    assert [answer_tokens(encoding, feature) for feature in held] == [["w24", "w25", "w26"]]
    assert partial  # the answer does cross a chunk's border here
    assert all(feature["end_positions"] == 0 for feature in features if feature not in held)


def test_the_default_stride_works_on_a_small_model():
    encoding = bert(maxlength=16)
    assert encoding.stride == 128
    features = RECIPE.encode([example("which one ?", LONG, "w99")], encoding, True)
    assert answer_tokens(encoding, features[-1]) == ["w99"]


def test_an_examples_chunks_do_not_depend_on_its_neighbours():
    encoding = bert(maxlength=16)
    examples = [example("which one is it ?", LONG, "w9"), example("one ?", LONG, "w9", id=1)]
    alone = [RECIPE.encode([one], encoding, True) for one in examples]
    together = RECIPE.encode(examples, encoding, True)
    assert [f["input_ids"] for f in together] == [f["input_ids"] for own in alone for f in own]
    assert [f["example"] for f in together] == sorted(f["example"] for f in together)


def test_a_question_too_long_is_cut_and_counted():
    encoding = bert(maxlength=19)  # 16 tokens beside the three special ones: 8 for the question
    [feature] = RECIPE.encode([example("one " * 20, "red onion", "onion")], encoding, True)
    assert tokens(encoding, feature).count("one") == 8
    assert feature["lost"] == 12
    assert answer_tokens(encoding, feature) == ["onion"]


def test_a_maxlength_without_room_is_refused():
    with pytest.raises(ConfigError, match="'maxlength' is 4: expected at least 5"):
        RECIPE.encode([example("one", "red")], bert(maxlength=4), False)


def test_a_slow_tokenizer_is_refused():
    encoding = Encoding(ByT5Tokenizer(), None, "answerable", 64)
    with pytest.raises(ConfigError, match="'ByT5Tokenizer': expected a fast tokenizer"):
        RECIPE.encode([example("one", "red")], encoding, False)


def test_left_padding_puts_the_context_first_and_moves_positions():
    encoding = gpt2()
    examples = [example("q?", "ab cd", "cd"), example("q?", "a longer one", "one")]
    features = RECIPE.encode(examples, encoding, True)
    assert tokens(encoding, features[0])[:5] == ["a", "b", "Ġ", "c", "d"]
    batch = RECIPE.collate(encoding)(features)
    found = [
        encoding.tokenizer.decode(ids[start : end + 1])
        for ids, start, end in zip(batch["input_ids"], batch["start_positions"], batch["end_positions"], strict=True)
    ]
    assert found == ["cd", "one"]
    assert batch["attention_mask"][0, 0] == 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_without_a_cls_token_the_first_token_stands_for_no_answer(side):
    encoding = gpt2(kind="mixed", side=side)
    [feature] = RECIPE.encode([Example(0, "q?", pair="ab", answers=())], encoding, True)
    assert (feature["start_positions"], feature["end_positions"], feature["null"]) == (0, 0, 0)
    [prediction] = round_trip([Example(0, "q?", pair="ab", answers=())], encoding)
    assert prediction.answer == ""


def test_without_a_cls_token_chunks_without_answer_do_not_vote_for_their_first_token():
    encoding = gpt2(maxlength=16)
    context = " ".join("abcdefghijklmnopqrstuvwxyz")
    [prediction] = round_trip([example("q?", context, "y z")], encoding)
    assert (prediction.answer, prediction.start, prediction.end) == ("y z", 48, 51)


def test_every_answer_comes_back_from_perfect_logits_over_chunks():
    encoding = bert(maxlength=24, stride=8)
    examples = [example("which one ?", LONG, f"w{i} w{i + 1}", id=i) for i in range(99)]
    predictions = round_trip(examples, encoding)
    assert [prediction.id for prediction in predictions] == list(range(99))
    for one, prediction in zip(examples, predictions, strict=True):
        assert one.answers == ((prediction.answer, prediction.start),)
        assert one.pair[prediction.start : prediction.end] == prediction.answer


def logits(feature, start=(), end=()):
    """Logits by token text; everything else 0."""
    encoding = bert()
    names = tokens(encoding, feature)
    row = {"start": np.zeros(len(names)), "end": np.zeros(len(names))}
    for side, values in (("start", start), ("end", end)):
        for name, value in dict(values).items():
            row[side][names.index(name)] = value
    return row


def decoded(start, end, context="red yellow onion", kind="answerable"):
    encoding = bert(kind=kind)
    examples = [Example(7, "which one ?", pair=context)]
    features = RECIPE.encode(examples, encoding, False)
    return RECIPE.decode([logits(features[0], start, end)], features, examples, encoding)[0]


def test_an_answer_never_ends_before_it_starts():
    prediction = decoded({"onion": 5}, {"red": 4})
    assert (prediction.answer, prediction.start, prediction.end) == ("onion", 11, 16)


def test_an_answer_is_never_in_the_question():
    prediction = decoded({"which": 50, "yellow": 1}, {"one": 50, "onion": 1})
    assert prediction.answer == "yellow onion"


def test_an_answer_has_at_most_thirty_tokens():
    encoding = bert(maxlength=64)
    context = " ".join(f"w{i}" for i in range(40))
    examples = [Example(0, "one ?", pair=context)]
    features = RECIPE.encode(examples, encoding, False)
    row = logits(features[0], {"w0": 9}, {"w39": 9, "w29": 5})
    [prediction] = RECIPE.decode([row], features, examples, encoding)
    assert prediction.answer == " ".join(f"w{i}" for i in range(LONGEST))


def test_the_score_is_the_probability_among_the_best_spans():
    # two tokens: spans "red" 2+0, "red onion" 2+1, "onion" 0+1
    prediction = decoded({"red": 2}, {"onion": 1}, context="red onion")
    assert prediction.answer == "red onion"
    assert prediction.score == pytest.approx(np.exp(3) / (np.exp(3) + np.exp(2) + np.exp(1)))


def test_white_space_is_no_answer_and_no_part_of_one():
    encoding = gpt2()
    examples = [Example(0, "q?", pair="a b xyz")]
    [feature] = RECIPE.encode(examples, encoding, False)
    row = {name: np.zeros(len(feature["input_ids"])) for name in ("start", "end")}
    row["start"][1] = row["end"][1] = 9  # the space between a and b
    row["start"][3] = row["end"][5] = 8  # from the x that holds its space to the z
    [prediction] = RECIPE.decode([row], [feature], examples, encoding)
    assert tokens(encoding, feature)[:6] == ["a", "Ġ", "b", "Ġx", "y", "z"]
    assert (prediction.answer, prediction.start, prediction.end) == ("b xyz", 2, 7)


def test_no_answer_only_where_the_data_have_such():
    start = {"[CLS]": 3, "red": 1}
    end = {"[CLS]": 3, "red": 1}
    assert decoded(start, end, context="red").answer == "red"
    none = decoded(start, end, context="red", kind="mixed")
    assert (none.answer, none.start, none.end) == ("", None, None)
    assert none.score == pytest.approx(np.exp(6) / (np.exp(6) + np.exp(2)))
    assert decoded({"red": 4}, {"red": 4}, context="red", kind="mixed").answer == "red"


def test_one_chunk_that_holds_the_answer_is_enough_against_no_answer():
    [prediction] = round_trip([example("which ?", LONG, "w70")], bert(maxlength=24, kind="mixed"))
    assert prediction.answer == "w70"
    [prediction] = round_trip([Example(0, "which ?", pair=LONG, answers=())], bert(maxlength=24, kind="mixed"))
    assert prediction.answer == ""


def test_an_empty_context_has_no_answer():
    [prediction] = round_trip([Example(3, "which ?", pair="", answers=())], bert())
    assert (prediction.id, prediction.answer, prediction.score) == (3, "", 0.0)


def gold_batch(encoding):
    examples = [example("which ?", "red onion", "onion"), example("which one is it ?", "the yellow one", "the yellow")]
    return RECIPE.collate(encoding)(RECIPE.encode([*examples, *examples[:1]], encoding, True))


def test_the_loss_is_that_of_transformers_where_nothing_is_padded():
    encoding = bert()
    model, loss = bert_model(encoding), SpanLoss()
    batch = {key: value[1:2] for key, value in gold_batch(encoding).items()}  # the longest row
    assert bool(batch["real"].all())
    taken = {key: value for key, value in batch.items() if key != "real"}
    assert torch.allclose(loss(model(**taken), batch), model(**taken).loss)
    batch["end_positions"] = torch.tensor([60])  # beyond the batch's tokens: no loss item
    assert loss.count(batch).tolist() == [1, 0]


def test_the_loss_of_a_row_does_not_depend_on_the_longest_row_beside_it():
    encoding = bert()
    model, loss = bert_model(encoding), SpanLoss()
    features = RECIPE.encode([example("which ?", "red onion", "onion")], encoding, True)
    alone, wide = RECIPE.collate(encoding)(features), RECIPE.collate(replace(encoding, pad_to=32))(features)
    assert wide["input_ids"].shape[1] > alone["input_ids"].shape[1]
    values = [loss(model(input_ids=b["input_ids"], attention_mask=b["attention_mask"]), b) for b in (alone, wide)]
    assert torch.allclose(*values, atol=1e-6)


def test_micro_batches_add_up_to_the_large_batch():
    encoding = bert()
    model, batch, loss = bert_model(encoding), gold_batch(encoding), SpanLoss()
    batch["end_positions"][0] = 60

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
        return total, model.qa_outputs.weight.grad.clone()

    whole, whole_gradient = gradient([slice(0, 3)])
    summed, summed_gradient = gradient([slice(0, 2), slice(2, 3)])
    assert summed == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(summed_gradient, whole_gradient, atol=1e-6)


def test_a_real_models_outputs_decode():
    encoding = bert(maxlength=24)
    examples = [example("which one ?", LONG, id="a"), example("which ?", "red onion", id="b")]
    features = RECIPE.encode(examples, encoding, True)
    outputs = RECIPE.outputs(bert_model(encoding), RECIPE.collate(encoding)(features), encoding)
    rows = [
        {key: value[place, : len(feature["input_ids"])].detach().numpy() for key, value in outputs.items()}
        for place, feature in enumerate(features)
    ]
    for one, prediction in zip(examples, RECIPE.decode(rows, features, examples, encoding), strict=True):
        assert prediction.id == one.id
        assert prediction.answer == one.pair[prediction.start : prediction.end] != ""
        assert 0 < prediction.score <= 1


def test_a_left_padded_decoder_learns_one_answer():
    encoding = gpt2()
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(encoding.tokenizer), n_positions=64, n_embd=16, n_layer=1, n_head=2, pad_token_id=96
    )
    model, loss = GPT2ForQuestionAnswering(config), SpanLoss()
    examples = [example("q?", "ab cd", "cd"), example("why?", "a b xyz end", "xyz")]
    features = RECIPE.encode(examples, encoding, True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(60):
        batch = RECIPE.collate(encoding)(features)
        targets = {key: batch.pop(key) for key in loss.targets}
        value = loss(model(**batch), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    model.eval()
    outputs = RECIPE.outputs(model, RECIPE.collate(encoding)(features), encoding)
    rows = [
        {key: value[place, -len(feature["input_ids"]) :].detach().numpy() for key, value in outputs.items()}
        for place, feature in enumerate(features)
    ]
    assert [p.answer for p in RECIPE.decode(rows, features, examples, encoding)] == ["cd", "xyz"]


def test_no_examples_give_no_features():
    assert RECIPE.encode([], bert(), True) == []
    assert RECIPE.decode([], [], [], bert()) == []
