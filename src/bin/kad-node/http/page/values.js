// Put and get.
function say(text, kind = '') { $('values-said').replaceChildren(element('p', text, {class: kind})); }
function show(key) { state.key = key; $('get-key').value = key; changed(); }
async function put() {
  const file = $('put-file').files[0];
  const body = file || new Blob([$('put-text').value]);
  const most = state.node.value_bytes_max;
  if (body.size > most) return say(`Too large: ${bytes(body.size)}, and a value has ${bytes(most)} at most.`, 'bad');
  say('Storing…');
  const stored = await askJson('/v1/values', {method: 'POST', body, headers: {'Content-Type': 'application/octet-stream'}});
  show(stored.key);
  $('value').hidden = true;
  say(stored.holders ? `Held by ${stored.holders} of the ${stored.asked} closest nodes, after ${time(stored.elapsed_us)}. Its key is ${stored.key}`
    : `Held only by this node: no other took it. Its key is ${stored.key}`, stored.holders ? 'good' : 'bad');
}
async function get() {
  const key = $('get-key').value.trim().toLowerCase();
  if (!/^[0-9a-f]{40}$/.test(key)) return say('A key has 40 hexadecimal digits, such as a put gives.', 'bad');
  show(key);
  $('value').hidden = true;
  say('Looking…');
  const trace = await askJson(`/v1/trace/${key}`);
  if (!trace.found) return say(`Not found: none of ${count(trace.asked, 'node')} has it.`, 'bad');
  const answer = await ask(`/v1/values/${key}`);
  const value = new Uint8Array(await answer.arrayBuffer());
  say(trace.from ? `${bytes(value.length)} from ${trace.from}, ${count(trace.asked, 'node')} asked, in ${time(trace.elapsed_us)}.`
    : `${bytes(value.length)}, from this node itself.`, 'good');
  let text;
  try {
    text = new TextDecoder('utf-8', {fatal: true}).decode(value);
  } catch {
    text = `Not a text. It begins with the bytes ${[...value.slice(0, 32)].map(byte => byte.toString(16).padStart(2, '0')).join(' ')}`;
  }
  $('value').textContent = text;
  $('value').hidden = false;
  const save = element('a', 'Save it as a file', {href: `/v1/values/${key}`, download: key});
  $('values-said').append(save);
}
function onSubmit(form, act) {
  $(form).addEventListener('submit', async event => {
    event.preventDefault();
    const button = $(form).querySelector('button');
    button.disabled = true;
    try { await act(); } catch (error) { if (!(error instanceof Refused)) throw error; say(error.message, 'bad'); }
    button.disabled = false;
  });
}
