"""What a program costs."""

import os
import pathlib
import subprocess
import tempfile
import time


def measure(command, cold=False):
    """Seconds that passed, seconds of processor time and peak MiB of one run; the end of what it complained of if it failed."""
    if cold:
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    begun = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"})
        _, status, usage = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        # 2 is an incomplete report.
        if code not in (0, 2):
            errors.seek(0)
            return f"ended with {code}: {errors.read().decode().strip()[-200:]}"
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def save(image, archive):
    """Writes an image of an OCI layout as `docker save` does."""
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{image}:latest", f"docker-archive:{archive}"], check=True)
