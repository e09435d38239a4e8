"""A Prometheus or a narthex that a test starts, asks, and kills by its process
id."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Served:
    def __init__(self, name, command, config, work):
        self.name = name
        self.port = free_port()
        self.log_path = os.path.join(work, f"{name}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*command, f"--config.file={config}",
                 f"--storage.tsdb.path={os.path.join(work, name)}",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=log, stderr=log)

    def data(self, path):
        """What the API says; None as long as it says nothing."""
        if self.process.poll() is not None:
            with open(self.log_path, errors="replace") as f:
                sys.exit(f"FAILED: {self.name} exits\n" +
                         "".join(f.readlines()[-5:]))
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, OSError):
            return None

    def stop(self):
        self.process.kill()
        self.process.wait()
