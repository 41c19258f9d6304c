// Begins.
async function begin() {
  state.node = await askJson('/v1/node');
  document.title = `kad-node ${state.node.address}`;
  const about = [['id', shortened(state.node.id)], ['address', state.node.address], ['network', state.node.network], ['shards', state.node.shards], ['I/O', state.node.io], ['version', state.node.version]];
  $('about').replaceChildren(...about.map(([name, value]) => {
    const pair = element('div');
    pair.append(element('dt', name), element('dd', value));
    return pair;
  }));
  $('put-most').textContent = `${bytes(state.node.value_bytes_max)} at most`;
  await startDemo();
  drawLegend();
  $('token-field').addEventListener('submit', event => event.preventDefault());
  onSubmit('put', put);
  onSubmit('get', get);
  listen({hop: onHop, get: onGet, network: onNetwork});
  repeat(async () => drawStats(await askJson('/v1/stats')), 1000);
  repeat(async () => {
    state.buckets = (await askJson('/v1/peers')).buckets;
    drawTable();
    addTrips();
    changed();
  }, 2000);
}
function drawStats(stats) {
  addRates(stats);
  drawCounters(stats);
}
begin().catch(error => { $('live').textContent = error.message; $('live').className = 'chip off'; });
