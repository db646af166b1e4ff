"""The child process: llama.cpp's server on a free loopback port, until standard input closes.

It reads one JSON line (path, slots, context, threads, api_key; a key does not belong on a command line, where every
user of the machine can read it) and prints one JSON line: the address, or what went wrong.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve until the parent is gone, however it went."""
    config = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints goes to the log, not between our lines
    try:
        import xllamacpp
    except ImportError as error:
        out.write(json.dumps({"error": "import", "what": str(error)}) + "\n")
        out.flush()
        return
    try:
        params = xllamacpp.CommonParams()
        params.model.path = config["path"]
        params.n_ctx = config["context"] * config["slots"]  # llama.cpp counts over all slots
        params.n_parallel = config["slots"]
        params.cpuparams.n_threads = config["threads"]
        params.cpuparams_batch.n_threads = config["threads"]
        params.port = 0
        params.cache_ram_mib = 0
        params.verbosity = 0
        params.model_alias = {config["alias"]}
        params.api_keys = [config["api_key"]]
        server = xllamacpp.Server(params)
        address = server.listening_address
    except Exception as error:  # noqa: BLE001 - sent to the parent in one line, which shows it to the user
        out.write(json.dumps({"error": "start", "what": str(error)}) + "\n")
        out.flush()
        os._exit(1)
    out.write(json.dumps({"address": address}) + "\n")
    out.flush()
    sys.stdin.read()
    os._exit(0)  # at once: there is nothing to save


if __name__ == "__main__":
    main()
