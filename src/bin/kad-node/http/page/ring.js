// The ids as a ring: a node's place is its id, so buckets are arcs.
const CENTER = 350, RADIUS = 240;
const BUCKETS_DRAWN_MAX = 10, BUCKETS_NAMED_MAX = 4;
const TRIPS = [[1000, 't0', 'under 1 ms'], [20000, 't1', '1 to 20 ms'],
  [100000, 't2', '20 to 100 ms'], [Infinity, 't3', 'over 100 ms']];
const turn = id => parseInt(id.slice(0, 8), 16) / 2 ** 32;
function point(fraction, radius = RADIUS) {
  const angle = fraction * 2 * Math.PI - Math.PI / 2;
  return [CENTER + radius * Math.cos(angle), CENTER + radius * Math.sin(angle)].map(at => +at.toFixed(1));
}
const places = new Map(), PLACES_MAX = 4096;
function place(id) {
  let at = places.get(id);
  if (!at) {
    if (places.size >= PLACES_MAX) places.clear();
    at = point(turn(id));
    places.set(id, at);
  }
  return at;
}
function tripClass(contact) {
  if (contact.failures > 0) return 'silent';
  if (contact.round_trip_us === null) return 'unknown';
  return TRIPS.find(([below]) => contact.round_trip_us < below)[1];
}
let ring;
function startRing() {
  // What changes together has a sheet of its own, so that a hop has no node painted anew.
  const sheet = attributes => shape('svg', {viewBox: '0 0 700 700', ...attributes}, $('ring'));
  const svg = sheet({role: 'img'}), lookups = sheet({'aria-hidden': 'true'}), dots = sheet({'aria-hidden': 'true'});
  if (isDemo()) dots.classList.add('pick');
  const arcs = new Layer('path', svg, 'buckets'), names = new Layer('text', svg);
  shape('circle', {class: 'circle', cx: CENTER, cy: CENTER, r: RADIUS}, svg);
  const [known, others, above] = [svg, lookups, dots].map(of => tag => new Layer(tag, of));
  ring = {svg, arcs, names, edges: known('line'), cut: known('line'), keys: known('line'), labels: known('text'),
    background: others('path'), hops: others('path'), pulls: others('path'), halos: others('circle'), key: others('path'),
    nodes: above('circle'), self: above('circle'), known: []};
  const about = event => event.target.dataset && ring.known.find(node => node.id === event.target.dataset.id);
  dots.addEventListener('click', event => {
    const node = about(event);
    if (node && node.index > 0) choose(node.index);
  });
  dots.addEventListener('mouseover', event => {
    const node = about(event);
    if (node) $('ring-detail').textContent = node.title();
  });
  // What moves has a layer of its own, so that its frames draw nothing else anew.
  ring.moves = element('div', undefined, {class: 'moves', 'aria-hidden': 'true'});
  $('ring').append(ring.moves);
}
function bucketArc(bucket) {
  const own = parseInt(state.node.id.slice(0, 8), 16);
  const width = 2 ** -(bucket.index + 1);
  const start = (Math.floor(own / 2 ** (31 - bucket.index)) ^ 1) * width;
  const gap = Math.min(.002, width / 8);
  const [from, to] = [start + gap, start + width - gap];
  const [inner, outer] = [RADIUS + 26, RADIUS + 42];
  const [a, b, c, d] = [point(from, outer), point(to, outer), point(to, inner), point(from, inner)];
  return {middle: start + width / 2, path: `M${a}A${outer} ${outer} 0 0 1 ${b}L${c}A${inner} ${inner} 0 0 0 ${d}Z`};
}
function drawBuckets() {
  const shown = state.buckets.filter(bucket => bucket.index < BUCKETS_DRAWN_MAX);
  ring.arcs.draw(shown.map(bucket => [bucket.index, {class: 'bucket', d: bucketArc(bucket).path,
    'fill-opacity': (.15 + .85 * bucket.contacts.length / state.node.k).toFixed(2)}]));
  const named = shown.filter(bucket => bucket.index < BUCKETS_NAMED_MAX);
  ring.names.draw(named.map(bucket => {
    const [x, y] = point(bucketArc(bucket).middle, RADIUS + 74);
    return [bucket.index, {x, y: y + 4, 'text-anchor': 'middle'}, `${bucket.contacts.length}/${state.node.k}`];
  }));
}
// Every node that is drawn, but for this one.
function drawn() {
  const known = new Map(contacts().map(contact => [contact.id, contact]));
  const trip = contact => contact ? `, round trip ${time(contact.round_trip_us)}` : '';
  if (!isDemo()) {
    return [...known.values()].map(contact => ({id: contact.id, class: tripClass(contact), size: 7, known: true,
      title: () => `${contact.address}, id ${shortened(contact.id)}${trip(contact)}, heard ${time(contact.seen_ago_us)} ago`}));
  }
  const {nodes, network} = state.demo;
  const all = nodes.map((node, index) => {
    const at = network ? network.states[index] : 'running';
    const held = network ? network.values[index] : 0;
    const contact = known.get(node.id);
    return {id: node.id, index, at, known: contact !== undefined && at === 'running',
      class: at === 'running' ? (held > 0 ? 't0' : 't1') : at,
      size: +((nodes.length > 150 ? 3.5 : 5) + Math.min(6, Math.sqrt(held) * 1.2)).toFixed(1),
      title: () => `Node ${index} at ${node.address}, id ${shortened(node.id)}: ${at}, holds ${count(held, 'value')}${trip(contact)}`};
  });
  return all.slice(1);
}
function drawKeys() {
  if (!state.values) return;
  const kinds = Object.entries(state.values.keys);
  ring.keys.draw(kinds.flatMap(([kind, keys]) => keys.map(key => {
    const [[x1, y1], [x2, y2]] = [point(turn(key), RADIUS - 13), point(turn(key), RADIUS - 25)];
    return [`${kind} ${key}`, {class: `held ${kind}`, x1, y1, x2, y2}];
  })));
}
function drawKey() {
  const alive = new Map(ring.known.filter(node => !hasEnded(node.class)).map(node => [node.id, node]));
  const near = state.key ? closest([...alive.keys()], state.key, state.node.k) : [];
  const all = new Set([...near, ...[...state.holders].filter(id => alive.has(id))]);
  ring.halos.draw([...all].map(id => {
    const [cx, cy] = place(id);
    return [id, {class: state.holders.has(id) ? 'halo holder' : 'halo', cx, cy, r: alive.get(id).size + 4.5}];
  }));
  $('key-said').hidden = !state.key;
  if (!state.key) return ring.key.draw([]);
  const [x, y] = point(turn(state.key), RADIUS - 42);
  ring.key.draw([[state.key, {class: 'key', d: `M${x} ${y - 9}l9 9l-9 9l-9-9Z`}]]);
  const held = near.filter(id => state.holders.has(id)).length;
  const others = isDemo() ? 'nodes that run' : 'contacts';
  $('key-said').textContent = `The last key, ${shortened(state.key)}: ${state.holders.size === 0
    ? `the ${near.length} closest ${others} are ringed.`
    : `${held} of the ${near.length} closest ${others} have said that they hold its value.`}`;
}
function drawNodes() {
  const known = ring.known = drawn();
  const own = place(state.node.id);
  const alive = known.filter(node => !hasEnded(node.class)).length + (isDemo() ? 1 : 0);
  ring.svg.setAttribute('aria-label', isDemo()
    ? `The ring of ids with ${alive} of ${known.length + 1} nodes running`
    : `The ring of ids with ${count(alive, 'contact')}`);
  drawBuckets();
  ring.edges.draw(known.filter(node => node.known).map(node => {
    const [x2, y2] = place(node.id);
    return [node.id, {class: 'edge', x1: own[0], y1: own[1], x2, y2, 'data-to': node.id}];
  }));
  const isCut = isDemo() && state.demo.network && state.demo.network.is_cut;
  ring.cut.draw(isCut ? [['cut', {class: 'cut', x1: CENTER, x2: CENTER, y1: 18, y2: 682}]] : []);
  drawKeys();
  ring.nodes.draw(known.map(node => {
    const [cx, cy] = place(node.id);
    const chosen = isDemo() && node.index === state.chosen ? ' chosen' : '';
    return [node.id, {class: `node ${node.class}${chosen}`, cx, cy, r: node.size, 'data-id': node.id}];
  }));
  ring.self.draw([['self', {class: 'self', cx: own[0], cy: own[1], r: 10}]]);
  const isAlone = known.length === 0;
  ring.labels.draw(isAlone ? [['alone', {class: 'strong', x: CENTER, y: CENTER, 'text-anchor': 'middle'},
    'This node is alone: it knows no other yet']] : []);
}
