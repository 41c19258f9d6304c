// The last traced get, drawn as its answers come.
const HOPS_SHOWN_MAX = 60;
const ANSWERS = {value: hop => `has the value, ${bytes(hop.bytes)}`, contacts: hop => `names ${count(hop.contacts, 'node')}`,
  wrong_value: () => 'a wrong value: its hash is not the key', refused: () => 'refuses', timed_out: () => 'no answer'};
function onHop({operation, hop}) {
  if (!state.lookup || state.lookup.operation !== operation) {
    state.lookup = {operation, hops: []};
    $('hops').replaceChildren();
    $('lookup-said').textContent = 'Asking…';
  }
  state.lookup.hops.push(hop);
  if (state.lookup.hops.length <= HOPS_SHOWN_MAX) {
    const item = element('li');
    item.append(element('span', `hop ${hop.depth}`, {class: 'muted'}),
      element('span', `${hop.address} ${ANSWERS[hop.answer](hop)}, ${count(hop.shared_prefix_bits, 'bit')} shared`),
      element('span', time(hop.elapsed_us)));
    $('hops').append(item);
  }
  changed();
}
function onGet(get) {
  if (!state.lookup || state.lookup.operation !== get.operation) return;
  const from = get.from || 'this node itself';
  $('lookup-said').textContent = get.found
    ? `Found at ${from} after asking ${count(get.asked, 'node')}, in ${time(get.elapsed_us)}.`
    : `Not found: ${count(get.asked, 'node')} asked, in ${time(get.elapsed_us)}.`;
}
