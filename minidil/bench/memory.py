"""Peak memory of a training step, as the operating system counts it for a whole process, and how soon the first step is done."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from minidil.bench.training import training_step
from minidil.errors import BackendError, OptionError
from minidil.kernels.threads import num_threads, set_num_threads

_STEPS = 3  # what is kept between steps, such as momentum, is there from the second on


def peak_memory(library: str, batch: int = 128) -> dict[str, Any]:
    """Run three training steps of vgg_small in a fresh process.

    Returns: the peak resident memory in MiB (`peak`), what the process held before the first step (`before`), and the seconds
        from the start of the process to the end of that step (`first_step`): importing, building the model, compiling what was
        never compiled on this machine.
    Raises: BackendError with the last line of what the process said if it failed, OptionError on Windows.
    """
    if sys.platform == "win32":
        raise OptionError(
            "bench memory: Windows does not report a process's peak memory in the way that is needed here"
        )
    command = [sys.executable, "-m", "minidil.bench.memory", library, str(batch), str(num_threads()), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BackendError(f"bench memory: the process for {library} failed: {said}")
    before, peak, first_step = map(float, done.stdout.split())
    measured = {"before": before, "peak": peak, "first_step": first_step}
    return {"case": f"vgg_small, batch {batch}", "library": library, **measured}


def _resident() -> float:
    """The peak resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if (
        status.exists()
    ):  # Linux's getrusage would count the parent as well, up to the moment this process was started from it
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)


def main(words: list[str]) -> None:
    """Print memory before and peak, and seconds to the end of the first step: the process that `peak_memory` starts."""
    library, batch, threads, started = words
    set_num_threads(int(threads))
    step = training_step(library, int(batch), ((1, 2), (1, 2), (1, 2)))
    before = _resident()
    step()
    first_step = time.time() - float(started)
    for _ in range(_STEPS - 1):
        step()
    print(before, _resident(), first_step)


if __name__ == "__main__":
    main(sys.argv[1:])
