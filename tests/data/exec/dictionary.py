#!/usr/bin/env python3
"""Speaks for a dictionary in a file, a line of JSON for each operation (docs/HARNESS.md).

  parallax-harness run --target 'exec:python3 tests/data/exec/dictionary.py'

  --stale   every fifth read of a key shows what this client read of it the time before: wrong
"""
import fcntl
import json
import os
import sys

path = os.path.join(os.environ["PARALLAX_DIRECTORY"], "dictionary.json")
stale = "--stale" in sys.argv
seen = {}
reads = 0


def apply(values, op):
    """What becomes of the operation; changes `values`."""
    if op["op"] == "hello":
        return {"ok": True}
    kind, key = op["op"], op["key"]
    now = values.get(key)
    if kind == "read":
        return {"ok": True, "value": now}
    if kind == "cas" and now != op["expected"]:
        return {"ok": False, "value": now}
    if kind == "increment":
        values[key] = (now or 0) + int(op["value"])
        return {"ok": True, "value": values[key]}
    if kind == "add":
        values[key] = (now or []) + [op["value"]]
    elif kind == "append":
        values[key] = (now or "") + op["value"]
    else:
        values[key] = op["value"]
    return {"ok": True}


def carry_out(op):
    with open(path, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        values = json.loads(file.read() or "{}")
        outcome = apply(values, op)
        if op["op"] not in ("hello", "read"):
            file.truncate(0)
            file.write(json.dumps(values))
            file.flush()
    return outcome


for line in sys.stdin:
    operation = json.loads(line)
    answer = carry_out(operation)
    if operation["op"] == "read":
        reads += 1
        fresh = answer["value"]
        if stale and reads % 5 == 0:
            answer["value"] = seen.get(operation["key"], fresh)
        seen[operation["key"]] = fresh
    answer["id"] = operation["id"]
    print(json.dumps(answer), flush=True)
