"""Run by test_real_client with the Python of an environment that has argilla 1.29.1: an address and two keys follow.

What it finds is printed as one JSON object, its last line.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

import argilla as rg  # noqa: E402
from argilla.client.sdk.commons.errors import BaseClientError  # noqa: E402

URL, KEY, LOWER = sys.argv[1:4]
found = {}


def error_of(call):
    try:
        call()
    except (BaseClientError, ValueError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always", UserWarning)
    rg.init(api_url=URL, api_key=KEY, workspace="team")
found["warnings"] = [str(each.message) for each in told if issubclass(each.category, UserWarning)]
found["workspace"] = rg.get_workspace()
found["workspaces"] = sorted(each.name for each in rg.list_workspaces())

classified = [
    rg.TextClassificationRecord(
        inputs={"title": f"title {n}", "body": f"the body of number {n}"},
        prediction=[("good", 0.75), ("bad", 0.25)],
        prediction_agent="model",
        annotation="good" if n % 2 else None,
        annotation_agent="ada" if n % 2 else None,
        vectors={"v": [float(n), 1.0]},
        metadata={"n": n, "split": "train" if n < 200 else "test"},
        id=f"r{n}",
    )
    for n in range(250)
]
classified[0] = rg.TextClassificationRecord(
    text="Ünïcode, a\nnew line and 🙂",
    annotation=["a", "b"],
    multi_label=True,
    explanation={"text": [rg.TokenAttributions(token="new", attributions={"a": 0.5})]},
    id="r0",
    metadata={"split": "train", "deep": {"list": [1, None, "x"]}},
    status="Edited",
)
logged = rg.log(classified, name="classified", tags={"made": "here"}, metadata={"source": "test"}, verbose=False)
found["logged"] = [logged.dataset, logged.processed, logged.failed]
again = rg.log(classified, name="classified", verbose=False)
found["again"] = again.processed

tagged = [
    rg.TokenClassificationRecord(
        text="Ada met Bob in Paris",
        tokens=["Ada", "met", "Bob", "in", "Paris"],
        prediction=[("PER", 0, 3, 0.5), ("PER", 8, 11, 0.25)],
        annotation=[("PER", 0, 3), ("LOC", 15, 20)],
        id="t1",
    ),
    rg.TokenClassificationRecord(text="nothing here", tokens=["nothing", "here"], annotation=[], id="t2"),
]
rg.log(tagged, name="tagged", verbose=False)
written = [
    rg.Text2TextRecord(text="guten Tag", prediction=[("good day", 0.5), "hello"], annotation="hello", id="w1"),
    rg.Text2TextRecord(text="danke", id="w2"),
]
rg.log(written, name="written", verbose=False, background=True).result()


def plain(record, like):
    """The fields, without those that the server or the client makes up where they are not set."""
    agents = {each for each in ("prediction_agent", "annotation_agent") if not like[each]}
    left = {"metrics", "search_keywords"} | agents
    return {name: value for name, value in record.dict().items() if name not in left}


def same(name, records):
    loaded = {record.id: record for record in rg.load(name)}
    both = [(plain(loaded[each.id], each.dict()), plain(each, each.dict())) for each in records]
    return [len(loaded), [pair for pair in both if pair[0] != pair[1]][:1]]


found["classified"] = same("classified", classified)
found["tagged"] = same("tagged", tagged)
found["written"] = same("written", written)
found["order"] = [record.id for record in rg.load("classified")] == [record.id for record in classified]
found["times"] = rg.load("classified", limit=1)[0].event_timestamp == classified[0].event_timestamp

found["query"] = len(rg.load("classified", query="status:Validated AND metadata.split:train"))
found["text"] = [record.id for record in rg.load("classified", query='"number 17"')]
found["ids"] = [record.id for record in rg.load("classified", ids=["r3", "r1", "nobody"])]
found["both"] = [record.id for record in rg.load("classified", ids=["r3", "r4"], query="status:Validated")]
found["limit"] = [len(rg.load("classified", limit=n)) for n in (1, 2, 249, 250, 1000)]
found["sort"] = [record.id for record in rg.load("classified", sort=[("metadata.n", "desc")], limit=3, batch_size=2)]
found["from"] = [record.id for record in rg.load("classified", id_from="r247")]
found["no vectors"] = rg.load("classified", ids=["r5"], include_vectors=False)[0].vectors
found["vector"] = [record.id for record in rg.load("classified", vector=("v", [1.0, 1.0]), limit=2)]
found["bad query"] = error_of(lambda: rg.load("classified", query="status:(Validated"))
found["unknown"] = error_of(lambda: rg.load("nothing-here"))
found["workspace error"] = error_of(lambda: rg.set_workspace("nobodys"))
found["task error"] = error_of(lambda: rg.log(written, name="tagged", verbose=False))

bad = rg.TextClassificationRecord(text="x", id="bad", prediction=[("a", 7.0)])
found["bad score"] = error_of(lambda: rg.log(bad, name="never-made", verbose=False))
found["single label list"] = error_of(
    lambda: rg.log(
        [
            rg.TextClassificationRecord(text="fine", id="fine"),
            rg.TextClassificationRecord(text="x", annotation=["a", "b"], id="bad"),
        ],
        name="never-made",
        verbose=False,
    )
)

settings = rg.TextClassificationSettings(label_schema=["zebra", "ape", "good"])
rg.configure_dataset_settings("classified", settings)
rg.configure_dataset_settings("empty", settings, workspace="team")
found["settings"] = [list(rg.load_dataset_settings(name).label_schema) for name in ("classified", "empty")]
found["no settings"] = rg.load_dataset_settings("tagged")
found["length of empty"] = len(rg.load("empty"))

rg.copy("classified", name_of_copy="copied")
found["copied"] = len(rg.load("copied"))
rg.copy("tagged", name_of_copy="tagged", workspace="other")
found["elsewhere"] = len(rg.load("tagged", workspace="other"))
rg.set_workspace("team")
found["copy taken"] = error_of(lambda: rg.copy("classified", name_of_copy="copied"))

found["deleted"] = list(rg.delete_records("copied", ids=["r1", "r2"]))
found["discarded"] = list(rg.delete_records("copied", query="metadata.split:test", discard_only=True))
found["left"] = [len(rg.load("copied")), len(rg.load("copied", query="status:Discarded"))]
found["datasets"] = sorted((each.name, each.workspace, each.task.value) for each in rg.list_datasets(workspace="team"))
found["all"] = sorted({each.workspace for each in rg.list_datasets()})
tags = next(each for each in rg.list_datasets() if each.name == "classified")
found["tags"] = [tags.tags, tags.metadata]
rg.delete("copied")
found["after"] = sorted(each.name for each in rg.list_datasets(workspace="team"))
found["deleted twice"] = error_of(lambda: rg.delete("copied"))

rg.init(api_url=URL, api_key=LOWER, workspace="team")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    found["may not delete"] = list(rg.delete_records("tagged", ids=["t1"]))
found["discarded in place"] = {record.id: record.status for record in rg.load("tagged")}
found["may not make"] = error_of(lambda: rg.log(written, name="made", verbose=False))
rg.log(rg.load("written"), name="written", verbose=False)
print(json.dumps(found))
