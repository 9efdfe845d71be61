"""A peer from our side: a process of its own environment, started when first asked and kept warm.

    Peer("iohub").ask(do="convert", plate=…, out=…)  →  {"wall_s": …, "cpu_s": …, "peak_mb": …}

Standard library only. `make peers` builds the environments below .peers; PEERS names another folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Self

HERE = Path(__file__).parent
ENVIRONMENTS = Path(os.environ.get("PEERS", HERE.parents[1] / ".peers"))


class PeerDied(RuntimeError):
    """A peer ended without an answer; the message ends with what it said last."""


class Peer:
    """A peer by the name of its package, and the folder of its environment."""

    def __init__(self, name: str, env: Path | None = None) -> None:
        self.name = name
        self.env = env or ENVIRONMENTS / name
        self._process: subprocess.Popen[str] | None = None
        self._said: IO[bytes] | None = None

    def ask(self, **request) -> dict:
        """Have one request done and return the answer; paths may be given as `Path`."""
        process = self._process or self._start()
        try:
            process.stdin.write(json.dumps(request, default=os.fspath) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerDied(f"{self.name} ended with {process.wait()}:\n{self._tail()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._said.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [self.env / "bin" / "python", "-P", HERE / "serve.py", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=environment,
        )
        return self._process

    def _tail(self, lines: int = 20) -> str:
        self._said.seek(0)
        return "\n".join(self._said.read().decode(errors="replace").splitlines()[-lines:])


def available(folder: Path = ENVIRONMENTS) -> dict[str, Path]:
    """Return the peers whose environment is built, and where."""
    names = sorted(path.stem for path in (HERE / "requirements").glob("*.txt"))
    return {name: folder / name for name in names if (folder / name / ".built").exists()}
