// What the picture's marks mean, in one place.
function drawLegend() {
  const entry = (draw, text) => {
    const item = element('li');
    draw(shape('svg', {viewBox: '0 0 16 16', 'aria-hidden': 'true'}, item));
    item.append(text);
    return item;
  };
  const dot = (name, text) => entry(svg => shape('circle', {class: name, cx: 8, cy: 8, r: 6}, svg), text);
  const line = (name, text) => entry(svg => shape('line', {class: name, x1: 1, y1: 8, x2: 15, y2: 8}, svg), text);
  const tick = (name, text) => entry(svg => shape('line', {class: `held ${name}`, x1: 8, y1: 2, x2: 8, y2: 14}, svg), text);
  const k = state.node.k;
  const nodes = isDemo()
    ? [dot('t0', 'holds values (larger: more)'), dot('t1', 'holds none'),
      dot('departing', 'stops: hands its values off'), dot('stopped', 'stopped'), dot('killed', 'killed')]
    : [...TRIPS.map(([, name, text]) => dot(name, `answers in ${text}`.replace('in over', 'after'))), dot('unknown', 'not measured yet'), dot('silent', 'did not answer lately')];
  const groups = [
    [isDemo() ? 'Nodes' : 'Contacts', [dot('self', 'this node'), ...nodes]],
    ['Its buckets', [entry(svg => shape('rect', {class: 'bucket', x: 1, y: 4, width: 14, height: 8}, svg),
      `outer arcs: contacts of at most ${k}, the fuller the darker`)]],
    ['Keys it holds', [tick('published', 'put here'), tick('replicas', 'as one of the closest'), tick('cached', 'cached')]],
    ['The last put or get', [entry(svg => shape('path', {class: 'key', d: 'M8 1l7 7l-7 7l-7-7Z'}, svg), 'the key'),
      line('hop contacts', 'asked'), line('hop value', 'has the value'), line('pull of-0', 'sends a part of it'), line('hop timed_out', 'no answer'),
      dot('halo', `one of the ${k} closest`), dot('halo holder', 'holds the value')]],
    ['By itself', [line('hop background', 'asked to keep buckets fresh, or to publish again'),
      ...(isDemo() ? [dot('on-its-way', 'a value on its way to a node')] : [])]],
  ];
  $('legend').replaceChildren(...groups.flatMap(([name, entries]) => {
    const list = element('ul');
    list.append(...entries);
    const value = element('dd');
    value.append(list);
    return [element('dt', name), value];
  }));
  $('ring-title').textContent = isDemo() ? 'The whole network' : 'What this node knows';
  $('ring-caption').textContent = isDemo()
    ? 'A node’s place on the ring is its id. The lines lead to the nodes that this one knows: many near itself, a few everywhere.'
    : 'Each dot is a contact: a node that has answered this one. Its place on the ring is its id.';
}
