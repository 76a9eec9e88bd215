"""From measurements to medians, ratios and the table."""

import statistics

FIGURES = ("per_second", "p50_ms", "p99_ms", "p999_ms", "cpu_us", "generator_cpu_us",
           "disk_bytes", "network_bytes", "foreign_processors")

METHOD = (
    "Three servers of each store and the load generator on one machine, over loopback; data on one "
    "disk. 100-byte values, 4,096 keys, preloaded. Closed loop: every client has a connection and "
    "one operation in flight; open loop: Poisson arrivals over 64 connections, latency from the "
    "intended start. Load goes to the leader; LEVEL/OP cells spread it evenly over all nodes. HTTP "
    "closed loops by wrk -t1 (levels: -t3); gRPC by a C++ generator, one thread, a channel for "
    "each client; the rest by a generator on plain sockets. Servers run side by side for the whole "
    "run; cells are shuffled, targets alternate, each measurement follows one second of warm-up. "
    "put: acknowledged once a majority has it on disk (etcd and ZooKeeper as shipped, Redis with "
    "appendfsync always and WAIT 1, which does not wait for the replica's disk). get: linearizable "
    "(ZooKeeper: sync and getData). local: the asked server's own state, perhaps stale (Parallax: "
    "prefix; etcd: serializable). floor: no store, but the least that three nodes can do for such "
    "requests, without any state. Medians of the rounds, in brackets their range. CPU: user and "
    "system time of the servers from /proc, an operation, in all and by server, the leader first; "
    "disk: write_bytes of /proc/PID/io, all servers; network: bytes over loopback, client and peer "
    "traffic with headers. A cell with a failed answer is void; one during which other processes "
    "used more than 0.3 processors, idle rivals included, is noisy. Figures differ between "
    "machines and hours: only ratios within one run count.")


def summarize(description, idle, runs):
    cells = []
    for (target, op, clients, rate), rounds in runs.items():
        cell = {"target": target, "op": op, "clients": clients, "rate": rate,
                "void": any(run["failures"] for run in rounds),
                "noisy": sum(run["foreign_processors"] > description["noisy_above_processors"]
                             for run in rounds),
                "median": {figure: statistics.median(run[figure] for run in rounds)
                           for figure in FIGURES},
                "range": {figure: [min(run[figure] for run in rounds),
                                   max(run[figure] for run in rounds)] for figure in FIGURES},
                "rounds": rounds}
        cell["median"]["cpu_servers_us"] = [statistics.median(spent) for spent in zip(
            *(run["cpu_servers_us"] for run in rounds))]
        cells.append(cell)
    cells.sort(key=lambda c: (("put", "get", "local").index(c["op"]) if "/" not in c["op"] else 3,
                              c["rate"] or 0, c["clients"], c["op"].split("/")[::-1],
                              description["targets"].index(c["target"])))
    return {**description, "method": METHOD, "idle": idle, "cells": cells,
            "ratios": ratios(cells)}


def find(cells, target, op, clients, rate=None):
    """The medians of a cell that was measured and is not void."""
    for cell in cells:
        if (cell["target"], cell["op"], cell["clients"], cell["rate"]) == (target, op, clients,
                                                                          rate):
            return None if cell["void"] else cell["median"]
    return None


def ratios(cells):
    """Parallax over etcd by gRPC, with both figures."""
    found = {}
    for name, op, clients, figure in (
            ("put64", "put", 64, "per_second"), ("get64", "get", 64, "per_second"),
            ("local64", "local", 64, "per_second"), ("put1_p50", "put", 1, "p50_ms"),
            ("put64_p99", "put", 64, "p99_ms"), ("put64_cpu", "put", 64, "cpu_us")):
        ours, theirs = (find(cells, target, op, clients) for target in ("parallax", "etcd-grpc"))
        if ours and theirs and theirs[figure]:
            found[name] = {"ratio": ours[figure] / theirs[figure], "parallax": ours[figure],
                           "etcd-grpc": theirs[figure]}
        else:
            found[name] = None
    return found


def ratios_line(found):
    return "ratios: " + " ".join(f"{name}={ratio['ratio']:.2f}" if ratio else f"{name}=-"
                                 for name, ratio in found.items())


def beside(cells, cell):
    """The throughput of Parallax over this cell's, or of this level over linearizable."""
    if "/" in cell["op"]:
        level, op = cell["op"].split("/")
        base = find(cells, "parallax", f"linearizable/{op}", cell["clients"])
        return cell["median"]["per_second"] / base["per_second"] if base else None
    ours = find(cells, "parallax", cell["op"], cell["clients"], cell["rate"])
    if not ours or cell["target"] == "parallax" or cell["rate"]:
        return None
    return ours["per_second"] / cell["median"]["per_second"]


def by_server(median):
    return " ".join(f"{spent:.1f}" for spent in median["cpu_servers_us"])


def print_table(summary):
    print(f"\n{summary['date']}, {summary['processors']} processors, {summary['filesystem']}; "
          f"{summary['rounds']} round(s) of {summary['seconds']} s")
    print(summary["method"])
    print(f"\n{'operation':<18} {'clients':>7} {'target':<10} {'per second':>24} {'p50 ms':>8} "
          f"{'p99 ms':>8} {'p99.9':>8} {'us CPU/op (by server)':>28} {'generator':>9} {'disk B':>8} "
          f"{'net B':>8} {'ratio':>6}")
    for cell in summary["cells"]:
        name = cell["op"] + (f" {cell['rate']}/s" if cell["rate"] else "")
        head = f"{name:<18} {cell['clients']:>7} {cell['target']:<10}"
        if cell["void"]:
            failures = sum(run["failures"] for run in cell["rounds"])
            print(f"{head} {'void':>24}  {failures} failed")
            continue
        m, low_high = cell["median"], cell["range"]["per_second"]
        rate = f"{m['per_second']:.0f} [{low_high[0]:.0f}..{low_high[1]:.0f}]"
        cpu = f"{m['cpu_us']:.1f} ({by_server(m)})"
        ratio = beside(summary["cells"], cell)
        noisy = f"  noisy in {cell['noisy']} of {len(cell['rounds'])}" if cell["noisy"] else ""
        print(f"{head} {rate:>24} {m['p50_ms']:>8.2f} {m['p99_ms']:>8.2f} {m['p999_ms']:>8.2f} "
              f"{cpu:>28} {m['generator_cpu_us']:>9.1f} {m['disk_bytes']:>8.0f} "
              f"{m['network_bytes']:>8.0f} {f'{ratio:.2f}' if ratio else '':>6}{noisy}")
    print(f"\n{'idle server':<18} {'resident MB':>12} {'CPU %':>7}")
    for target, servers in summary["idle"].items():
        for server in servers:
            print(f"{target + ' ' + server['server']:<18} {server['resident_mb']:>12.1f} "
                  f"{server['cpu_percent']:>7.1f}")
    for name, ratio in summary["ratios"].items():
        if ratio:
            print(f"{name}: {ratio['parallax']:.2f} / {ratio['etcd-grpc']:.2f} "
                  f"= {ratio['ratio']:.2f}")
