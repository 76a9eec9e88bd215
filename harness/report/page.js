// Draws a run's report from the data that the page carries, and filters it. Uses no network.
//
// A row of data.ops is one operation, by call: see `operations` below for its columns. Times are
// whole microseconds since the run began.
const data = JSON.parse(document.getElementById('data').textContent);
const operations = data.ops.map(([call, took, client, node, kind, outcome, level, key, label]) =>
  ({call, took, client, node, kind, outcome, level, key, label}));
const clients = [...new Set(operations.map(op => op.client))].sort((a, b) => a - b);
const kUnknown = data.outcomes.indexOf('unknown');
const kFailed = data.outcomes.indexOf('failed');
const kMostBars = 3000;   // operations that are drawn one by one; more are drawn as cells
const kMostLanes = 24;    // more clients than that share lanes
const kMostFaultRows = 14;  // faults at the same time beyond that lie over each other
const kMostRows = 100;    // of the table of operations
const kLeft = 46;         // room for what is written beside the axes

const byId = id => document.getElementById(id);
const form = byId('filters');

// --- Small things ---------------------------------------------------------------------------------

/// An SVG element; `content` is its text or its children.
function svg(name, attributes = {}, content = []) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...[].concat(content));
  return element;
}

function seconds(us, span = us) {
  if (span >= 20e6) return (us / 1e6).toFixed(1) + ' s';
  if (span >= 2e6) return (us / 1e6).toFixed(2) + ' s';
  if (span >= 2e4) return (us / 1e6).toFixed(3) + ' s';
  return (us / 1e3).toFixed(2) + ' ms';
}

function duration(us) {
  const short = n => n >= 100 ? Math.round(n) : +n.toPrecision(3);
  if (us >= 1e6) return short(us / 1e6) + ' s';
  if (us >= 1e3) return short(us / 1e3) + ' ms';
  return Math.round(us) + ' µs';
}

/// Round numbers from 0 to `most`, about `count` of them.
function ticks(most, count) {
  const raw = most / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= raw);
  const all = [];
  for (let n = 0; n <= most * 1.0001; n += step) all.push(n);
  return all;
}

const plural = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;
/// When an answer came; of an operation without one, when it was called.
const moment = op => op.call + Math.max(op.took, 0);
const faultName = fault => `${fault.kind} ${fault.target}`.trim();
const fits = (text, width) => text.length * 6.4 + 6 <= width;

// --- What is asked for: the form, the range of time, and both in the page's address -----------------

const range = {from: 0, to: data.span};

function asked() {
  const checked = name => new Set([...form.querySelectorAll(`input[name=${name}]`)]
    .filter(box => box.checked).map(box => Number(box.value)));
  return {kinds: checked('kind'), outcomes: checked('outcome'), levels: checked('level'),
          client: form.elements.client.value, fault: form.elements.fault.value};
}

const isFiltered = () => form.elements.client.value !== '' || form.elements.fault.value !== '' ||
  [...form.querySelectorAll('input')].some(box => !box.checked);
const isZoomed = () => range.from > 0 || range.to < data.span;

/// Whether an operation was called during what the choice of faults says.
function inFault(choice) {
  if (choice === '') return () => true;
  const within = (op, fault) => op.call >= fault.begin && op.call < fault.end;
  if (choice === 'none') return op => !data.faults.some(fault => within(op, fault));
  const chosen = data.faults.filter((fault, i) => choice === String(i) || choice === fault.kind);
  return op => chosen.some(fault => within(op, fault));
}

function matching() {
  const want = asked();
  const faulty = inFault(want.fault);
  return operations.filter(op => want.kinds.has(op.kind) && want.outcomes.has(op.outcome) &&
    want.levels.has(op.level) && (want.client === '' || op.client === Number(want.client)) &&
    faulty(op) && op.call <= range.to && moment(op) >= range.from);
}

function writeAddress() {
  const parts = new URLSearchParams();
  for (const name of ['kind', 'outcome', 'level']) {
    const boxes = [...form.querySelectorAll(`input[name=${name}]`)];
    if (boxes.every(box => box.checked)) continue;
    parts.set(name, boxes.filter(box => box.checked).map(box => box.value).join('.'));
  }
  for (const name of ['client', 'fault']) {
    if (form.elements[name].value !== '') parts.set(name, form.elements[name].value);
  }
  if (isZoomed()) parts.set('time', `${Math.round(range.from)}-${Math.round(range.to)}`);
  history.replaceState(null, '', '#' + parts);
}

function readAddress() {
  if (!location.hash.includes('=')) return;
  const parts = new URLSearchParams(location.hash.slice(1));
  for (const name of ['kind', 'outcome', 'level']) {
    const wanted = parts.has(name) ? parts.get(name).split('.') : null;
    for (const box of form.querySelectorAll(`input[name=${name}]`)) {
      box.checked = wanted === null || wanted.includes(box.value);
    }
  }
  for (const name of ['client', 'fault']) form.elements[name].value = parts.get(name) ?? '';
  const [from, to] = (parts.get('time') ?? '').split('-').map(Number);
  if (from >= 0 && to > from) show(from, to);
}

/// Moves the range of time, within the run, and at least 100 µs.
function show(from, to) {
  const length = Math.min(Math.max(to - from, 100), data.span);
  range.from = Math.min(Math.max(from, 0), data.span - length);
  range.to = range.from + length;
}

function zoom(factor) {
  const middle = (range.from + range.to) / 2;
  const half = (range.to - range.from) * factor / 2;
  show(middle - half, middle + half);
}

// --- The table of operations ----------------------------------------------------------------------------

function drawTable(ops) {
  byId('rows').replaceChildren(...ops.slice(0, kMostRows).map(op => {
    const row = document.createElement('tr');
    const cells = [seconds(op.call, data.span / 100), op.outcome === kUnknown ? '–' : duration(op.took),
      `c${op.client}`, op.node ? `n${op.node}` : '–', `${data.keys[op.key]}: ${op.label}`,
      data.outcomes[op.outcome], data.levels[op.level]];
    const titles = ['at', 'took', 'client', 'node', '', '', ''];
    cells.forEach((text, i) => {
      const cell = row.insertCell();
      cell.textContent = text;
      if (titles[i]) cell.dataset.title = titles[i];
      if (i === 4) cell.className = 'whole';
    });
    return row;
  }));
  byId('rows-note').textContent = ops.length > kMostRows ? `The first ${kMostRows} are listed.` : '';
}

function draw() {
  const ops = matching();
  const whole = !isFiltered() && !isZoomed();
  const sampled = data.kept < data.total;
  const series = whole ? data.series : measure(ops);
  drawTimeline(ops);
  drawRate(series, whole ? 1 : data.total / data.kept);
  drawLatency(series);
  drawTable(ops);
  byId('matching').textContent = `${plural(ops.length, 'operation')} of ` +
    `${data.kept.toLocaleString('en')}${sampled ? ` in the sample of ${data.total.toLocaleString('en')}` : ''}` +
    (isZoomed() ? `, ${seconds(range.from, range.to - range.from)} to ${seconds(range.to, range.to - range.from)}` : '');
}

function changed() {
  writeAddress();
  draw();
}

// --- The beginning ----------------------------------------------------------------------------------------------

function drawAll() {
  draw();
  drawStaleness();
  data.anomalies.forEach((anomaly, i) => {
    const place = byId(`spacetime-${i + 1}`);
    if (place) drawSpaceTime(place, anomaly);
  });
}

function goTo(section) {
  changed();
  byId(section).scrollIntoView();
}

form.addEventListener('change', changed);
form.addEventListener('reset', () => setTimeout(() => { show(0, data.span); changed(); }));
form.addEventListener('submit', event => event.preventDefault());
for (const button of document.querySelectorAll('[data-zoom]')) {
  button.addEventListener('click', () => {
    const length = range.to - range.from;
    ({in: () => zoom(.5), out: () => zoom(2), whole: () => show(0, data.span),
      earlier: () => show(range.from - length / 2, range.to - length / 2),
      later: () => show(range.from + length / 2, range.to + length / 2)})[button.dataset.zoom]();
    changed();
  });
}
for (const button of document.querySelectorAll('[data-from]')) {
  button.addEventListener('click', () => {
    show(Number(button.dataset.from), Number(button.dataset.to));
    goTo('timeline');
  });
}
for (const link of document.querySelectorAll('[data-fault]')) {
  link.addEventListener('click', event => {
    event.preventDefault();
    form.elements.fault.value = link.dataset.fault;
    goTo('timeline');
  });
}
byId('copy').addEventListener('click', async () => {
  const command = byId('command');
  getSelection().selectAllChildren(command);  // so that it can be copied by hand where this may not
  try {
    await navigator.clipboard.writeText(command.textContent);
    byId('copied').textContent = 'copied';
  } catch {
    byId('copied').textContent = document.execCommand('copy') ? 'copied' : 'selected: copy it with Ctrl+C';
  }
});
window.addEventListener('hashchange', () => { readAddress(); drawAll(); });
let resizing = 0;
window.addEventListener('resize', () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(drawAll);
});
readAddress();
drawAll();
