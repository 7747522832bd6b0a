"""What can be set of a model that OpenAI's service tunes: names are the service's own where it has them."""

from __future__ import annotations

from typing import Any

from ..declaring import argument, table

METHOD = ("n_epochs", "batch_size", "learning_rate_multiplier")
_LONGEST = 64  # characters of a suffix


def _auto(whole: bool) -> dict[str, Any]:
    """What `argument` takes for a number that the service may choose."""

    def read(value: Any) -> Any:
        if value in (None, "auto"):
            return "auto"
        number = value if isinstance(value, bool) else float(value)
        if isinstance(number, bool) or not 0 < number < float("inf") or (whole and number != int(number)):
            raise ValueError
        return int(number) if whole else number

    told = "a whole number from 1" if whole else "a number above 0"
    return {"type": f"{'int' if whole else 'float'} | str", "read": read, "expected": f"{told}, or 'auto'"}


def _suffix(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise ValueError
    return value


ARGUMENTS = table(
    [
        argument("n_epochs", "auto", "Times that the rows are trained on; auto: the service decides.", **_auto(True)),
        argument("batch_size", "auto", "Rows in a batch; auto: the service decides.", **_auto(True)),
        argument(
            "learning_rate_multiplier",
            "auto",
            "Factor of the service's own learning rate; auto: the service decides.",
            **_auto(False),
        ),
        argument(
            "suffix",
            None,
            "Text that the name of the tuned model gets.",
            type="str | None",
            read=_suffix,
            expected=f"a text of at most {_LONGEST} characters",
        ),
        argument(
            "system", None, "Message that opens each chat; none: one that names the labels is made.", type="str | None"
        ),
        argument(
            "base_url",
            None,
            "Address of a compatible service; none: OPENAI_BASE_URL, or OpenAI's own.",
            type="str | None",
        ),
        argument(
            "price_per_million_tokens",
            None,
            "What a million training tokens cost, for the cost that is told before an upload.",
            type="float | None",
            lowest=0,
        ),
        argument("yes", False, "Upload the rows, start the job and send what is scored without asking."),
        argument("poll_interval", 10.0, "Seconds between two looks at the job.", lowest=0.01),
        argument("timeout", 86400.0, "Seconds to wait for the job, which goes on at the service.", lowest=0),
        argument("request_timeout", 120.0, "Seconds that one request may take.", lowest=0.1),
        argument("retries", 5, "Times that a request is tried again where that may help.", lowest=0),
        argument("concurrency", 8, "Texts that are predicted at a time.", lowest=1),
    ]
)
