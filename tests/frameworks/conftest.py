"""A service for a file's tests, and a Spark session."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import openai_service
from openai_service import KEY, Service
from tunesmith.frameworks import openai_calls
from tunesmith.frameworks.spark_nlp_session import VARIABLE


@pytest.fixture(scope="module")
def openai_running() -> Iterator[Service]:
    with openai_service.run() as running:
        yield running


@pytest.fixture
def service(openai_running: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, knowing nothing."""
    openai_running.forget()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", openai_running.url)
    monkeypatch.setattr(openai_calls, "FIRST_WAIT", 0.01)
    return openai_running


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Spark on this machine; with Spark NLP where its jar is named, for a process has one Java virtual machine."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not installed")
    sql = pytest.importorskip("pyspark.sql")
    patch = pytest.MonkeyPatch()
    patch.setenv("PYSPARK_PYTHON", sys.executable)
    patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    if jar := os.environ.get(VARIABLE):
        builder = builder.config("spark.jars", jar).config("spark.driver.memory", "4G")
    made = builder.config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    made.range(1).collect()  # the first job is slow
    yield made
    made.stop()
    patch.undo()
