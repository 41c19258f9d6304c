// What the page knows of the node, and, in a demo, of the network.
const state = {
  node: null, // /v1/node
  buckets: [], // /v1/peers
  values: null, // /v1/values
  demo: null, // {nodes, network} of /v1/demo
  chosen: 1, // a node of the demo
  key: null, // of the last put or get
  holders: new Set(), // ids of those that said that they hold its value
  asks: 0, // puts and gets of this page that are under way
  lookup: null, // the put or get that is drawn: {operation, purpose, key, hops, begun}
  background: new Map(), // lookups of maintenance, by target: {purpose, hops}
};
const isDemo = () => state.demo !== null;
const contacts = () =>
  state.buckets.flatMap(bucket => bucket.contacts.map(contact => ({...contact, bucket: bucket.index})));
const hasEnded = at => at === 'killed' || at === 'stopped';
// How far an id is from a key: by their first 64 bits, which no two ids here share.
function distance(id, key) {
  const word = at => parseInt(id.slice(at, at + 8), 16) ^ parseInt(key.slice(at, at + 8), 16);
  return (word(0) >>> 0) * 2 ** 32 + (word(8) >>> 0);
}
// The `k` of `ids` closest to `key`: those that are to hold its value.
function closest(ids, key, k) {
  const far = ids.map(id => [distance(id, key), id]).sort((a, b) => a[0] - b[0]);
  return far.slice(0, k).map(([, id]) => id);
}
function showKey(key) {
  if (state.key === key) return;
  state.key = key;
  state.holders.clear();
  changedKey();
}
// Has the picture drawn once before the next frame, however much has changed until then.
const drawing = {waits: false, nodes: false};
function changed() {
  drawing.nodes = true;
  changedKey();
}
// The same, where only the lookups and the key are others.
function changedKey() {
  if (drawing.waits) return;
  drawing.waits = true;
  requestAnimationFrame(() => {
    const {nodes} = drawing;
    drawing.waits = drawing.nodes = false;
    if (!ring) return;
    if (nodes) drawNodes();
    drawLookups(place(state.node.id));
    drawKey();
  });
}
// The same for what no one waits for, and so not sixty times a second.
const BACKGROUND_PERIOD_MS = 250;
let backgroundWaits = false;
function changedBackground() {
  if (backgroundWaits) return;
  backgroundWaits = true;
  setTimeout(() => { backgroundWaits = false; changedKey(); }, BACKGROUND_PERIOD_MS);
}
