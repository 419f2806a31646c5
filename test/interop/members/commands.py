"""What the Python members share: JSON lines out, commands in (see confluent_member.py)."""
import json
import queue
import sys
import threading


def speaker(name):
    return lambda kind, **more: print(json.dumps({"kind": kind, "name": name, **more}), flush=True)


def commands():
    """A queue of `[command, partition, offset?]`, and None at the end of the input."""
    waiting = queue.Queue()

    def read():
        for line in sys.stdin:
            waiting.put(line.split())
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    return waiting
