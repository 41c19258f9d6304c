// A large value as its parts come: which holder has sent which.
const PARTS_MAX = 1024, HOLDER_COLORS = 6;
// Of the last get that had any; its hops may come later, or be too many to be told.
const pull = {operation: null, ranges: [], isDrawn: true};
function onRange({operation, range}) {
  if (pull.operation !== operation) Object.assign(pull, {operation, ranges: []});
  if (pull.ranges.length < PARTS_MAX) pull.ranges.push(range);
  pull.isDrawn = false;
  changedKey();
}
// The holders of the value that is drawn, each with its bytes and its color.
function pulledFrom(ranges) {
  const holders = new Map();
  for (const {id, address, bytes} of ranges) {
    const holder = holders.get(id) || {address, bytes: 0, color: `of-${holders.size % HOLDER_COLORS}`};
    holder.bytes += bytes;
    holders.set(id, holder);
  }
  return holders;
}
function drawPull(own) {
  const isOfLookup = state.lookup && state.lookup.operation === pull.operation;
  const ranges = isOfLookup ? pull.ranges : [];
  const holders = pulledFrom(ranges);
  ring.pulls.draw([...holders].map(([id, {color}]) => [id, {class: `pull ${color}`, d: curve(own, place(id))}]));
  const isEmpty = ranges.length === 0;
  if ($('pull').hidden !== isEmpty) $('pull').hidden = isEmpty;
  if (isEmpty || pull.isDrawn) return;
  pull.isDrawn = true;
  const end = Math.max(...ranges.map(range => range.offset + range.bytes));
  $('parts').replaceChildren(...ranges.map(range => {
    const title = `${bytes(range.bytes)} from ${range.address}, ${bytes(range.offset)} into the value, after ${time(range.elapsed_us)}`;
    const part = element('span', undefined, {class: holders.get(range.id).color, title});
    part.style.left = `${100 * range.offset / end}%`;
    part.style.width = `${100 * range.bytes / end}%`;
    return part;
  }));
  const all = [...holders.values()];
  $('parts').setAttribute('aria-label', all.map(holder => `${bytes(holder.bytes)} from ${holder.address}`).join(', '));
  $('pulled').replaceChildren(...all.flatMap(holder => {
    const term = element('dt');
    term.append(element('i', undefined, {class: `swatch ${holder.color}`}), holder.address);
    return [term, element('dd', bytes(holder.bytes))];
  }));
}
