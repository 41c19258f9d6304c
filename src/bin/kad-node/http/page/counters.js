// The store, and what was turned away.
const AWAY = {
  outbox_full: 'datagrams not sent: no room to write them',
  datagrams_truncated: 'datagrams that end too early',
  datagrams_oversized: 'datagrams too large for any of the protocol',
  datagrams_foreign: 'datagrams that are not of this protocol',
  datagrams_malformed: 'malformed datagrams',
  datagrams_other_network: 'datagrams of another network',
  stores_without_token: 'stores refused: no valid token',
  stores_mismatched: 'stores refused: the hash is not the key',
  stores_too_large: 'stores refused: too large',
  stores_full: 'stores refused: no room for that sender',
  stores_while_departing: 'stores refused: the node departs',
  replies_cut: 'replies cut short, for want of a token',
  replies_unmatched: 'replies that came late, twice or unasked',
  replies_misnamed: 'replies under another id than was asked',
  values_mismatched: 'values whose hash is not the key',
  rpcs_failed: 'requests without an answer, given up',
  rpcs_refused: 'requests not sent: too many wait for an answer',
  checks_refused: 'contacts not checked: too many checks at once',
  verifications_refused: 'new contacts not verified: too many at once',
  lookups_refused: 'lookups not begun: too many at once',
  values_evicted: 'values dropped to make room',
  values_refused_by_disk: 'values refused: the disk does not keep up',
  drops_received: 'datagrams lost on purpose as they arrived',
  drops_sent: 'datagrams lost on purpose as they left',
  kernel_drops: 'datagrams dropped by the kernel: the node was behind',
  sends_failed: 'datagrams that could not be sent',
  handoffs_dropped: 'messages between shards dropped: no room',
};
function drawCounters({total, disk}) {
  const {node, driver} = total;
  facts($('store'), [['Held for the network', node.values.toLocaleString('en')], ['Their size', bytes(node.value_bytes)],
    ['Put here, and published again from here', node.values_published.toLocaleString('en')],
    ['Copied to others as a holder', node.values_replicated.toLocaleString('en')],
    ['Dropped at the end of their life', node.values_expired.toLocaleString('en')],
    ['On a disk', disk ? 'yes' : 'no: in memory alone']]);
  const all = {...driver, ...node};
  const away = Object.entries(AWAY).filter(([name]) => all[name] > 0);
  facts($('away'), away.map(([name, text]) => [text, all[name].toLocaleString('en')]));
  if (away.length === 0) facts($('away'), [['Nothing so far', '0']]);
}
