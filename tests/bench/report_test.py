"""What scripts/bench makes of its measurements: medians, ratios, void cells, the page."""

import contextlib
import html.parser
import io
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "bench.d"))
sys.dont_write_bytecode = True

import bench  # noqa: E402
import page  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402

DESCRIPTION = {"date": "2026-01-02T03:04Z", "mode": "full", "processors": 2, "filesystem": "ext4",
               "versions": {"etcd-grpc": "3.4.23"}, "rounds": 3, "seconds": 3,
               "targets": ["parallax", "etcd-grpc"], "noisy_above_processors": 0.3}
IDLE = {"parallax": [{"server": "1", "resident_mb": 20.0, "cpu_percent": 1.0}]}


def run(per_second, **figures):
    return {"per_second": per_second, "p50_ms": 1.0, "p99_ms": 4.0, "p999_ms": 9.0, "failures": 0,
            "cpu_us": 30.0, "cpu_servers_us": [20.0, 6.0, 4.0],
            "generator_cpu_us": 5.0, "disk_bytes": 900.0, "network_bytes": 1500.0,
            "foreign_processors": 0.1, "leader": "1", **figures}


def runs():
    found = {}
    for clients in (1, 64):
        for op in ("put", "get", "local"):
            found["parallax", op, clients, None] = [run(400), run(900), run(800)]
            found["etcd-grpc", op, clients, None] = [
                run(rate, p50_ms=2.0, p99_ms=8.0, cpu_us=120.0) for rate in (100, 200, 300)]
    found["parallax", "put", 64, 2000] = [run(2000)] * 3
    for op in ("put", "get"):
        for level in ("linearizable", "eventual"):
            found["parallax", f"{level}/{op}", 63, None] = [run(500)] * 3
    return found


def ratios_of(found):
    return report.ratios_line(report.summarize(DESCRIPTION, IDLE, found)["ratios"])


class Report(unittest.TestCase):
    def test_ratios_are_of_medians(self):
        self.assertEqual(ratios_of(runs()), "ratios: put64=4.00 get64=4.00 local64=4.00 "
                                            "put1_p50=0.50 put64_p99=0.50 put64_cpu=0.25")

    def test_what_was_not_measured_has_no_ratio(self):
        found = {key: value for key, value in runs().items() if key[2] != 1}
        del found["etcd-grpc", "get", 64, None]
        self.assertEqual(ratios_of(found), "ratios: put64=4.00 get64=- local64=4.00 "
                                           "put1_p50=- put64_p99=0.50 put64_cpu=0.25")

    def test_a_failed_answer_voids_the_cell(self):
        found = runs()
        found["parallax", "put", 64, None][1]["failures"] = 1
        summary = report.summarize(DESCRIPTION, IDLE, found)
        self.assertEqual([(c["target"], c["op"], c["clients"]) for c in summary["cells"]
                          if c["void"]], [("parallax", "put", 64)])
        self.assertIn("put64=- get64=4.00", report.ratios_line(summary["ratios"]))
        with contextlib.redirect_stdout(io.StringIO()) as out:
            report.print_table(summary)
        self.assertIn("void  1 failed", out.getvalue())
        self.assertIn("void: answers failed", page.render(summary))

    def test_noise_is_counted(self):
        found = runs()
        for number in (0, 2):
            found["etcd-grpc", "put", 64, None][number]["foreign_processors"] = 0.31
        summary = report.summarize(DESCRIPTION, IDLE, found)
        self.assertEqual([c["noisy"] for c in summary["cells"] if c["noisy"]], [2])

    def test_the_table_has_every_cell_and_the_method(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            report.print_table(report.summarize(DESCRIPTION, IDLE, runs()))
        self.assertIn(report.METHOD, out.getvalue())
        self.assertIn("800 [400..900]", out.getvalue())
        self.assertIn("30.0 (20.0 6.0 4.0)", out.getvalue())
        self.assertIn("eventual/get", out.getvalue())
        self.assertIn("put64: 800.00 / 200.00 = 4.00", out.getvalue())


class Balanced(html.parser.HTMLParser):
    """Every figure and plot that opens is closed, and nothing comes from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        for name, value in attributes:
            assert name not in ("src", "href") and "//" not in (value or ""), (tag, name, value)
        if tag in ("figure", "svg", "table", "figcaption"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in ("figure", "svg", "table", "figcaption"):
            assert self.open.pop() == tag, tag


class Page(unittest.TestCase):
    def test_it_is_whole_and_self_contained(self):
        text = page.render(report.summarize(DESCRIPTION, IDLE, runs()))
        parser = Balanced()
        parser.feed(text)
        self.assertEqual(parser.open, [])
        # Throughput and latency of three operations, levels, processor time, disk.
        self.assertEqual(parser.seen.count("svg"), 9)
        self.assertIn("wrk -t1", text)
        self.assertNotIn("nan", text)

    def test_a_run_with_little_in_it_has_a_page_too(self):
        for key in (("parallax", "eventual/put", 15, None), ("parallax", "put", 1, None)):
            for rate in (0, 100):
                found = {key: [run(rate, p50_ms=0.0, p99_ms=0.0, cpu_us=0.0, disk_bytes=0.0)]}
                page.render(report.summarize(DESCRIPTION, IDLE, found))


class Plan(unittest.TestCase):
    class Options:
        clients = [1, 64]
        targets = ["parallax", "etcd-grpc"]

    def cells(self, mode):
        self.Options.mode = mode
        return {(cell["op"], cell["clients"], cell["rate"]) for cell in bench.plan(self.Options)}

    def test_quick_is_closed_loops_alone(self):
        self.assertEqual(self.cells("quick"), {(op, clients, None) for clients in (1, 64)
                                               for op in ("put", "get", "local")})

    def test_full_has_open_loops_and_levels(self):
        more = self.cells("full") - self.cells("quick")
        self.assertIn(("put", 64, 2000), more)
        self.assertIn(("eventual/put", 63, None), more)

    def test_targets_are_asked_only_for_what_they_have(self):
        redis = targets.ALL["redis"]
        self.assertTrue(bench.suits(redis, {"op": "put", "rate": None}))
        self.assertFalse(bench.suits(redis, {"op": "get", "rate": None}))
        self.assertFalse(bench.suits(redis, {"op": "eventual/put", "rate": None}))
        self.assertFalse(bench.suits(targets.ALL["etcd-v3"], {"op": "put", "rate": 500}))


if __name__ == "__main__":
    unittest.main()
