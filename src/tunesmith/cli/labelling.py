"""`tunesmith records predict` and `tunesmith records next`: the model's part of labelling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

from . import flags, quiet, records, tables

_WIDTH = 60  # characters of a text that the table shows
_WINDOW = 100  # records that are predicted and stored at once


def predict(argv: Sequence[str]) -> int:
    """Predict the records of a data set and store the predictions, with the run as their agent; the exit code.

    A window of records at a time: what was stored before an error stays. Others may go on labelling meanwhile.
    """
    parser = records.of_dataset("records predict", "Predictions of a trained model, stored with the records.")
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--query", metavar="Q", help=records.QUERY_HELP)
    parser.add_argument("--limit", metavar="N", help="only the first N")
    parser.add_argument("--batch-size", metavar="N", help="records in a batch [32, fewer of long texts on a CPU]")
    given = parser.read(argv)
    limit, batch_size = records.count("--limit", given.limit), records.count("--batch-size", given.batch_size)
    quiet.hush()
    from ..argilla_trainer import ArgillaTrainer
    from ..records.predicted import check_fits, check_kind, store

    trainer = ArgillaTrainer.load(given.run)
    labels = trainer.get_trainer().framework_model.labels
    seen = done = 0
    with records.opened(given) as holder:
        name, place = given.name, given.workspace
        check_fits(trainer.task, labels, holder.dataset(name, place).task, holder.settings(name, place))
        found = islice(holder.iterate(name, place, query=given.query), limit)
        while window := list(islice(found, _WINDOW)):
            seen += len(window)
            check_kind(labels, window)
            done += store(holder, name, place, window, trainer.predict(window, batch_size=batch_size))
    print(f"predicted {records.many(done)} of {name!r} by {given.run}")
    if done < seen:
        print(f"{records.many(seen - done)} changed or went meanwhile, and got no prediction")
    return 0


def next_(argv: Sequence[str]) -> int:
    """Print the records to label next, the most useful first; the exit code."""
    from ..records.asking import STRATEGIES, next_of
    from ..records.feeding import input_of

    parser = flags.Parser("records next", "The records to label next, the most useful first.")
    parser.add_argument("dataset", metavar="NAME", nargs="?", help="name of the data set")
    parser.add_argument("--name", metavar="NAME", help="the same")
    parser.add_argument("--strategy", metavar="S", default=STRATEGIES[0], help=f"{', '.join(STRATEGIES)} [uncertainty]")
    parser.add_argument("--limit", metavar="N", default="50", help="how many [50]")
    parser.add_argument("--query", metavar="Q", help=records.QUERY_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON line a record: id, score, why, text")
    records.shared(parser)
    given = parser.read(argv)
    limit = records.count("--limit", given.limit)
    name = given.dataset or given.name
    if not name:
        raise flags.usage_error("NAME is missing: expected a data set, as `tunesmith records next reviews`.")
    if given.dataset and given.name:
        raise flags.usage_error(f"two data sets are named, {given.dataset!r} and {given.name!r}: expected one.")
    with records.opened(given) as holder:
        found = next_of(holder, name, given.workspace, given.strategy, limit=limit or 50, query=given.query)
    if given.json:
        for each in found:
            told = {"id": each.record.id, "score": round(each.score, 4), "why": each.why, "text": input_of(each.record)}
            print(json.dumps(told, ensure_ascii=False))
    elif found:
        rows = [[str(e.record.id), f"{e.score:.3f}", e.why, _short(input_of(e.record))] for e in found]
        print(tables.grid(["id", "score", "why", "text"], rows))
    else:
        print(f"no record of {name!r} stands out by {given.strategy}.")
    return 0


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _WIDTH else plain[: _WIDTH - 1] + "…"
