"""The Spark session that Spark NLP runs in: a running one that has its JVM package, or a new one with its jar."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, NoJvmPackage, NotInstalled

VARIABLE = "TUNESMITH_SPARK_NLP_JAR"
_NAME = "spark-nlp"
_ANEW = f"start Python anew, and name the jar by jar= or {VARIABLE} before Spark is used"


def check_installed() -> None:
    """Raises: NotInstalled, where pyspark or the Python package of Spark NLP is missing."""
    for module, package in (("pyspark", "pyspark"), ("sparknlp", _NAME)):
        if importlib.util.find_spec(module) is None:
            raise NotInstalled(package, _NAME, "training by Spark NLP")


def check_jar(jar: str | None) -> None:
    """Nothing is started.

    Raises:
        NoJvmPackage: no session is active, and no jar was named. ConfigError: `jar` names no file.
    """
    from pyspark.sql import SparkSession

    if SparkSession.getActiveSession() is None:
        _jar(jar)


def open_session(jar: str | None, memory: str) -> Any:
    """A session whose JVM has Spark NLP: the one that is active, or a local one that is started with the jar.

    Raises:
        NotInstalled: a Python package is missing. NoJvmPackage: there is no jar, no Java, or a session without it.
        ConfigError: `jar` names no file.
    """
    check_installed()
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        if not has_package(active):
            raise NoJvmPackage(_NAME, f"the Spark session that runs was started without its jar: {_ANEW}")
        return active
    found = _jar(jar)
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        raise NoJvmPackage(_NAME, "Java is not installed: Spark 4 needs Java 17")
    builder = SparkSession.builder.appName("tunesmith").master("local[*]")
    for key, value in _conf(found, memory).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    if not has_package(session):
        session.stop()
        raise NoJvmPackage(_NAME, f"{found} does not hold it, or Spark had been started without it before: {_ANEW}")
    return session


def _conf(jar: str, memory: str) -> Mapping[str, str]:
    """What `sparknlp.start` sets, with the jar in the place of a download."""
    return {
        "spark.jars": jar,
        "spark.driver.memory": memory,
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryoserializer.buffer.max": "2000M",
        "spark.driver.maxResultSize": "0",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _jar(given: str | None) -> str:
    named = given or os.environ.get(VARIABLE)
    if not named:
        told = f"its jar was not named: set jar= or {VARIABLE} to it, or start a Spark session with it"
        raise NoJvmPackage(_NAME, told)
    if given and not Path(given).is_file():
        raise ConfigError("jar", given, "the path of the jar of Spark NLP, a file")
    if not Path(named).is_file():
        told = f"{VARIABLE} is {named!r}, where no file is: set it to the jar of Spark NLP"
        raise NoJvmPackage(_NAME, told)
    return str(Path(named).absolute())


def has_package(session: Any) -> bool:
    """Whether the session's JVM knows the classes of Spark NLP; one of Spark Connect has no JVM to ask."""
    from py4j.java_gateway import JavaClass

    jvm = getattr(session, "_jvm", None)
    return jvm is not None and isinstance(jvm.com.johnsnowlabs.nlp.DocumentAssembler, JavaClass)
