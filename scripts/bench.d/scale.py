"""scripts/bench --scale: how cost grows with threads, nodes, keys and values, and what it takes a
node to come back."""

import http.client
import json
import os
import random
import statistics
import threading
import time

import bench
import machine
from targets import BenchError, Parallax, ask, wait_until

MANY = ("put", 64, None), ("get", 64, None), ("local", 64, None), ("put", 1, None)
VALUES = ((100, 4096), (1 << 10, 4096), (64 << 10, 512), (1 << 20, 64))  # bytes, keys
MISSED = 1_000_000
IN_LOG = 40_000  # fewer than the log keeps for those that are behind
BATCH = 1000

METHOD = (
    "Clusters of Parallax and wrk on one machine, over loopback, data on one disk, 100-byte values "
    "and 4,096 keys where nothing else is said, closed loop at the leader, medians of the rounds. "
    "Threads and nodes: clusters side by side, cells shuffled, each after a second of warm-up. "
    "Keys and values: a cluster of three by itself, puts and linearizable gets of random keys at 16 "
    "clients. Memory: of the largest node, after that. Coming back: a follower of a cluster with "
    "100,000 keys is killed, nothing, 40,000 or a million puts are made, and it is started again: "
    "40,000 it is brought from the log, a million are more than the log keeps, so they come as a "
    "snapshot. Then it is wiped and started while puts at 16 clients go on, there and where there "
    "are most keys. Seconds: from the start of the process until it has applied all.")


class Cluster(Parallax):
    """Of a size and with options of its own, below a directory of its own."""

    def __init__(self, directory, tools, label, nodes=3, options=()):
        super().__init__(directory, tools)
        self.label = label
        self.directory = os.path.join(directory, "scale-" + label.replace(" ", "-"))
        self.nodes, self.options = nodes, options

    def random(self, op, clients, seconds, keys, size):
        return self.wrk(self.ports[self.leader()], clients, seconds, "scale.lua", op, str(keys),
                        str(size), "linearizable")

    def largest_mb(self):
        return max(machine.resident_mb(pid) for pid in self.pids.values())


def row(cell, label, runs):
    return {"cell": cell, "label": label,
            **{figure: statistics.median(run[figure] for run in runs)
               for figure in ("per_second", "p50_ms", "p99_ms", "cpu_us")},
            "range": [min(run["per_second"] for run in runs),
                      max(run["per_second"] for run in runs)],
            "failures": sum(run["failures"] for run in runs)}


def side_by_side(clusters, cells, options):
    """Each cell at each cluster, in turns."""
    runs = {}
    try:
        for cluster in clusters:
            bench.say(f"starting {cluster.label}")
            cluster.start()
        bench.preload(clusters, False)
        for number in range(options.rounds):
            for op, clients, rate in random.sample(cells, len(cells)):
                bench.say(f"round {number + 1} of {options.rounds}: {op}, {clients} clients")
                cell = {"op": op, "clients": clients, "rate": rate}
                for cluster in random.sample(clusters, len(clusters)):
                    runs.setdefault((op, clients, cluster.label), []).append(
                        bench.run_cell(cluster, cell, options.seconds))
    finally:
        for cluster in clusters:
            cluster.stop()
    return [row(f"{op}, {clients} clients", cluster.label, runs[op, clients, cluster.label])
            for op, clients, _ in cells for cluster in clusters]


def fill(cluster, keys):
    """Writes every key, a thousand in a request, several requests at once."""
    port = cluster.ports[cluster.leader()]
    starts = iter(range(0, keys, BATCH))
    lock, failed = threading.Lock(), []

    def write():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not failed:
            with lock:
                start = next(starts, None)
            if start is None:
                return
            operations = [{"op": "put", "key": f"scale/{i:08}", "value": "v" * 100}
                          for i in range(start, min(start + BATCH, keys))]
            connection.request("POST", "/v1/batch", json.dumps({"operations": operations}))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or b'"error"' in body:
                failed.append(body[:200])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise BenchError(f"writing {keys} keys failed: {failed[0]!r}")


def loaded(cluster, keys, size, options):
    """Puts and gets at 16 clients of what is there."""
    rows = []
    for op in ("put", "get"):
        runs = []
        for _ in range(options.rounds):
            bench.generate(cluster.random(op, 16, 1, keys, size), cluster)
            cpu = sum(map(machine.cpu_seconds, cluster.pids.values()))
            result, _ = bench.generate(cluster.random(op, 16, options.seconds, keys, size), cluster)
            cpu = sum(map(machine.cpu_seconds, cluster.pids.values())) - cpu
            runs.append({"per_second": result["answers"] / (result["duration_us"] / 1e6),
                         "p50_ms": result["p50_us"] / 1e3, "p99_ms": result["p99_us"] / 1e3,
                         "cpu_us": cpu * 1e6 / max(result["answers"], 1),
                         # Keys that random puts have not written yet are not there.
                         "failures": result["failures"] if op == "put" else 0})
        rows.append(row(f"{op}, 16 clients", "", runs))
    return rows


def with_cluster(label, directory, tools, work):
    cluster = Cluster(directory, tools, label)
    bench.say(f"starting {label}")
    cluster.start()
    try:
        rows = work(cluster)
        for one in rows:
            one["label"] = one["label"] or label
        return rows
    finally:
        cluster.stop()


def filled(label, keys, size, options, fill_first, then=None):
    """A cluster with so many keys of that size: every one at first, or those that puts happen on.
    `then(cluster)` comes last."""
    def work(cluster):
        begun = time.monotonic()
        if fill_first:
            fill(cluster, keys)
        beside = {"fill_s": time.monotonic() - begun} if fill_first else {}
        found = loaded(cluster, keys, size, options)
        rows = [{**one, **beside, "memory_mb": cluster.largest_mb()} for one in found]
        if then:
            then(cluster)
        return rows

    return with_cluster(label, options.dir, options.tools, work)


def by_keys(options, coming):
    """Of the cluster with most keys a node comes back, too: for the part about that."""
    most = max(options.keys)
    rows = []
    for keys in options.keys:
        then = (lambda cluster: coming.append(emptied(cluster, most))) if keys == most else None
        rows += filled(f"{keys:,} keys", keys, 100, options, True, then)
    return rows


def by_values(options):
    return [one for size, keys in VALUES
            for one in filled(f"{size:,} bytes", keys, size, options, False)]


def status(cluster, name):
    return ask(f"http://127.0.0.1:{cluster.ports[name]}/v1/status")


def came_back(cluster, name, index):
    """Seconds until the node has applied everything up to `index`."""
    begun = time.monotonic()
    cluster.cluster("start", name)
    wait_until(f"node {name} has not caught up", 600,
               lambda: status(cluster, name)["applied_index"] >= index and
               status(cluster, name)["ready"])
    return time.monotonic() - begun


def a_follower(cluster):
    return next(name for name in cluster.ports if name != cluster.leader())


def restarted(cluster, wanted):
    """A follower comes back after it was killed and at least so many puts were made."""
    follower = a_follower(cluster)
    cluster.cluster("kill", follower)
    leader = cluster.leader()
    before = status(cluster, leader)["applied_index"]
    while status(cluster, leader)["applied_index"] - before < wanted:
        if wanted <= IN_LOG:  # no more than the log keeps
            fill(cluster, wanted)
        else:
            bench.generate(cluster.random("put", 64, 5, 100_000, 100), cluster)
    index = status(cluster, leader)["applied_index"]
    bench.say(f"starting node {follower} again")
    missed = index - before
    seconds = came_back(cluster, follower, index)
    return {"label": "", "cell": f"a node that missed {missed:,} writes", "seconds": seconds,
            "missed_per_second": missed / seconds}


def emptied(cluster, keys):
    """A follower with nothing comes back while puts go on."""
    follower = a_follower(cluster)
    quiet = bench.generate(cluster.random("put", 16, 5, keys, 100), cluster)[0]
    cluster.cluster("kill", follower)
    cluster.cluster("wipe", follower)
    bench.say(f"node {follower} comes back with nothing, while writes go on")
    index = status(cluster, cluster.leader())["applied_index"]
    took = []
    back = threading.Thread(target=lambda: took.append(came_back(cluster, follower, index)))
    back.start()
    meanwhile = []
    while back.is_alive():
        meanwhile.append(bench.generate(cluster.random("put", 16, 2, keys, 100), cluster)[0])
    back.join()
    if not took:
        raise BenchError(f"node {follower} did not come back")

    def rate(result):
        return result["answers"] / (result["duration_us"] / 1e6)

    return {"label": "", "cell": f"an empty node, {keys:,} keys, while 16 clients write",
            "seconds": took[0],
            "puts_per_second": [rate(quiet), statistics.median(map(rate, meanwhile))],
            "p99_ms": [quiet["p99_us"] / 1e3,
                       statistics.median(result["p99_us"] / 1e3 for result in meanwhile)],
            "failures": sum(result["failures"] for result in [quiet, *meanwhile])}


def coming_back(options):
    def work(cluster):
        fill(cluster, 100_000)
        found = [restarted(cluster, missed) for missed in (0, IN_LOG, MISSED)]
        return [*found, emptied(cluster, 100_000)]

    return with_cluster("coming back", options.dir, options.tools, work)


def run(options):
    threads = [Cluster(options.dir, options.tools, f"{n} threads", options=("--io-threads", str(n)))
               for n in (0, 1, 2, 4)]
    sizes = [Cluster(options.dir, options.tools, f"{n} nodes", nodes=n) for n in (3, 5, 7)]
    coming = []
    sections = (
        ("io-threads", lambda: side_by_side(threads, MANY, options)),
        ("nodes", lambda: side_by_side(sizes, MANY, options)),
        ("keys", lambda: by_keys(options, coming)),
        ("values", lambda: by_values(options)),
        ("coming back", lambda: coming_back(options) + coming),
    )
    found = {}
    for number, (name, section) in enumerate(sections, 1):
        bench.say(f"part {number} of {len(sections)}: {name}")
        found[name] = section()
        print_section(name, found[name])
    return {**bench.described(options), "method": METHOD, "parts": found}


def print_section(name, rows):
    print(f"\n{name}")
    if name == "coming back":
        for one in rows:
            print("  " + one["cell"] + ": " + ", ".join(
                f"{key} {' -> '.join(f'{v:,.1f}' for v in (value if isinstance(value, list) else [value]))}"
                for key, value in one.items() if key not in ("cell", "label")))
        return
    print(f"  {'':16} {'':18} {'per second':>12} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} "
          f"{'memory MB':>10}")
    for one in rows:
        memory = f"{one['memory_mb']:10.0f}" if "memory_mb" in one else ""
        void = "  VOID" if one["failures"] else ""
        print(f"  {one['label']:16} {one['cell']:18} {one['per_second']:12,.0f} "
              f"{one['p50_ms']:8.2f} {one['p99_ms']:8.2f} {one['cpu_us']:8.1f} {memory}{void}",
              flush=True)
