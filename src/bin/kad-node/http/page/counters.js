// What was turned away. Each bound of the node counts what it refuses.
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
  verifications_of_loopback: 'senders not verified: they announce a loopback address',
  lookups_refused: 'lookups not begun: too many at once',
  regions_forgotten: 'regions forgotten that puts knew: too many of their nodes',
  stores_put_off: 'stores that waited for a later turn',
  stores_dropped: 'stores dropped, to be sent again: too many waited',
  ranges_put_off: 'parts of large values that waited for a later turn',
  ranges_dropped: 'requests for parts of large values dropped: too many waited',
  transfers_refused: 'large values not pulled: too many at once',
  values_evicted: 'values dropped to make room',
  values_refused_by_disk: 'values refused: the disk does not keep up',
  drops_received: 'datagrams lost on purpose as they arrived',
  drops_sent: 'datagrams lost on purpose as they left',
  kernel_drops: 'datagrams dropped by the kernel: the node was behind',
  sends_failed: 'datagrams that could not be sent',
  handoffs_dropped: 'messages between shards dropped: no room',
  connections_refused: 'HTTP connections refused: too many, and all at work',
  connections_displaced: 'idle HTTP connections closed to make room',
  headers_late: 'HTTP connections closed: the next request did not come in time',
  writes_stalled: 'HTTP connections closed: the client did not read',
  refused_at_work: 'HTTP requests told to come again: too many at work',
  refused_probes: 'HTTP probes told to come again: too many at work',
  refused_streams: 'HTTP streams of events refused: too many',
  refused_body_bytes: 'HTTP requests told to come again: too many bytes of bodies',
  refused_too_large: 'HTTP requests refused: larger than a value may be',
  bodies_late: 'HTTP requests refused: the body did not come in time',
  refused_host: 'HTTP requests refused: to another host’s name',
  refused_cross_origin: 'HTTP requests refused: a page of another origin',
  refused_token: 'HTTP requests refused: no token, or a wrong one',
  events_missed: 'events that slow readers missed',
  log_events_suppressed: 'events not told: too many in one second',
};
// Samples of the last minute, to tell what still happens from what did once.
const SAMPLES_MAX = 30;
const samples = [];
function drawCounters({total, http}) {
  const all = {...total.driver, ...total.node, ...http};
  samples.push(all);
  if (samples.length > SAMPLES_MAX) samples.shift();
  const away = Object.entries(AWAY).filter(([name]) => all[name] > 0);
  const lately = name => all[name] - samples[0][name];
  away.sort(([a], [b]) => lately(b) - lately(a) || all[b] - all[a]);
  const number = name => {
    const more = lately(name);
    return `${all[name].toLocaleString('en')}${more > 0 ? `, ${more.toLocaleString('en')} of them lately` : ''}`;
  };
  facts($('away'), away.map(([name, text]) => [text, number(name)]));
  if (away.length === 0) facts($('away'), [['Nothing so far', '0']]);
}
