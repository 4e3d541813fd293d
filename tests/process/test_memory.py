"""What a process holds once it has let go."""

import subprocess
import sys
from pathlib import Path

import pytest

LARGE_AND_FREED = """
from pathlib import Path
from muniment.process import give_back_what_is_freed

def held():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])

give_back_what_is_freed()
bytearray(30_000_000)  # from which malloc learns that such blocks come and go
before = held()
large = bytearray(28_000_000)
large[::4096] = bytes(len(large[::4096]))
small = [bytearray(5_000) for _ in range(10)]  # above it, where both are in a heap
del large
print((held() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
def test_what_is_freed_goes_back_to_the_system():
    said = subprocess.run([sys.executable, "-c", LARGE_AND_FREED], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 8, "MB are held"
