"""The stores that are measured: how each is started on ports of its own, and how it is driven.

A target has three servers with data below one directory, the same for all. Operations:
  put    acknowledged when a majority has it on disk (Redis: the master; WAIT 1 does not wait for
         the replica's disk)
  get    linearizable (ZooKeeper: sync and getData)
  local  from the state of the server that is asked, maybe stale
Load goes to the leader.
"""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import machine

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LUA = os.path.join(ROOT, "scripts", "bench.d")


class BenchError(Exception):
    """Told in one line."""


def free_ports(count):
    """Below the range from which the system picks ports of its own."""
    taken = machine.listening()
    for _ in range(100):
        base = 10000 + random.randrange(200) * 100
        ports = list(range(base + 1, base + 1 + count))
        if not taken.intersection(ports):
            return ports
    raise BenchError("found no free ports between 10000 and 30000")


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=2) as answer:
        return json.load(answer)


def wait_until(what, limit, condition):
    deadline = time.monotonic() + limit
    while True:
        try:
            found = condition()
        except (OSError, ValueError, KeyError):
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise BenchError(f"{what} after {limit} s")
        time.sleep(0.1)


def dies_with_us():
    """In a server just before it starts: a killed scripts/bench leaves nothing running."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Target:
    name = ""
    ops = ("put", "get", "local")
    package = None  # of which the version is told
    rates = False  # whether open loops are to be had

    def __init__(self, directory, tools):
        self.directory = os.path.join(directory, self.name)
        self.tools = tools
        self.servers = []  # Popen, where this file starts them
        self.pids = {}  # name of the server: pid; the leader is found by leader()

    def start(self):
        raise NotImplementedError

    def leader(self):
        """The name of the server that load goes to."""
        raise NotImplementedError

    def command(self, op, clients, seconds, rate=None):
        """The generator's command line."""
        raise NotImplementedError

    def preloads(self):
        """Command lines that write every key, one after the other."""
        raise NotImplementedError

    def stop(self):
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- For those below ---

    def launch(self, name, command):
        with open(os.path.join(self.directory, name + ".log"), "w") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      cwd=self.directory, preexec_fn=dies_with_us)
        self.servers.append(server)
        self.pids[name] = server.pid

    def fresh(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)

    def plain_load(self, port, op, clients, seconds, rate=None, preload=False):
        command = [os.path.join(self.tools, "plain_load"), "--protocol", self.protocol, "--port",
                   str(port), "--op", op, "--clients", str(clients), "--seconds", str(seconds)]
        return command + (["--rate", str(rate)] if rate else []) + ["--preload"] * preload

    def wrk(self, port, clients, seconds, script, *arguments, threads=1):
        return ["wrk", f"-t{threads}", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s",
                os.path.join(LUA, script), f"http://127.0.0.1:{port}", "--", *arguments]

    def wrk_at(self, port, op, clients, seconds):
        """Of the API of Parallax, at one node."""
        if op == "put":
            return self.wrk(port, clients, seconds, "put.lua")
        return self.wrk(port, clients, seconds, "get.lua",
                        {"get": "linearizable", "local": "prefix"}[op])


class Parallax(Target):
    name = "parallax"
    protocol = "parallax"
    rates = True
    nodes = 3
    options = ()  # of every parallaxd

    def cluster(self, *words, after=()):
        done = subprocess.run([os.path.join(ROOT, "scripts", "cluster"), *words, "--dir",
                               self.directory, *(["--", *after] if after else [])], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
        if done.returncode:
            raise BenchError(done.stderr.strip() or "scripts/cluster failed")

    def start(self):
        self.stop()
        os.makedirs(os.path.dirname(self.directory), exist_ok=True)
        taken = machine.listening()
        while True:
            base = 10000 + random.randrange(200) * 100
            nodes = range(1, self.nodes + 1)
            if not taken.intersection([base + apart + i for i in nodes for apart in (0, 100)]):
                break
        self.cluster("up", "--nodes", str(self.nodes), "--base-port", str(base), after=self.options)
        self.ports = {str(i): base + i for i in nodes}
        for i in self.ports:
            with open(os.path.join(self.directory, f"node-{i}.pid")) as pid:
                self.pids[i] = int(pid.read())

    def stop(self):
        if os.path.exists(os.path.join(self.directory, "cluster")):
            self.cluster("wipe")

    def leader(self):
        def named():
            for port in self.ports.values():
                try:
                    leader = ask(f"http://127.0.0.1:{port}/v1/cluster")["leader"]
                except OSError:  # a node that is down
                    continue
                if leader:
                    return str(leader)
            return None

        return wait_until("no node of Parallax leads", 10, named)

    def command(self, op, clients, seconds, rate=None):
        if "/" in op:  # LEVEL/OP, over all nodes
            level, op = op.split("/")
            return self.wrk(self.ports["1"], clients, seconds, "levels.lua", op, level, threads=3)
        port = self.ports[self.leader()]
        if rate:
            return self.plain_load(port, op, clients, seconds, rate)
        return self.wrk_at(port, op, clients, seconds)

    def preloads(self):
        return [self.plain_load(self.ports[self.leader()], "put", 64, 60, preload=True)]

    def preload_of_level(self, level, seconds):
        return self.wrk(self.ports["1"], 63, seconds, "levels.lua", "preload", level, threads=3)


class Etcd(Target):
    """Over gRPC. Its two other ways drive the servers that this one has started."""

    name = "etcd-grpc"
    package = "etcd-server"
    rates = True
    started = None  # the target that has the servers

    def start(self):
        if Etcd.started:
            self.pids, self.ports = Etcd.started.pids, Etcd.started.ports
            return
        Etcd.started = self
        self.fresh()
        ports = free_ports(6)
        self.ports = dict(zip(("1", "2", "3"), ports[:3]))
        peers = dict(zip(("1", "2", "3"), ports[3:]))
        members = ",".join(f"{i}=http://127.0.0.1:{port}" for i, port in peers.items())
        for i in self.ports:
            client, peer = f"http://127.0.0.1:{self.ports[i]}", f"http://127.0.0.1:{peers[i]}"
            self.launch(i, ["etcd", "--name", i, "--data-dir", os.path.join(self.directory, i),
                            "--listen-client-urls", client, "--advertise-client-urls", client,
                            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                            "--initial-cluster", members, "--enable-v2=true"])
        self.leader()

    def leader(self):
        def led_by():
            for i, port in self.ports.items():
                status = ask(f"http://127.0.0.1:{port}/v3/maintenance/status", {})
                if status["leader"] == status["header"]["member_id"]:
                    return i
            return None
        return wait_until("no node of etcd leads", 30, led_by)

    def command(self, op, clients, seconds, rate=None, preload=False):
        command = [os.path.join(self.tools, "etcd_load"), "--port",
                   str(self.ports[self.leader()]), "--op", op, "--clients", str(clients),
                   "--seconds", str(seconds)]
        return command + (["--rate", str(rate)] if rate else []) + ["--preload"] * preload

    def preloads(self):
        return [self.command("put", 64, 60, preload=True)]

    def stop(self):
        if Etcd.started is self:
            super().stop()
            Etcd.started = None


class EtcdV3(Etcd):
    name = "etcd-v3"
    rates = False

    def command(self, op, clients, seconds, rate=None, preload=False):
        if preload:
            return super().command(op, clients, seconds, rate, preload)
        return self.wrk(self.ports[self.leader()], clients, seconds, "etcd.lua", "v3", op)


class EtcdV2(Etcd):
    """Its keys are not those of v3."""

    name = "etcd-v2"
    protocol = "etcd-v2"
    rates = True

    def command(self, op, clients, seconds, rate=None, preload=False):
        port = self.ports[self.leader()]
        if rate or preload:
            return self.plain_load(port, op, clients, seconds, rate, preload)
        return self.wrk(port, clients, seconds, "etcd.lua", "v2", op)


class ZooKeeper(Target):
    name = "zookeeper"
    package = "zookeeper"
    protocol = "zookeeper"
    rates = True

    def start(self):
        self.fresh()
        ports = free_ports(9)
        self.ports = dict(zip(("1", "2", "3"), ports[:3]))
        quorum = "".join(f"server.{i}=127.0.0.1:{ports[3 + n]}:{ports[6 + n]}\n"
                         for n, i in enumerate(self.ports))
        log = os.path.join(self.directory, "log4j.properties")
        with open(log, "w") as file:
            file.write("log4j.rootLogger=WARN, out\n"
                       "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
                       "log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n")
        for i, port in self.ports.items():
            data = os.path.join(self.directory, i)
            os.makedirs(data)
            with open(os.path.join(data, "myid"), "w") as file:
                file.write(i + "\n")
            config = os.path.join(data, "zoo.cfg")
            with open(config, "w") as file:
                file.write("tickTime=2000\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\n"
                           f"admin.enableServer=false\n4lw.commands.whitelist=srvr\n"
                           f"dataDir={data}\nclientPortAddress=127.0.0.1\nclientPort={port}\n"
                           + quorum)
            self.launch(i, ["java", f"-Dlog4j.configuration=file:{log}", "-cp",
                            "/usr/share/java/zookeeper.jar",
                            "org.apache.zookeeper.server.quorum.QuorumPeerMain", config])
        self.leader()

    def leader(self):
        def led_by():
            for i, port in self.ports.items():
                with socket.create_connection(("127.0.0.1", port), 2) as connection:
                    connection.sendall(b"srvr")
                    if b"Mode: leader" in connection.makefile("rb").read():
                        return i
            return None
        return wait_until("no node of ZooKeeper leads", 60, led_by)

    def command(self, op, clients, seconds, rate=None):
        return self.plain_load(self.ports[self.leader()], op, clients, seconds, rate)

    def preloads(self):
        # Then the servers' compilers have something to warm up with.
        return [self.plain_load(self.ports[self.leader()], "put", 64, 60, preload=True),
                self.command("put", 64, 5), self.command("get", 64, 5)]


class Redis(Target):
    """A master and two replicas. It has no linearizable read."""

    name = "redis"
    ops = ("put", "local")
    package = "redis-server"
    protocol = "redis"
    rates = True

    def start(self):
        self.fresh()
        self.ports = dict(zip(("1", "2", "3"), free_ports(3)))
        for i, port in self.ports.items():
            data = os.path.join(self.directory, i)
            os.makedirs(data)
            replica = [] if i == "1" else ["--replicaof", "127.0.0.1", str(self.ports["1"])]
            self.launch(i, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir",
                            data, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                            *replica])
        wait_until("Redis has no two replicas", 30, lambda: self.replicas() == 2)

    def replicas(self):
        with socket.create_connection(("127.0.0.1", self.ports["1"]), 2) as connection:
            connection.sendall(b"INFO replication\r\n")
            return connection.recv(65536).count(b"state=online")

    def leader(self):
        return "1"

    def command(self, op, clients, seconds, rate=None):
        return self.plain_load(self.ports["1"], op, clients, seconds, rate)

    def preloads(self):
        return [self.plain_load(self.ports["1"], "put", 64, 60, preload=True)]


class Floor(Target):
    """The least that three nodes can do (floor.cc): no rival, but what bounds every one of them."""

    name = "floor"

    def start(self):
        self.fresh()
        self.port, *followers = free_ports(3)
        program = os.path.join(self.tools, "floor")
        for i, port in enumerate(followers, 2):
            self.launch(str(i), [program, "follower", str(port), "log-" + str(i)])
        self.launch("1", [program, "leader", str(self.port), "log-1", *map(str, followers)])

        def serves():
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        wait_until("the floor does not listen", 30, serves)

    def leader(self):
        return "1"

    def command(self, op, clients, seconds, rate=None):
        return self.wrk_at(self.port, op, clients, seconds)

    def preloads(self):
        return []  # it keeps nothing


ALL = {target.name: target for target in (Parallax, Etcd, EtcdV3, EtcdV2, ZooKeeper, Redis, Floor)}
