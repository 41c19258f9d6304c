// What the node holds: how much, and for which sources.
function drawStore(values, disk) {
  const {bytes: held, bytes_max, sources, sources_left_out} = values;
  const share = part => bytes_max > 0 ? 100 * part / bytes_max : 0;
  facts($('store'), [['Put here, and published again from here', values.published.toLocaleString('en')],
    ['Held as one of the closest nodes', values.replicas.toLocaleString('en')],
    ['Cached because a get passed', values.cached.toLocaleString('en')],
    [`Bytes held for others, of ${bytes(bytes_max)} at most`, bytes(held)],
    ['On a disk', disk ? 'yes' : 'no: in memory alone']]);
  $('fill').setAttribute('aria-label', `The store is ${share(held).toFixed(1)} % full`);
  $('fill').replaceChildren(...sources.map((source, index) => {
    const part = element('span');
    part.style.width = `${Math.max(.4, share(source.bytes))}%`;
    part.style.background = color(SERIES_COLORS[index % SERIES_COLORS.length]);
    return part;
  }));
  const name = source => source === null ? 'this node’s own copies' : source.includes(':') ? `${source}/64` : source;
  const rows = sources.map((source, index) => {
    const term = element('dt'), mark = element('i', undefined, {class: 'swatch'});
    mark.style.background = color(SERIES_COLORS[index % SERIES_COLORS.length]);
    term.append(mark, name(source.source));
    return [term, element('dd', `${count(source.values, 'value')}, ${bytes(source.bytes)}`)];
  });
  if (sources_left_out) rows.push([element('dt', `and ${sources_left_out} smaller ones`), element('dd', '')]);
  if (rows.length === 0) rows.push([element('dt', 'No other node has stored anything here yet'), element('dd', '')]);
  $('sources').replaceChildren(...rows.flat());
}
