// Controls of a demo's network. A plain node has none.
function choose(index) {
  state.chosen = index;
  $('demo-node').value = index;
  showChoice();
  changed();
}
function showChoice() {
  const {network} = state.demo;
  const at = network ? network.states[state.chosen] : 'running';
  $('demo-kill').disabled = hasEnded(at);
  $('demo-stop').disabled = at !== 'running';
  $('demo-start').disabled = !hasEnded(at);
  const held = network ? `, holds ${count(network.values[state.chosen], 'value')}, knows ${count(network.contacts[state.chosen], 'node')}` : '';
  $('demo-chosen').textContent = `Node ${state.chosen}: ${at}${hasEnded(at) ? '' : held}.`;
}
function onNetwork(network) {
  if (!isDemo() || network === null) return;
  state.demo.network = network;
  $('demo-cut').setAttribute('aria-pressed', network.is_cut);
  $('demo-cut').textContent = network.is_cut ? 'Join the halves' : 'Cut the network in two';
  if (document.activeElement !== $('demo-loss')) showLoss(network.loss_percent);
  const all = network.states.length;
  const alive = network.states.filter(at => at === 'running').length;
  const held = network.values.reduce((sum, values) => sum + values, 0);
  $('demo-said').textContent = `${alive} of ${count(all, 'node')} run; together they hold ${count(held, 'copy', 'copies')} of values.`;
  // What an ended node held is gone, even if it starts again.
  network.states.forEach((at, index) => hasEnded(at) && state.holders.delete(state.demo.nodes[index].id));
  showChoice();
  changed();
}
function showLoss(percent) {
  $('demo-loss').value = percent;
  $('demo-loss-value').textContent = `${percent} %`;
}
async function order(path, options) {
  try {
    await ask(path, options);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    $('demo-said').textContent = error.message;
  }
}
const act = (index, name) => order(`/v1/demo/nodes/${index}/${name}`, {method: 'POST'});
const disturb = change => order('/v1/demo', {method: 'PUT', body: JSON.stringify(change)});
// The numbers of the nodes that are so, but for the page's own.
function numbered(is) {
  const all = state.demo.network.states.map((at, index) => [at, index]);
  return all.filter(([at, index]) => index > 0 && is(at)).map(([, index]) => index);
}
const SOME = 5;
function killSome() {
  const running = numbered(at => at === 'running').sort(() => Math.random() - .5);
  running.slice(0, SOME).forEach(index => act(index, 'kill'));
}
async function startAll() {
  for (const index of numbered(hasEnded)) await act(index, 'start');
}
async function startDemo() {
  if (!state.node.is_demo) return;
  state.demo = await askJson('/v1/demo');
  for (const at of document.querySelectorAll('.of-demo')) at.hidden = false;
  // There is nothing to do to a network of one.
  $('demo').hidden = state.demo.nodes.length === 1;
  $('away-card').classList.remove('wide');
  $('how').open = innerWidth >= 1080;
  const options = state.demo.nodes.map((node, index) => element('option', `${index}: ${shortened(node.id)}`, {value: index}));
  $('demo-node').replaceChildren(...options.slice(1));
  $('demo-node').addEventListener('change', event => choose(Number(event.target.value)));
  for (const name of ['kill', 'stop', 'start']) $(`demo-${name}`).addEventListener('click', () => act(state.chosen, name));
  $('demo-kill-some').addEventListener('click', killSome);
  $('demo-start-all').addEventListener('click', startAll);
  $('demo-cut').addEventListener('click', () => disturb({is_cut: !state.demo.network.is_cut}));
  $('demo-loss').addEventListener('input', event => showLoss(event.target.value));
  $('demo-loss').addEventListener('change', event => {
    disturb({loss_percent: Number(event.target.value)});
    event.target.blur();
  });
  onNetwork(state.demo.network);
  setInterval(() => {
    const {network} = state.demo;
    if (network) addHealing(network.states.filter(at => at === 'running').length, network.values.reduce((sum, held) => sum + held, 0));
  }, 1000);
}
