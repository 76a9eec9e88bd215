// The charts over time of a run's report: timeline, rates, latencies. Functions alone; what they use
// besides is in page.js.

// --- Charts over time -------------------------------------------------------------------------------

/// An empty chart over the range of time, `height` high under its top, with fault bands behind.
function timeChart(place, height, top = 6) {
  const width = Math.max(place.clientWidth, 240);
  const span = range.to - range.from;
  const x = us => kLeft + (us - range.from) / span * (width - kLeft - 8);
  const clamp = us => x(Math.min(Math.max(us, range.from), range.to));
  const root = svg('svg', {width, height: top + height + 22, role: 'img'});
  for (const [begin, end] of faultyTimes()) {
    if (end <= range.from || begin >= range.to) continue;
    root.append(svg('rect', {class: 'band', x: clamp(begin), y: top, height,
      width: Math.max(clamp(end) - clamp(begin), 1)}));
  }
  for (const offset of ticks(span, Math.ceil(width / 90))) {
    const at = x(range.from + offset);
    const text = seconds(range.from + offset, span);
    if (at + text.length * 3.2 > width + 4) continue;
    root.append(svg('line', {class: 'grid', x1: at, x2: at, y1: top, y2: top + height}),
      svg('text', {x: at, y: top + height + 15, 'text-anchor': 'middle'}, text));
  }
  place.replaceChildren(root);
  return {root, x, clamp, width, height, top};
}

/// The stretches of time with at least one fault, each as its begin and end.
function faultyTimes() {
  const all = [];
  for (const {begin, end} of [...data.faults].sort((a, b) => a.begin - b.begin)) {
    const last = all.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else all.push([begin, end]);
  }
  return all;
}

/// Faults in as few rows as they need, each as its first and last place and its row.
function faultRows(chart) {
  const ends = [];
  return data.faults.filter(f => f.end > range.from && f.begin < range.to).map(fault => {
    const from = chart.clamp(fault.begin);
    const to = Math.max(chart.clamp(fault.end), from + 2);
    let row = ends.findIndex(end => end <= from);
    const crowded = row < 0 && ends.length === kMostFaultRows;  // it lies over others
    if (row < 0) row = Math.min(ends.length, kMostFaultRows - 1);
    ends[row] = Math.max(ends[row] ?? 0, to);
    return {fault, from, to, row, crowded};
  });
}

function describe(op) {
  const where = op.node ? ` at n${op.node}` : '';
  const took = op.outcome === kUnknown ? 'no answer' : duration(op.took);
  return `client ${op.client}: ${data.keys[op.key]}: ${op.label}${where}, ` +
    `${seconds(op.call, range.to - range.from)}, ${took}, ${data.outcomes[op.outcome]}`;
}

function drawBars(chart, ops, laneOf, top, lane) {
  for (const op of ops) {
    const from = chart.clamp(op.call);
    const half = data.kinds[op.kind] === 'read';
    const y = top + laneOf(op.client) * lane + (half ? lane * .45 : lane * .1);
    const end = op.outcome === kUnknown ? from + 8 : chart.clamp(moment(op));
    chart.root.append(svg('rect', {class: `op ${data.outcomes[op.outcome]}`, x: from, y,
      width: Math.max(end - from, 1.5), height: lane * (half ? .45 : .8)},
      svg('title', {}, describe(op))));
  }
}

/// One cell for all operations of a lane within a few pixels: as dense as there are many of them,
/// in the colour of the worst.
function drawCells(chart, ops, laneOf, top, lane) {
  const columns = Math.max(20, Math.floor((chart.width - kLeft) / 6));
  const cells = new Map();
  let most = 1;
  for (const op of ops) {
    const column = Math.min(columns - 1,
      Math.max(0, Math.floor((op.call - range.from) / (range.to - range.from) * columns)));
    const place = laneOf(op.client) * columns + column;
    const cell = cells.get(place) ?? {count: 0, failed: 0, unknown: 0};
    cell.count++;
    cell.failed += op.outcome === kFailed;
    cell.unknown += op.outcome === kUnknown;
    most = Math.max(most, cell.count);
    cells.set(place, cell);
  }
  const width = (chart.width - kLeft - 8) / columns;
  for (const [place, cell] of cells) {
    const worst = cell.unknown ? 'unknown' : cell.failed ? 'failed' : 'ok';
    chart.root.append(svg('rect', {class: `cell ${worst}`, x: kLeft + place % columns * width,
      y: top + Math.floor(place / columns) * lane + 1, width: width - .5, height: lane - 2,
      opacity: worst === 'ok' ? (.2 + .8 * cell.count / most).toFixed(2) : 1},
      svg('title', {}, `${plural(cell.count, 'operation')}, ${cell.failed} failed, ` +
        `${cell.unknown} unknown`)));
  }
}

function drawTimeline(ops) {
  const perLane = Math.max(1, Math.ceil(clients.length / kMostLanes));
  const laneOf = client => Math.floor(clients.indexOf(client) / perLane);
  const lanes = Math.ceil(clients.length / perLane);
  const lane = lanes > 12 ? 13 : 18;
  const place = byId('timeline-drawing');
  const head = data.faults.length ? Math.max(1,
    ...faultRows(timeChart(place, 1)).map(fault => fault.row + 1)) * 18 + 4 : 0;
  const marks = data.anomalies.length ? 18 : 0;
  const chart = timeChart(place, head + lanes * lane + marks);
  for (const {fault, from, to, row, crowded} of faultRows(chart)) {
    const y = chart.top + row * 18;
    chart.root.append(svg('rect', {class: 'faultbar', x: from, y, width: to - from, height: 15, rx: 3},
      svg('title', {}, `${faultName(fault)} ${fault.detail}`)));
    const name = [faultName(fault), fault.kind].find(text => fits(text, to - from));
    if (name && !crowded) chart.root.append(svg('text', {class: 'strong', x: from + 4, y: y + 11.5}, name));
  }
  const top = chart.top + head;
  for (let i = 0; i < lanes; i++) {
    const name = `c${clients[i * perLane]}${perLane > 1 ? '…' : ''}`;  // and those after it
    chart.root.append(svg('text', {x: kLeft - 6, y: top + (i + .7) * lane, 'text-anchor': 'end'}, name),
      svg('line', {class: 'grid', x1: kLeft, x2: chart.width - 8, y1: top + i * lane, y2: top + i * lane}));
  }
  const single = ops.length <= kMostBars;
  (single ? drawBars : drawCells)(chart, ops, laneOf, top, lane);
  drawMarks(chart, top, top + lanes * lane);
  byId('timeline-note').textContent = single
    ? 'Each bar is one operation: tall ones write, low ones read.'
    : 'There are too many operations to draw each: a cell is as dense as there are operations in ' +
      'it, and has the colour of the worst. Zoom in to see each.';
  makeZoomable(chart);
}

/// Where each anomaly is: a line for the last operation of it, with its number.
function drawMarks(chart, top, bottom) {
  data.anomalies.forEach((anomaly, i) => {
    const at = anomaly.at;
    if (at < range.from || at > range.to) return;
    const x = chart.x(at);
    chart.root.append(svg('line', {class: 'mark', x1: x, x2: x, y1: top, y2: bottom}),
      svg('circle', {class: 'markhead', cx: x, cy: bottom + 9, r: 8}),
      svg('text', {x, y: bottom + 13, 'text-anchor': 'middle'}, String(i + 1)));
  });
}

/// A stretch that is drawn over with the pointer becomes the range of time.
function makeZoomable(chart) {
  const {root, width} = chart;
  root.classList.add('zoomable');
  const timeAt = event => range.from + (event.clientX - root.getBoundingClientRect().left - kLeft) /
    (width - kLeft - 8) * (range.to - range.from);
  let start = null;
  const band = svg('rect', {class: 'selection', y: chart.top, height: chart.height, width: 0});
  root.append(band);
  root.onpointerdown = event => { start = timeAt(event); };
  root.onpointermove = event => {
    if (start === null) return;
    const [from, to] = [start, timeAt(event)].sort((a, b) => a - b).map(chart.clamp);
    band.setAttribute('x', from);
    band.setAttribute('width', to - from);
  };
  root.onpointerup = root.onpointerleave = event => {
    if (start === null) return;
    const [from, to] = [start, timeAt(event)].sort((a, b) => a - b);
    start = null;
    if (chart.clamp(to) - chart.clamp(from) > 6) {
      show(from, to);
      draw();
    } else {
      band.setAttribute('width', 0);
    }
  };
}

// --- Rates and latencies ------------------------------------------------------------------------------

/// Per level: what came to its end in each bucket of the range, and how long it took, in µs. The
/// quantile q is the smallest time that at least the share q did not exceed.
function measure(ops) {
  const found = data.levels.map(() => ({
    answered: Array(data.buckets).fill(0), failed: Array(data.buckets).fill(0),
    unknown: Array(data.buckets).fill(0), times: Array.from({length: data.buckets}, () => [])}));
  for (const op of ops) {
    const at = Math.floor((moment(op) - range.from) * data.buckets / (range.to - range.from));
    if (at < 0 || at > data.buckets) continue;
    const bucket = Math.min(at, data.buckets - 1);
    const level = found[op.level];
    if (op.outcome === kUnknown) level.unknown[bucket]++;
    else if (op.outcome === kFailed) level.failed[bucket]++;
    else { level.answered[bucket]++; level.times[bucket].push(op.took); }
  }
  const quantile = (sorted, q) => sorted.length ? sorted[Math.ceil(q * sorted.length) - 1] : null;
  for (const level of found) {
    for (const times of level.times) times.sort((a, b) => a - b);
    level.p50 = level.times.map(times => quantile(times, .5));
    level.p99 = level.times.map(times => quantile(times, .99));
    delete level.times;
  }
  return found;
}

/// An SVG path through the points that are there, broken where one is not.
function path(points) {
  let pen = 'M';
  return points.map(point => {
    if (point === null) { pen = 'M'; return ''; }
    const step = `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = 'L';
    return step;
  }).join('');
}

function drawLines(chart, series, value, y, extra = '') {
  series.forEach((level, i) => {
    const points = value(level).map((v, bucket) =>
      v === null ? null : [chart.middle(bucket), y(v)]);
    if (points.every(point => point === null)) return;
    chart.root.append(svg('path', {class: `line ${extra}`, stroke: `var(--s${i})`, d: path(points)}));
    points.forEach((point, at) => {  // one alone makes no line
      if (point && !points[at - 1] && !points[at + 1]) {
        chart.root.append(svg('circle', {cx: point[0], cy: point[1], r: 2, fill: `var(--s${i})`}));
      }
    });
  });
}

function axis(chart, marks, y, text) {
  for (const mark of marks) {
    chart.root.append(svg('line', {class: 'grid', x1: kLeft, x2: chart.width - 8, y1: y(mark), y2: y(mark)}),
      svg('text', {x: kLeft - 6, y: y(mark) + 4, 'text-anchor': 'end'}, text(mark)));
  }
}

function bucketChart(id, height) {
  const chart = timeChart(byId(id), height);
  const length = (range.to - range.from) / data.buckets;
  chart.bucketSeconds = length / 1e6;
  chart.middle = bucket => chart.x(range.from + (bucket + .5) * length);
  return chart;
}

function drawRate(series, weight) {
  const chart = bucketChart('rate-drawing', 150);
  const perSecond = n => n * weight / chart.bucketSeconds;
  const unanswered = series.reduce((sum, level) => sum.map((n, i) =>
    n + level.failed[i] + level.unknown[i]), Array(data.buckets).fill(0));
  const most = perSecond(Math.max(1, ...unanswered, ...series.flatMap(level => level.answered)));
  const y = v => chart.top + chart.height - v / most * (chart.height - 4);
  axis(chart, ticks(most, 5), y, v => v >= 10000 ? v / 1000 + 'k' : String(+v.toPrecision(3)));
  const width = (chart.width - kLeft - 8) / data.buckets;
  unanswered.forEach((n, bucket) => {
    if (n) chart.root.append(svg('rect', {class: 'failed', x: chart.middle(bucket) - width / 2,
      y: y(perSecond(n)), width, height: y(0) - y(perSecond(n)), opacity: .7}));
  });
  drawLines(chart, series, level => level.answered.map(perSecond), y);
  makeReadable(chart, 'rate', bucket => data.levels.map((name, i) =>
    `${name} ${perSecond(series[i].answered[bucket]).toFixed(0)}/s`).join(', ') +
    `, without an answer or failed ${perSecond(unanswered[bucket]).toFixed(0)}/s`);
}

function drawLatency(series) {
  const chart = bucketChart('latency-drawing', 190);
  const all = series.flatMap(level => [...level.p50, ...level.p99]).filter(v => v !== null);
  const low = Math.floor(Math.log10(Math.max(1, Math.min(...all, 1e9))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1, ...all))));
  const y = v => chart.top + chart.height -
    (Math.log10(Math.max(v, 1)) - low) / (high - low) * chart.height;
  const marks = Array.from({length: high - low + 1}, (_, i) => 10 ** (low + i));
  axis(chart, marks, y, v => v >= 1e6 ? v / 1e6 + ' s' : v >= 1e3 ? v / 1e3 + ' ms' : v + ' µs');
  drawLines(chart, series, level => level.p99, y, 'upper');
  drawLines(chart, series, level => level.p50, y);
  makeReadable(chart, 'latency', bucket => data.levels.map((name, i) => series[i].p50[bucket] === null ? '' :
    `${name} p50 ${duration(series[i].p50[bucket])}, p99 ${duration(series[i].p99[bucket])}`)
    .filter(Boolean).join('; ') || 'nothing was answered');
}

/// Says in words what a chart shows where the pointer is, or the arrow keys have moved.
function makeReadable(chart, name, say) {
  const place = byId(`${name}-drawing`);
  const cursor = svg('line', {class: 'cursor', y1: chart.top, y2: chart.top + chart.height});
  chart.root.append(cursor);
  let bucket = 0;
  const tell = at => {
    bucket = Math.min(Math.max(at, 0), data.buckets - 1);
    const x = chart.middle(bucket);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    const time = range.from + (bucket + .5) * (range.to - range.from) / data.buckets;
    byId(`${name}-reading`).textContent = `${seconds(time, range.to - range.from)}: ${say(bucket)}`;
  };
  chart.root.onpointermove = event => tell(Math.floor(data.buckets *
    (event.clientX - chart.root.getBoundingClientRect().left - kLeft) / (chart.width - kLeft - 8)));
  place.onkeydown = event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step) return;
    event.preventDefault();
    tell(bucket + step);
  };
}
