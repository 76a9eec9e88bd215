"""The measurement of scripts/bench, which checks the options and has the help."""

import argparse
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import time

import machine
import page
import report
from targets import ALL, LUA, BenchError

PRELOAD_LEVELS = ("linearizable", "quorum", "eventual", "causal")
LEVEL_CELLS = ("linearizable/put", "quorum/put", "eventual/put", "causal/put", "linearizable/get",
               "eventual/get", "causal/get")
OPEN_RATES = (500, 2000, 5000)
NOISY = 0.3  # processors used by others


def say(words):
    print(f"bench: {words}", file=sys.stderr, flush=True)


def generate(command, target):
    """Runs a load generator. Its result and its processor time in seconds."""
    environment = dict(os.environ, BENCH_LUA=LUA)
    if target.name == "parallax":
        environment["BENCH_PORTS"] = " ".join(str(port) for port in target.ports.values())
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        output = process.stdout.read()
    except BaseException:
        process.kill()
        process.wait()
        raise
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    results = [line.split()[1:] for line in output.splitlines() if line.startswith("result ")]
    if process.returncode or not results:
        last = (output.strip().splitlines() or ["no word"])[-1]
        raise BenchError(f"{os.path.basename(command[0])} failed: {last}")
    names = ("answers", "duration_us", "failures", "p50_us", "p99_us", "p999_us")
    return dict(zip(names, map(int, results[-1]))), usage.ru_utime + usage.ru_stime


def run_cell(target, cell, seconds):
    """One measurement after a second of warm-up. Taken again if the leader moved meanwhile."""
    for _ in range(3):
        leader = target.leader()
        generate(target.command(cell["op"], cell["clients"], 1, cell["rate"]), target)
        cpu = {name: machine.cpu_seconds(pid) for name, pid in target.pids.items()}
        disk = {name: machine.written_bytes(pid) for name, pid in target.pids.items()}
        busy, network = machine.busy_seconds(), machine.loopback_bytes()
        command = target.command(cell["op"], cell["clients"], seconds, cell["rate"])
        start = time.monotonic()
        result, generator = generate(command, target)
        took = time.monotonic() - start
        busy, network = machine.busy_seconds() - busy, machine.loopback_bytes() - network
        cpu = {name: machine.cpu_seconds(pid) - cpu[name] for name, pid in target.pids.items()}
        disk = {name: machine.written_bytes(pid) - disk[name] for name, pid in target.pids.items()}
        if target.leader() == leader:
            break
        say(f"the leader of {target.name} moved; measuring again")
    else:
        raise BenchError(f"the leader of {target.name} moved three times")
    answers = max(result["answers"], 1)
    return {
        "per_second": result["answers"] / (result["duration_us"] / 1e6),
        "p50_ms": result["p50_us"] / 1e3,
        "p99_ms": result["p99_us"] / 1e3,
        "p999_ms": result["p999_us"] / 1e3,
        "failures": result["failures"] + (result["answers"] == 0),
        "cpu_us": sum(cpu.values()) * 1e6 / answers,
        "cpu_servers_us": [cpu[name] * 1e6 / answers
                           for name in sorted(cpu, key=lambda name: name != leader)],
        "generator_cpu_us": generator * 1e6 / answers,
        "disk_bytes": sum(disk.values()) / answers,
        "network_bytes": network / answers,
        "foreign_processors": (busy - sum(cpu.values()) - generator) / took,
        "leader": leader,
    }


def measure_idle(targets):
    """Memory and processor time of servers with nothing to do. Ways to the same servers once."""
    distinct = {id(target.pids): target for target in reversed(targets)}.values()
    say("measuring idle servers")
    time.sleep(2)
    before = {target.name: {name: machine.cpu_seconds(pid) for name, pid in target.pids.items()}
              for target in distinct}
    time.sleep(5)
    return {target.name: [{
        "server": name,
        "resident_mb": machine.resident_mb(pid),
        "cpu_percent": (machine.cpu_seconds(pid) - before[target.name][name]) * 100 / 5,
    } for name, pid in target.pids.items()] for target in distinct}


def preload(targets, levels):
    for target in targets:
        say(f"preloading 4,096 keys: {target.name}")
        for _ in range(3):  # a cluster that has just started may still change its leader
            failures = sum(generate(command, target)[0]["failures"]
                           for command in target.preloads())
            if not failures:
                break
        else:
            raise BenchError(f"the preload of {target.name} got {failures} failures")
    for level in PRELOAD_LEVELS if levels else ():
        say(f"preloading 4,096 keys at {level}")
        parallax = targets[0]
        for seconds in (2, 10, 60):
            result, _ = generate(parallax.preload_of_level(level, seconds), parallax)
            # Every thread of the generator begins with the first key; one has to get through.
            if result["answers"] >= 3 * 4096:
                break
        if result["failures"] or result["answers"] < 3 * 4096:
            raise BenchError(f"the preload at {level} got {result['answers']} answers, "
                             f"{result['failures']} failures")


def plan(options):
    """The cells: op, clients, rate (None: closed loop)."""
    cells = []
    if options.mode != "levels":
        cells += [{"op": op, "clients": clients, "rate": None}
                  for op in ("put", "get", "local") for clients in options.clients]
    if options.mode == "full":
        cells += [{"op": "put", "clients": 64, "rate": rate} for rate in OPEN_RATES]
    if options.mode != "quick" and "parallax" in options.targets:
        clients = options.clients if options.mode == "levels" else [63]
        cells += [{"op": op, "clients": c, "rate": None} for op in LEVEL_CELLS for c in clients]
    return cells


def suits(target, cell):
    if "/" in cell["op"]:
        return target.name == "parallax"
    return cell["op"] in target.ops and (cell["rate"] is None or target.rates)


def measure(targets, options):
    runs = {}
    for number in range(options.rounds):
        cells = plan(options)
        random.shuffle(cells)
        order = targets[number % len(targets):] + targets[:number % len(targets)]
        for done, cell in enumerate(cells, 1):
            rate = f", {cell['rate']}/s" if cell["rate"] else ""
            say(f"round {number + 1} of {options.rounds}, cell {done} of {len(cells)}: "
                f"{cell['op']}, {cell['clients']} clients{rate}")
            for target in order:
                if suits(target, cell):
                    key = (target.name, cell["op"], cell["clients"], cell["rate"])
                    runs.setdefault(key, []).append(run_cell(target, cell, options.seconds))
    return runs


def described(options):
    date = datetime.datetime.now(datetime.timezone.utc)
    filesystem = subprocess.run(["stat", "-f", "-c", "%T", options.dir], capture_output=True,
                                text=True).stdout.strip()
    versions = {}
    for name in options.targets:
        package = ALL[name].package
        if package:
            versions[name] = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                                            capture_output=True, text=True).stdout
    return {"date": date.strftime("%Y-%m-%dT%H:%MZ"), "mode": options.mode,
            "processors": os.cpu_count(), "filesystem": filesystem, "versions": versions,
            "rounds": options.rounds, "seconds": options.seconds, "targets": options.targets,
            "noisy_above_processors": NOISY}


def result_path(options, summary):
    return os.path.join(options.results, summary["date"].replace(":", "").rstrip("Z"))


def write_json(path, summary):
    with open(path, "w") as file:
        json.dump(summary, file, indent=1)
        file.write("\n")


def parse():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--mode", choices=("full", "quick", "levels", "scale"))
    parser.add_argument("--clients", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--targets", type=lambda text: text.split(","))
    parser.add_argument("--keys", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    for directory in ("--dir", "--results", "--tools"):
        parser.add_argument(directory)
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.makedirs(options.dir, exist_ok=True)
    os.makedirs(options.results, exist_ok=True)
    if options.mode == "scale":
        import scale  # which imports this
        summary = scale.run(options)
        path = result_path(options, summary) + "-scale.json"
        write_json(path, summary)
        print(f"\n{path}")
        return
    targets = [ALL[name](options.dir, options.tools) for name in options.targets]
    try:
        for target in targets:
            say(f"starting {target.name}")
            target.start()
        idle = measure_idle(targets)
        preload(targets, options.mode != "quick" and options.targets[0] == "parallax")
        runs = measure(targets, options)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # let it end
        for target in reversed(targets):
            target.stop()
    summary = report.summarize(described(options), idle, runs)
    report.print_table(summary)
    path = result_path(options, summary)
    write_json(path + ".json", summary)
    with open(path + ".html", "w") as file:
        file.write(page.render(summary))
    print(f"\n{path}.json\n{path}.html")
    if options.mode != "levels":
        print(report.ratios_line(summary["ratios"]))
    if any(cell["void"] for cell in summary["cells"]):
        raise BenchError("answers failed; their cells are void")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
