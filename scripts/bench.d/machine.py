"""What processes and the machine have used so far, from /proc."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Processor time of all threads of the process."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def busy_seconds():
    """Processor time of the whole machine that was not idle."""
    with open("/proc/stat") as stat:
        fields = [int(word) for word in stat.readline().split()[1:]]
    user, nice, system, _, _, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / TICK


def written_bytes(pid):
    """Bytes that the process had sent to the disk."""
    with open(f"/proc/{pid}/io") as io:
        for line in io:
            if line.startswith("write_bytes: "):
                return int(line.split()[1])
    raise OSError(f"/proc/{pid}/io has no write_bytes")


def loopback_bytes():
    """Bytes that went over loopback, headers included."""
    with open("/proc/net/dev") as devices:
        for line in devices:
            name, _, figures = line.partition(":")
            if name.strip() == "lo":
                return int(figures.split()[0])
    raise OSError("there is no loopback device")


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def listening():
    """Ports on which some process of this machine listens."""
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                for line in lines:
                    fields = line.split()
                    if fields[3] == "0A":
                        ports.add(int(fields[1].rpartition(":")[2], 16))
        except OSError:
            pass
    return ports
