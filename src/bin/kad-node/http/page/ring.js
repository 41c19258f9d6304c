// The ids as a ring: a node's place is its id, so buckets are arcs.
const CENTER = 330, RADIUS = 240;
const TRIPS = [[1000, 't0', 'under 1 ms'], [20000, 't1', '1 to 20 ms'], [100000, 't2', '20 to 100 ms'], [Infinity, 't3', 'slower']];
const turn = id => parseInt(id.slice(0, 8), 16) / 2 ** 32;
function point(fraction, radius = RADIUS) {
  const angle = fraction * 2 * Math.PI - Math.PI / 2;
  return [CENTER + radius * Math.cos(angle), CENTER + radius * Math.sin(angle)];
}
function tripClass(contact) {
  if (contact.failures > 0) return 'silent';
  if (contact.round_trip_us === null) return 'unknown';
  return TRIPS.find(([below]) => contact.round_trip_us < below)[1];
}
function drawBuckets(svg) {
  const own = parseInt(state.node.id.slice(0, 8), 16);
  for (const bucket of state.buckets) {
    if (bucket.index > 9) continue;
    const width = 2 ** -(bucket.index + 1);
    const start = (Math.floor(own / 2 ** (31 - bucket.index)) ^ 1) * width;
    const gap = Math.min(.002, width / 8);
    const [from, to] = [start + gap, start + width - gap];
    const [inner, outer] = [RADIUS + 24, RADIUS + 40];
    const [a, b, c, d] = [point(from, outer), point(to, outer), point(to, inner), point(from, inner)];
    const full = bucket.contacts.length / state.node.k;
    const large = to - from > .5 ? 1 : 0;
    shape('path', {class: 'bucket', 'fill-opacity': (.12 + .88 * full).toFixed(2),
      d: `M${a}A${outer} ${outer} 0 ${large} 1 ${b}L${c}A${inner} ${inner} 0 ${large} 0 ${d}Z`}, svg,
      `Bucket ${bucket.index}: ${bucket.contacts.length} of ${state.node.k} contacts, ${bucket.replacements} in reserve`);
    if (bucket.index < 4) {
      const [x, y] = point(start + width / 2, RADIUS + 60);
      shape('text', {x, y: y + 4, 'text-anchor': 'middle'}, svg).textContent = `${bucket.contacts.length}/${state.node.k}`;
    }
  }
}
// Every node that is drawn: {id, address, class, size, title, index}.
function drawn() {
  const known = new Map(contacts().map(contact => [contact.id, contact]));
  if (!isDemo()) {
    return [...known.values()].map(contact => ({id: contact.id, class: tripClass(contact), size: 6, known: true,
      title: `${contact.address}\n${contact.id}\nround trip ${time(contact.round_trip_us)}, heard ${time(contact.seen_ago_us)} ago`}));
  }
  const {nodes, network} = state.demo;
  return nodes.map((node, index) => {
    const at = network ? network.states[index] : 'running';
    const held = network ? network.values[index] : 0;
    const contact = known.get(node.id);
    return {id: node.id, index, known: contact !== undefined && at === 'running',
      class: at === 'running' ? (held > 0 ? 't0' : 't1') : at, size: (nodes.length > 150 ? 3.5 : 5) + Math.min(7, Math.sqrt(held) * 1.6),
      title: `node ${index}, ${node.address}, ${at}\n${node.id}\nholds ${count(held, 'value')}`};
  });
}
function drawLookup(svg) {
  const lookup = state.lookup;
  if (!lookup) return;
  const own = point(turn(state.node.id));
  lookup.hops.forEach((hop, index) => {
    const to = point(turn(hop.id));
    const middle = [CENTER + (own[0] + to[0] - 2 * CENTER) * .2, CENTER + (own[1] + to[1] - 2 * CENTER) * .2];
    const fresh = index >= (lookup.drawn || 0) ? ' fresh' : '';
    shape('path', {class: `hop ${hop.answer}${fresh}`, d: `M${own}Q${middle} ${to}`, 'data-hop': index + 1}, svg);
  });
  lookup.drawn = lookup.hops.length;
}
function drawKey(svg, nodes) {
  if (!state.key) return;
  const holders = closest(nodes.filter(node => !['killed', 'stopped'].includes(node.class)).map(node => node.id), state.key, state.node.k);
  for (const node of nodes) {
    if (!holders.has(node.id)) continue;
    const [cx, cy] = point(turn(node.id));
    shape('circle', {class: 'halo', cx, cy, r: node.size + 5}, svg);
  }
  const [x, y] = point(turn(state.key), RADIUS - 26);
  shape('path', {class: 'key', d: `M${x} ${y - 9}L${x + 9} ${y}L${x} ${y + 9}L${x - 9} ${y}Z`}, svg, `key ${state.key}`);
}
function drawRing() {
  if (!state.node) return;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 660 660');
  svg.setAttribute('role', 'img');
  const nodes = drawn();
  const alive = nodes.filter(node => !['killed', 'stopped'].includes(node.class)).length;
  svg.setAttribute('aria-label', isDemo() ? `The ring of ids with ${alive} of ${nodes.length} nodes running` : `The ring of ids with ${count(alive, 'contact')}`);
  shape('circle', {class: 'circle', cx: CENTER, cy: CENTER, r: RADIUS}, svg);
  drawBuckets(svg);
  const own = point(turn(state.node.id));
  for (const node of nodes) {
    if (!node.known || node.id === state.node.id) continue;
    const [x2, y2] = point(turn(node.id));
    shape('line', {class: 'edge', x1: own[0], y1: own[1], x2, y2, 'data-to': node.id}, svg);
  }
  if (isDemo() && state.demo.network && state.demo.network.is_cut) {
    shape('line', {class: 'cut', x1: CENTER, x2: CENTER, y1: 18, y2: 642}, svg, 'The network is cut here');
  }
  drawLookup(svg);
  drawKey(svg, nodes);
  for (const node of nodes) {
    const [cx, cy] = point(turn(node.id));
    const chosen = isDemo() && node.index === state.chosen ? ' chosen' : '';
    const dot = shape('circle', {class: `node ${node.class}${chosen}`, cx, cy, r: node.size, 'data-id': node.id}, svg, node.title);
    if (node.index > 0) dot.addEventListener('click', () => choose(node.index));
  }
  shape('circle', {class: 'self', cx: own[0], cy: own[1], r: 10}, svg, `this node\n${state.node.id}`);
  const label = (dy, name, text) => { shape('text', {class: name, x: CENTER, y: CENTER + dy, 'text-anchor': 'middle'}, svg).textContent = text; };
  if (nodes.length === 0) label(0, 'strong', 'This node is alone: it knows no other yet');
  if (isDemo()) svg.classList.add('pick');
  $('ring').replaceChildren(svg);
}
function drawLegend() {
  const entry = (name, text) => {
    const item = element('li');
    shape('circle', {class: name, cx: 8, cy: 8, r: 6}, shape('svg', {viewBox: '0 0 16 16', 'aria-hidden': 'true'}, item));
    item.append(text);
    return item;
  };
  const own = entry('self', 'this node');
  const key = [entry('key', 'the last key'), entry('halo', `the ${state.node.k} nodes closest to it`)];
  const trips = TRIPS.map(([, name, text]) => entry(name, `answers in ${text}`.replace('in slower', 'slower')));
  const others = isDemo()
    ? [entry('t0', 'holds values (larger: more)'), entry('t1', 'holds none'), entry('departing', 'hands its values off'), entry('stopped', 'stopped'), entry('killed', 'killed')]
    : [...trips, entry('silent', 'did not answer lately')];
  $('legend').replaceChildren(own, ...others, ...key);
  $('ring-title').textContent = isDemo() ? 'The whole network' : 'What this node knows';
  $('ring-caption').textContent = (isDemo() ? 'Each dot is a node of this demo. ' : 'Each dot is a contact: a node that has answered this one. ')
    + 'Its place on the ring is its id. The outer arcs are the buckets of this node: each covers half of the ids that the one before left, and keeps up to '
    + `${state.node.k} contacts of them, so a node knows many near itself and a few everywhere.${isDemo() ? ' Lines lead to the nodes that this one knows.' : ''}`;
}
function drawTable() {
  const rows = contacts().slice(0, 1000).map(contact => {
    const row = element('tr', undefined, {'data-id': contact.id});
    row.append(...[contact.bucket, contact.address, shortened(contact.id), time(contact.round_trip_us),
      contact.failures ? `${count(contact.failures, 'request')} unanswered` : `${time(contact.seen_ago_us)} ago`].map(text => element('td', text)));
    return row;
  });
  if (rows.length === 0) rows.push(element('tr')), rows[0].append(element('td', 'No contacts yet.', {colspan: 5}));
  $('contacts').replaceChildren(...rows);
}
