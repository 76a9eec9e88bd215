// The drawings of a run's report that are not over its time: anomalies and staleness. Functions
// alone; what they use besides is in page.js and charts.js.

// --- Space-time diagrams ----------------------------------------------------------------------------------

/// Time is not to scale: each call and return is one step. Where the place is narrow, time runs down.
function drawSpaceTime(place, anomaly) {
  const ops = anomaly.ops.map(([call, took, client, node, outcome, named, label]) =>
    ({call, end: outcome === kUnknown ? null : call + took, client, node, named, label}));
  const moments = [...new Set(ops.flatMap(op => op.end === null ? [op.call] : [op.call, op.end]))]
    .sort((a, b) => a - b);
  const lanes = [...new Set(ops.map(op => op.client))].sort((a, b) => a - b).map(c => `client ${c}`)
    .concat([...new Set(ops.map(op => op.node))].filter(n => n).sort((a, b) => a - b).map(n => `n${n}`));
  const down = place.clientWidth < 640;
  const step = down ? 30 : Math.max(40, (place.clientWidth - 110) / (moments.length + 1));
  const between = down ? Math.max(48, Math.min(90, (place.clientWidth - 70) / lanes.length)) : 48;
  const along = (moments.length + .6) * step;
  const [first, start] = down ? [70, 34] : [30, 84];  // of the lanes, of time
  const across = first + (lanes.length - 1) * between + (down ? 30 : 34);
  const at = (t, lane) => down ? [first + lane * between, start + t * step] : [start + t * step, first + lane * between];
  const [width, height] = down ? [across, start + along] : [start + along, across];
  const root = svg('svg', {width, height, role: 'img', 'aria-label': 'space-time diagram; its operations are listed below'});
  lanes.forEach((name, lane) => {
    const [[x1, y1], [x2, y2]] = [at(0, lane), at(moments.length - .4, lane)];
    const text = down ? {x: x1, y: 14, 'text-anchor': 'middle'} : {x: 0, y: y1 + 4};
    const shown = down ? name.replace('client ', 'c') : name;
    root.append(svg('line', {class: 'st-lane', x1, y1, x2, y2}), svg('text', text, shown));
  });
  let free = -Infinity;  // where the next time may be written
  moments.forEach((us, t) => {
    const [x, y] = at(t, lanes.length - 1);
    const text = t === 0 ? seconds(us, 2e5) : '+' + duration(us - moments[0]);
    if (t * step < free) return;
    free = t * step + (down ? 26 : text.length * 6.4 + 10);
    root.append(svg('text', down ? {x: 0, y: y + 4} : {x, y: y + 26, 'text-anchor': 'middle'}, text));
  });
  // A label may reach to its client's next operation.
  const room = op => Math.min(moments.length, ...ops.filter(o => o.client === op.client && o.call > op.call)
    .map(o => moments.indexOf(o.call))) - moments.indexOf(op.call);
  const ordered = ops.map((op, i) => ({...op, number: i + 1, room: room(op) * step - 20}))
    .sort((a, b) => a.named - b.named);
  for (const op of ordered) root.append(drawStep(op, {moments, lanes, at, down}));
  place.replaceChildren(root);
}

/// One operation: its bar in its client's lane, to the node and back, its number and label. Where
/// in between the node did it is not known: the arrow's turn is in the middle.
function drawStep(op, {moments, lanes, at, down}) {
  const begin = moments.indexOf(op.call);
  const end = op.end === null ? moments.length - .5 : moments.indexOf(op.end);
  const lane = lanes.indexOf(`client ${op.client}`);
  const [[x1, y1], [x2, y2]] = [at(begin, lane), at(Math.max(end, begin + .25), lane)];
  const group = svg('g', {class: `st-op${op.named ? ' named' : ''}${op.end === null ? ' open' : ''}`},
    svg('title', {}, `${op.number}: client ${op.client} ${op.label}`));
  if (op.node) {
    const node = lanes.indexOf(`n${op.node}`);
    const middle = at(op.end === null ? begin + .8 : (begin + end) / 2, node);
    group.append(...arrow([x1, y1], middle, op.end === null ? 'lost' : ''));
    if (op.end !== null) group.append(...arrow(middle, [x2, y2], ''));
  }
  const bar = down ? {x: x1 - 5, y: y1, width: 10, height: y2 - y1} : {x: x1, y: y1 - 5, width: x2 - x1, height: 10};
  group.append(svg('rect', {...bar, rx: 3}), svg('circle', {cx: x1, cy: y1, r: 8.5}),
    svg('text', {class: 'badge-number', x: x1, y: y1 + 4, 'text-anchor': 'middle'}, String(op.number)));
  if (!down && fits(op.label, op.room)) {
    group.append(svg('text', {class: 'label', x: x1 + 11, y: y1 - 9}, op.label));
  }
  return group;
}

function arrow([x1, y1], [x2, y2], extra) {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const wing = turn => `${(x2 - 8 * Math.cos(angle + turn)).toFixed(1)} ${(y2 - 8 * Math.sin(angle + turn)).toFixed(1)}`;
  return [svg('line', {class: extra, x1, y1, x2, y2}),
          svg('path', {d: `M${x2.toFixed(1)} ${y2.toFixed(1)}L${wing(.4)}L${wing(-.4)}Z`})];
}

// --- Staleness ------------------------------------------------------------------------------------------------

function drawStaleness() {
  const place = byId('staleness-drawing');
  if (!place) return;
  const points = data.staleness;  // [after, reads, seen, predicted or null], by after
  const width = Math.max(place.clientWidth, 240);
  const [top, height] = [8, 200];
  const log = us => Math.log10(Math.max(us, 1));
  const [low, high] = [log(points[0][0]), Math.max(log(points.at(-1)[0]), log(points[0][0]) + 1)];
  const x = us => kLeft + 8 + (log(us) - low) / (high - low) * (width - kLeft - 32);
  const values = points.flatMap(point => [point[2], point[3] ?? 1]);
  const floor = Math.min(.9, Math.floor(Math.min(...values) * 10) / 10);
  const y = share => top + height - (share - floor) / (1 - floor) * height;
  const chart = {root: svg('svg', {width, height: top + height + 22, role: 'img',
    'aria-label': 'share of reads that saw the last write, by the time since it; numbers below'}), width};
  axis(chart, ticks(1 - floor, 4).map(n => floor + n), y, v => +(v * 100).toFixed(1) + ' %');
  let free = 0;
  for (let power = Math.ceil(low); power <= high; power++) {
    const at = x(10 ** power);
    if (at < free) continue;
    free = at + 60;
    chart.root.append(svg('line', {class: 'grid', x1: at, x2: at, y1: top, y2: top + height}),
      svg('text', {x: at, y: top + height + 15, 'text-anchor': 'middle'}, duration(10 ** power)));
  }
  chart.root.append(
    svg('path', {class: 'line wide', stroke: 'var(--s1)',
      d: path(points.map(point => point[3] === null ? null : [x(point[0]), y(point[3])]))}),
    svg('path', {class: 'line', stroke: 'var(--s0)', d: path(points.map(point => [x(point[0]), y(point[2])]))}),
    ...points.map(point => svg('circle', {cx: x(point[0]), cy: y(point[2]), r: 3, fill: 'var(--s0)'},
      svg('title', {}, `${duration(point[0])}: ${(point[2] * 100).toFixed(2)} % of ${plural(point[1], 'read')}`))));
  place.replaceChildren(chart.root);
}
