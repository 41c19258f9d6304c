// Lookups, drawn as their answers come: those of a person, and those of maintenance.
const HOPS_SHOWN_MAX = 64, RECENT_MAX = 6;
const BACKGROUND_MAX = 8, BACKGROUND_HOPS_MAX = 24, BACKGROUND_MS = 2500;
// A lookup is shown for so long at least before the next one takes its place.
const SHOWN_MS = 600, PASSED_MAX = 256;
const ANSWERS = {value: hop => `has the value, ${bytes(hop.bytes)}`, contacts: hop => `names ${count(hop.contacts, 'node')}`,
  too_large: hop => `has the value, ${bytes(hop.bytes)}: more than this node takes`,
  wrong_value: () => 'a wrong value: its hash is not the key', refused: () => 'refuses', timed_out: () => 'no answer'};
const VERBS = {put: 'Putting', get: 'Getting'};
function curve(own, to) {
  const middle = [0, 1].map(at => (CENTER + (own[at] + to[at] - 2 * CENTER) * .2).toFixed(1));
  return `M${own}Q${middle} ${to}`;
}
function drawLookups(own) {
  const hops = state.lookup ? state.lookup.hops : [];
  ring.hops.draw(hops.map((hop, index) => [`${state.lookup.operation} ${index}`,
    {class: `hop ${hop.answer} fresh`, d: curve(own, place(hop.id)), 'data-hop': index + 1}]));
  drawPull(own);
  const others = [...state.background.entries()];
  ring.background.draw(others.flatMap(([target, lookup]) => lookup.hops.map(id =>
    [`${target} ${id}`, {class: 'hop background', d: curve(own, place(id))}])));
}
// Puts and gets of which no more is shown: another one took their place, or was in it.
const passed = new Set();
function pass(operation) {
  passed.add(operation);
  if (passed.size > PASSED_MAX) passed.delete(passed.values().next().value);
}
// Whether an event belongs to the put or get that is shown; the first of another one takes its
// place, but not so fast that no one could read it.
function isShown({operation, purpose}, key) {
  const {lookup} = state;
  if (lookup && lookup.operation === operation) return true;
  if (passed.has(operation)) return false;
  // What this page has asked for is always shown.
  const isTaken = lookup && state.asks === 0 && performance.now() - lookup.begun < SHOWN_MS;
  if (lookup) pass(isTaken ? operation : lookup.operation);
  if (isTaken) return false;
  state.lookup = {operation, purpose, key, hops: [], begun: performance.now()};
  showKey(key);
  changedKey();
  $('hops').replaceChildren();
  $('lookup-said').textContent = `${VERBS[purpose] || purpose} ${shortened(key)}…`;
  return true;
}
function addLine(depth, text, elapsed_us) {
  if ($('hops').childElementCount >= HOPS_SHOWN_MAX) return;
  const item = element('li');
  item.append(element('span', depth, {class: 'muted'}), element('span', text), element('span', time(elapsed_us)));
  $('hops').append(item);
}
function onHop(event) {
  const {operation, target, purpose, hop} = event;
  if (operation === null) return onBackground(target, purpose, hop.id);
  if (!isShown(event, target)) return;
  if (state.lookup.hops.length < HOPS_SHOWN_MAX) state.lookup.hops.push(hop);
  addLine(`hop ${hop.depth}`, `${hop.address} ${ANSWERS[hop.answer](hop)}, ${count(hop.shared_prefix_bits, 'bit')} shared`, hop.elapsed_us);
  changedKey();
}
function onBackground(target, purpose, id) {
  const {background} = state;
  let lookup = background.get(target);
  if (!lookup) {
    if (background.size >= BACKGROUND_MAX) return;
    lookup = {purpose, hops: []};
    background.set(target, lookup);
    setTimeout(() => { background.delete(target); changedBackground(); }, BACKGROUND_MS);
  }
  if (lookup.hops.length < BACKGROUND_HOPS_MAX && !lookup.hops.includes(id)) lookup.hops.push(id);
  changedBackground();
}
function onStored(event) {
  const {operation, key, id, address, stored, elapsed_us} = event;
  if (operation !== null && isShown(event, key)) {
    addLine('store', stored ? `${address} holds it` : `${address} does not take it`, elapsed_us);
  }
  if (stored) holds(id, key);
  if (stored && isDemo()) move(state.node.id, id);
}
// A node has said that it holds the value of a key, or of one that begins so.
function holds(id, key) {
  if (state.key && state.key.startsWith(key)) {
    state.holders.add(id);
    changedKey();
  }
}
function onGet(get) {
  // What was found a moment ago is here now: to get it once more is nothing to see.
  if (get.asked === 0 && state.lookup && state.lookup.key === get.key) return;
  if (!isShown({...get, purpose: 'get'}, get.key)) return;
  const from = get.from || 'this node itself';
  $('lookup-said').textContent = get.found
    ? `Got ${shortened(get.key)} from ${from}: ${count(get.asked, 'node')} asked, ${time(get.elapsed_us)}.`
    : `Did not find ${shortened(get.key)}: ${count(get.asked, 'node')} asked, ${time(get.elapsed_us)}.`;
  if (get.found && get.from === null) $('hops').replaceChildren();
}
function onPut(put) {
  if (!isShown({...put, purpose: 'put'}, put.key)) return;
  $('lookup-said').textContent = put.stored
    ? `Put ${shortened(put.key)}: ${put.holders} of the ${put.asked} closest nodes hold it, ${time(put.elapsed_us)}.`
    : `Did not put ${shortened(put.key)}.`;
}
const PURPOSES = {join: 'to join', refresh: 'to keep a bucket fresh', put: 'to put', get: 'to get',
  republish: 'to publish again', replicate: 'to replicate', depart: 'to hand off'};
function onLookup({purpose, target, outcome, asked, elapsed_us}) {
  const item = element('li');
  item.append(element('span', shortened(target), {class: 'mono'}),
    element('span', `${PURPOSES[purpose] || purpose}: ${outcome}, ${asked} asked`), element('span', time(elapsed_us)));
  $('recent').prepend(item);
  while ($('recent').childElementCount > RECENT_MAX) $('recent').lastElementChild.remove();
  $('recent-title').hidden = false;
}
