"""What of Python's warnings reaches a user of the command line."""

import subprocess
import sys

SCRIPT = """
import warnings
from tunesmith.cli import quiet

quiet.hush()
for kind, module in [(UserWarning, "tunesmith.run"), (ResourceWarning, "tunesmith.run"), (UserWarning, "torch")]:
    warnings.warn_explicit(f"{kind.__name__} of {module}", kind, "file.py", 1, module=module)
"""


def test_our_warnings_are_one_line_and_what_is_collected_meanwhile_is_none():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stderr == "tunesmith: warning: UserWarning of tunesmith.run\n"
