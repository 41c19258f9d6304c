// Values on their way from node to node, in a demo.
const MOVES_DRAWN_MAX = 60, MOVE_MS = 900;
const isStill = matchMedia('(prefers-reduced-motion: reduce)');
function move(from, to, delay_ms = 0) {
  if (document.hidden || isStill.matches || ring.moves.childElementCount >= MOVES_DRAWN_MAX) return;
  const dot = ring.moves.appendChild(element('i', undefined, {class: 'moving'}));
  const scale = ring.moves.clientWidth / (2 * CENTER);
  const at = id => `translate(${place(id).map(at => `${(at * scale).toFixed(1)}px`)})`;
  const frames = [{transform: at(from), opacity: 0}, {opacity: 1, offset: .1}, {opacity: 1, offset: .8}, {transform: at(to), opacity: 0}];
  const going = dot.animate(frames, {duration: MOVE_MS, delay: delay_ms, fill: 'both'});
  going.finished.then(() => dot.remove(), () => dot.remove());
}
const REASONS = {depart: 'handed off by nodes that stop', republish: 'published again', replicate: 'replicated', put: 'put'};
function onMoved({moves, left_out}) {
  if (!isDemo()) return;
  const {nodes} = state.demo;
  const reasons = {};
  for (const [from, to, key, purpose] of moves) {
    move(nodes[from].id, nodes[to].id, Math.random() * MOVE_MS / 2);
    holds(nodes[to].id, key);
    reasons[purpose] = (reasons[purpose] || 0) + 1;
  }
  const parts = Object.entries(reasons).map(([purpose, number]) => `${number} ${REASONS[purpose] || purpose}`);
  $('demo-moved').textContent = `Copies that moved in the last second: ${parts.join(', ')}${left_out ? `, ${left_out} more` : ''}.`;
}
