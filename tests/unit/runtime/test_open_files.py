"""A process takes the open files that it is allowed."""

import subprocess
import sys

START = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 4096)))
"""


def limit_after(code: str) -> int:
    said = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True, timeout=30)
    return int(said.stdout)


def test_a_low_soft_limit_is_lifted_to_the_hard_one() -> None:
    lifted = "from chatterbus_runtime.open_files import allow_many\nallow_many()\n"
    assert limit_after(lifted + "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])") == 4096


def test_a_service_starts_with_it_lifted() -> None:
    run = """
from chatterbus_runtime.lifecycle import run
async def main(lifecycle):
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
run(main)
"""
    assert limit_after(run) == 4096
