// Controls of a demo's network. A plain node has none.
function choose(index) {
  state.chosen = index;
  $('demo-node').value = index;
  showChoice();
  changed();
}
function showChoice() {
  const network = state.demo.network;
  const at = network ? network.states[state.chosen] : 'running';
  $('demo-kill').disabled = at === 'killed' || at === 'stopped';
  $('demo-stop').disabled = at !== 'running';
  $('demo-start').disabled = at === 'running' || at === 'departing';
}
function onNetwork(network) {
  if (!isDemo()) return;
  state.demo.network = network;
  $('demo-cut').setAttribute('aria-pressed', network.is_cut);
  $('demo-cut').textContent = network.is_cut ? 'Join the halves' : 'Cut the network in two';
  if (document.activeElement !== $('demo-loss')) showLoss(network.loss_percent);
  const all = network.states.length;
  const alive = network.states.filter(at => at === 'running').length;
  const held = network.values.reduce((sum, values) => sum + values, 0);
  $('demo-said').textContent = `${alive} of ${all} nodes run; the others hold ${count(held, 'copy', 'copies')} of values.`.replace('the others hold', 'together they hold');
  showChoice();
  changed();
}
function showLoss(percent) { $('demo-loss').value = percent; $('demo-loss-value').textContent = `${percent} %`; }
async function order(path, options) {
  try { await ask(path, options); } catch (error) { if (!(error instanceof Refused)) throw error; $('demo-said').textContent = error.message; }
}
const act = (index, name) => order(`/v1/demo/nodes/${index}/${name}`, {method: 'POST'});
const disturb = change => order('/v1/demo', {method: 'PUT', body: JSON.stringify(change)});
const numbered = is => state.demo.network.states.map((at, index) => [at, index]).filter(([at, index]) => index > 0 && is(at)).map(([, index]) => index);
async function startDemo() {
  if (!state.node.is_demo) return;
  state.demo = await askJson('/v1/demo');
  if (state.demo.nodes.length > 1) $('demo').hidden = false;
  $('demo-node').replaceChildren(...state.demo.nodes.slice(1).map((node, index) => element('option', `${index + 1}: ${shortened(node.id)}`, {value: index + 1})));
  $('demo-node').addEventListener('change', event => choose(Number(event.target.value)));
  for (const name of ['kill', 'stop', 'start']) $(`demo-${name}`).addEventListener('click', () => act(state.chosen, name));
  $('demo-kill-some').addEventListener('click', () => numbered(at => at === 'running').sort(() => Math.random() - .5).slice(0, 5).forEach(index => act(index, 'kill')));
  $('demo-start-all').addEventListener('click', async () => { for (const index of numbered(at => at === 'killed' || at === 'stopped')) await act(index, 'start'); });
  $('demo-cut').addEventListener('click', () => disturb({is_cut: !state.demo.network.is_cut}));
  $('demo-loss').addEventListener('input', event => showLoss(event.target.value));
  $('demo-loss').addEventListener('change', event => { disturb({loss_percent: Number(event.target.value)}); event.target.blur(); });
  if (state.demo.network) onNetwork(state.demo.network);
}
