// Begins.
const STATS_MS = 2000, PEERS_MS = 2000;
async function begin() {
  state.node = await askJson('/v1/node');
  document.title = `kad-node ${state.node.address}`;
  const {id, address, network, shards, io, version} = state.node;
  const about = {id: shortened(id), address, network, shards, 'I/O': io, version};
  $('about').replaceChildren(...Object.entries(about).map(([name, value]) => {
    const pair = element('div');
    pair.append(element('dt', name), element('dd', value));
    return pair;
  }));
  $('put-most').textContent = `${bytes(state.node.value_bytes_max)} at most`;
  await startDemo();
  startRing();
  drawLegend();
  $('table').addEventListener('toggle', drawTable);
  $('token-field').addEventListener('submit', event => event.preventDefault());
  onSubmit('put', put);
  onSubmit('get', get);
  listen({hop: onHop, range: onRange, stored: onStored, put: onPut, get: onGet, lookup: onLookup, rates: onRates, network: onNetwork, moved: onMoved});
  repeat(async () => {
    const [stats, values] = await Promise.all([askJson('/v1/stats'), askJson('/v1/values')]);
    state.values = values;
    drawCounters(stats);
    drawStore(values, stats.disk);
  }, STATS_MS);
  repeat(async () => {
    state.buckets = (await askJson('/v1/peers')).buckets;
    drawTable();
    changed();
  }, PEERS_MS);
}
begin().catch(error => {
  $('live').textContent = error.message;
  $('live').className = 'chip off';
});
