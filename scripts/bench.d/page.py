"""The summary as one HTML page without anything from outside: plots as inline SVG."""

import html
import math

import report

COLOURS = {"parallax": "#0b62d6", "etcd-grpc": "#d2451e", "etcd-v3": "#e08a00",
           "etcd-v2": "#8a6d00", "zookeeper": "#2a8a3e", "redis": "#8a2be2",
           "floor": "#7a7a7a"}
OPS = {"put": "put", "get": "get, linearizable", "local": "get, local"}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 460, 280, 64, 40, 16, 16


def scale(low, high, start, end, logarithmic):
    """A function from values to pixels, and the values to mark."""
    if logarithmic:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        last = max(last, first + 1)
        marks = [10.0 ** n for n in range(first, last + 1)]
        return (lambda v: start + (math.log10(v) - first) / (last - first) * (end - start)), marks
    high = high or 1
    step = 10 ** math.floor(math.log10(high))
    while high / step < 4:
        step /= 2
    top = step * math.ceil(high / step)
    marks = [step * n for n in range(int(round(top / step)) + 1)]
    return (lambda v: start + v / top * (end - start)), marks


def number(value):
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def frame(title, x_title, y_title, x, x_marks, y, y_marks, x_texts=None):
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">']
    for mark in y_marks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" '
                     f'y2="{y(mark):.1f}"/><text x="{LEFT - 6}" y="{y(mark) + 4:.1f}" '
                     f'text-anchor="end">{number(mark)}</text>')
    for place, mark in enumerate(x_marks):
        text = x_texts[place] if x_texts else number(mark)
        parts.append(f'<text x="{x(mark):.1f}" y="{HEIGHT - BOTTOM + 16}" '
                     f'text-anchor="middle">{text}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
                 f'{x_title}</text><text transform="rotate(-90)" x="{-HEIGHT / 2 + 10}" y="14" '
                 f'text-anchor="middle">{y_title}</text>')
    return parts


def curve(points, colour, dashed=False):
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
    return (f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
            + dots)


def closed_cells(summary, op):
    """By target, the cells of an operation by number of clients."""
    found = {}
    for cell in summary["cells"]:
        if cell["op"] == op and not cell["void"] and not cell["rate"]:
            found.setdefault(cell["target"], []).append(cell)
    return found


def throughput_plot(summary, op):
    by_target = closed_cells(summary, op)
    clients = sorted({cell["clients"] for cells in by_target.values() for cell in cells})
    high = max(cell["median"]["per_second"] for cells in by_target.values() for cell in cells)
    y, y_marks = scale(0, high, HEIGHT - BOTTOM, TOP, False)

    def x(value):
        return LEFT + (clients.index(value) + 0.5) / len(clients) * (WIDTH - RIGHT - LEFT)
    parts = frame(f"throughput of {op}", "clients", "per second", x, clients, y, y_marks)
    for target, cells in by_target.items():
        colour = COLOURS[target]
        for cell in cells:
            low, top = (y(v) for v in cell["range"]["per_second"])
            parts.append(f'<line x1="{x(cell["clients"]):.1f}" x2="{x(cell["clients"]):.1f}" '
                         f'y1="{low:.1f}" y2="{top:.1f}" stroke="{colour}"/>')
        parts.append(curve([(x(c["clients"]), y(c["median"]["per_second"])) for c in cells],
                           colour))
    return "".join(parts) + "</svg>"


def latency_plot(summary, op):
    by_target = closed_cells(summary, op)
    medians = [cell["median"] for cells in by_target.values() for cell in cells]
    x, x_marks = scale(0, max(m["per_second"] for m in medians), LEFT, WIDTH - RIGHT - 8, False)
    least = max(min(m["p50_ms"] for m in medians), 0.001)
    y, y_marks = scale(least, max(m["p99_ms"] for m in medians) or 1, HEIGHT - BOTTOM, TOP, True)
    parts = frame(f"latency of {op}", "per second", "ms", x, x_marks, y, y_marks)
    for target, cells in by_target.items():
        for figure, dashed in (("p50_ms", False), ("p99_ms", True)):
            points = [(x(c["median"]["per_second"]), y(max(c["median"][figure], least)))
                      for c in cells]
            parts.append(curve(points, COLOURS[target], dashed))
    return "".join(parts) + "</svg>"


def bars(title, rows, unit):
    """rows: label, value, colour."""
    high = max(value for _, value, _ in rows) or 1
    height = 22 * len(rows) + 8
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">']
    for place, (label, value, colour) in enumerate(rows):
        top, length = 4 + 22 * place, value / high * 240
        parts.append(f'<text x="132" y="{top + 13}" text-anchor="end">{html.escape(label)}</text>'
                     f'<rect x="138" y="{top}" width="{max(length, 1):.1f}" height="16" '
                     f'fill="{colour}"/><text x="{144 + length:.1f}" y="{top + 13}">'
                     f'{value:,.0f} {unit}</text>')
    return "".join(parts) + "</svg>"


def figure(svg, caption):
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def plots(summary):
    out = []
    for op, title in OPS.items():
        if closed_cells(summary, op):
            out.append(figure(throughput_plot(summary, op), f"<b>{title}</b>: throughput against "
                              "clients; closed loop, bars show the range of the rounds"))
            out.append(figure(latency_plot(summary, op), f"<b>{title}</b>: latency against "
                              "throughput, by clients; p50 solid, p99 dashed"))
    levels = [c for c in summary["cells"] if "/" in c["op"] and not c["void"]]
    for clients in sorted({c["clients"] for c in levels}):
        rows = [(c["op"], c["median"]["per_second"], COLOURS["parallax"])
                for c in levels if c["clients"] == clients]
        out.append(figure(bars("levels", rows, "/s"), f"<b>Parallax, level by level</b>: "
                          f"{clients} clients, spread evenly over the nodes"))
    busiest = {}
    for cell in summary["cells"]:
        if cell["op"] == "put" and not cell["void"] and not cell["rate"]:
            if cell["clients"] <= 64:
                busiest[cell["target"]] = cell
    if busiest:
        clients = max(cell["clients"] for cell in busiest.values())
        rows = [(name, cell["median"]["cpu_us"], COLOURS[name]) for name, cell in busiest.items()]
        out.append(figure(bars("processor time", rows, "us"), "<b>processor time of a put</b>, "
                          f"three servers together, {clients} clients"))
        rows = [(name, cell["median"]["disk_bytes"], COLOURS[name])
                for name, cell in busiest.items()]
        out.append(figure(bars("disk", rows, "B"), "<b>bytes written to disk for a put</b>, three "
                          f"servers together, {clients} clients"))
    return "".join(out)


def table(summary):
    rows = []
    for cell in summary["cells"]:
        name = cell["op"] + (f", open loop {cell['rate']}/s" if cell["rate"] else "")
        head = f"<td>{name}<td>{cell['clients']}<td>{cell['target']}"
        if cell["void"]:
            rows.append(f"<tr>{head}<td colspan=10>void: answers failed")
            continue
        m = cell["median"]
        low, high = cell["range"]["per_second"]
        ratio = report.beside(summary["cells"], cell)
        noisy = f"{cell['noisy']} of {len(cell['rounds'])}" if cell["noisy"] else ""
        rows.append(f"<tr>{head}<td>{m['per_second']:,.0f} [{low:,.0f}–{high:,.0f}]"
                    f"<td>{m['p50_ms']:.2f}<td>{m['p99_ms']:.2f}<td>{m['p999_ms']:.2f}"
                    f"<td>{m['cpu_us']:.1f} ({report.by_server(m)})"
                    f"<td>{m['generator_cpu_us']:.1f}"
                    f"<td>{m['disk_bytes']:,.0f}<td>{m['network_bytes']:,.0f}"
                    f"<td>{f'{ratio:.2f}' if ratio else ''}<td>{noisy}")
    return ("<table><tr><th>operation<th>clients<th>target<th>per second [range]<th>p50 ms"
            "<th>p99 ms<th>p99.9 ms<th>CPU µs (by server)<th>generator µs<th>disk B<th>network B"
            "<th>ratio<th>noisy" + "".join(rows) + "</table>")


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;
color:#222;background:#fff}svg{width:100%;font:11px system-ui,sans-serif}svg text{fill:#444}
.grid{stroke:#ddd}.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(400px,1fr));
gap:1em}figure{margin:0}figcaption{font-size:13px;color:#444}table{border-collapse:collapse;
font-size:13px;display:block;overflow-x:auto}td,th{padding:2px 8px;text-align:right;
border-bottom:1px solid #ddd;white-space:nowrap}td:first-child,td:nth-child(3){text-align:left}
.key span{display:inline-block;margin-right:1.2em}.key i{display:inline-block;width:1em;
height:.7em;margin-right:.4em}"""


def render(summary):
    key = "".join(f'<span><i style="background:{COLOURS[name]}"></i>{name} '
                  f'{html.escape(summary["versions"].get(name, ""))}</span>'
                  for name in summary["targets"])
    ratios = "".join(f"<tr><td>{name}<td>{r['parallax']:,.2f}<td>{r['etcd-grpc']:,.2f}"
                     f"<td>{r['ratio']:.2f}" for name, r in summary["ratios"].items() if r)
    if ratios:
        ratios = ("<h2>Parallax beside etcd over gRPC</h2><table><tr><th><th>Parallax<th>etcd"
                  "<th>ratio" + ratios + "</table><p>Operations a second, p50 and p99 in ms, CPU in "
                  "µs an operation of three servers together; the number is that of clients.</p>")
    idle = "".join(f"<tr><td>{target} {s['server']}<td>{s['resident_mb']:.1f}"
                   f"<td>{s['cpu_percent']:.1f}"
                   for target, servers in summary["idle"].items() for s in servers)
    return ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
            f"content='width=device-width'><title>Bench {summary['date']}</title>"
            f"<style>{STYLE}</style><h1>Bench of {summary['date']}</h1>"
            f"<p>{summary['processors']} processors, {html.escape(summary['filesystem'])}; "
            f"{summary['rounds']} round(s) of {summary['seconds']} s.</p>"
            f"<p class=key>{key}</p>{ratios}<div class=plots>{plots(summary)}</div>"
            f"<h2>All cells</h2>{table(summary)}<p>ratio: throughput of Parallax over the target's; "
            "of a level, over linearizable.</p><h2>Idle servers</h2><table><tr><th>server"
            f"<th>resident MB<th>CPU %{idle}</table><h2>Method</h2>"
            f"<p>{html.escape(summary['method'])}</p></html>\n")
