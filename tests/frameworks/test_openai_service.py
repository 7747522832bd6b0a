"""The service of the tests refuses what the real one refuses, so that the other tests can fail."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from openai_service import BASE, KEY, Service

CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a"}]}


@pytest.fixture
def client(service: Service) -> Any:
    with openai.OpenAI(base_url=service.url, api_key=KEY, max_retries=0) as client:
        yield client


def upload(client: Any, rows: list[Any], purpose: Any = "fine-tune", name: str = "train.jsonl") -> Any:
    content = "\n".join(map(json.dumps, rows)).encode()
    return client.files.create(file=(name, content), purpose=purpose)


@pytest.mark.parametrize(
    "row",
    [
        {**CHAT, "id": "1"},
        {"messages": CHAT["messages"][:1]},
        {"messages": CHAT["messages"][::-1]},
        {"messages": [{"role": "user", "content": 1}, CHAT["messages"][1]]},
        {"messages": [{**CHAT["messages"][0], "row": 3}, CHAT["messages"][1]]},
        {"prompt": "hi", "completion": "a"},
    ],
)
def test_rows_that_are_no_chats_are_refused(client: Any, row: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="line 2"):
        upload(client, [CHAT, row])


def test_another_purpose_and_another_ending_are_refused(client: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="with the purpose fine-tune"):
        upload(client, [CHAT], purpose="batch")
    with pytest.raises(openai.BadRequestError, match=r"expected a \.jsonl file"):
        upload(client, [CHAT], name="train.csv")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"model": "gpt-9"}, "not available"),
        ({"training_file": "file-9"}, "no file file-9"),
        ({"validation_file": "file-9"}, "no file file-9"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"method": {"type": "dpo"}}, "method"),
        ({"method": {"type": "supervised", "supervised": {"hyperparameters": {"epochs": 1}}}}, "method"),
        ({"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "3"}}}}, "method"),
        ({"hyperparameters": {"n_epochs": 1}}, "unknown parameters"),
        ({"extra_body": {"n_epochs": 1}}, "unknown parameters"),
    ],
)
def test_a_job_that_breaks_the_rules_is_refused(client: Any, wanted: Any, told: str) -> None:
    file = upload(client, [CHAT] * 10).id
    with pytest.raises(openai.APIStatusError, match=told):
        client.fine_tuning.jobs.create(**{"model": BASE, "training_file": file, **wanted})
    client.fine_tuning.jobs.create(model=BASE, training_file=file)


def test_nine_rows_and_another_key_are_refused(client: Any, service: Service) -> None:
    file = upload(client, [CHAT] * 9).id
    with pytest.raises(openai.BadRequestError, match="9 rows, 10 are needed"):
        client.fine_tuning.jobs.create(model=BASE, training_file=file)
    with pytest.raises(openai.AuthenticationError), openai.OpenAI(base_url=service.url, api_key="sk-other") as other:
        other.files.retrieve(file)
