// What the page knows of the node, and, in a demo, of the network.
const state = {
  node: null, // /v1/node
  buckets: [], // /v1/peers
  demo: null, // {nodes, network} of /v1/demo
  chosen: 1, // a node of the demo
  key: null, // of the last put or get
  lookup: null, // {operation, hops} of the last traced get
};
const isDemo = () => state.demo !== null;
const contacts = () => state.buckets.flatMap(bucket => bucket.contacts.map(contact => ({...contact, bucket: bucket.index})));
// The `k` of `ids` closest to `key`: those that are to hold its value.
function closest(ids, key, k) {
  const at = BigInt(`0x${key}`);
  const far = ids.map(id => [BigInt(`0x${id}`) ^ at, id]);
  return new Set(far.sort((a, b) => (a[0] < b[0] ? -1 : 1)).slice(0, k).map(([, id]) => id));
}
function changed() {
  if (changed.waits) return;
  changed.waits = true;
  requestAnimationFrame(() => { changed.waits = false; drawRing(); });
}
