// Put and get.
function say(text, kind = '') { $('values-said').replaceChildren(element('p', text, {class: kind})); }
async function put() {
  const file = $('put-file').files[0];
  const body = file || new Blob([$('put-text').value]);
  const most = state.node.value_bytes_max;
  if (body.size > most) return say(`Too large: ${bytes(body.size)}, and a value has ${bytes(most)} at most.`, 'bad');
  say('Storing…');
  const headers = {'Content-Type': 'application/octet-stream'};
  const stored = await askJson('/v1/values', {method: 'POST', body, headers});
  showKey(stored.key);
  $('get-key').value = stored.key;
  hideValue();
  const what = file ? `${file.name}, ${bytes(file.size)}` : bytes(body.size);
  if (stored.holders === 0) return say(`Held only by this node: no other took it. Its key is ${stored.key}`, 'bad');
  const refused = stored.too_large > 0 ? `; too large for ${count(stored.too_large, 'node')}` : '';
  say(`${what}, held by ${stored.holders} of the ${stored.asked} closest nodes${refused}, after ${time(stored.elapsed_us)}. Its key is ${stored.key}`, 'good');
}
async function get() {
  const key = $('get-key').value.trim().toLowerCase();
  if (!/^[0-9a-f]{40}$/.test(key)) return say('A key has 40 hexadecimal digits, such as a put gives.', 'bad');
  showKey(key);
  hideValue();
  say('Looking…');
  // A value that is not found is no error, which the browser would call a plain get's 404.
  const trace = await askJson(`/v1/trace/${key}`);
  if (!trace.found) return say(`Not found: none of ${count(trace.asked, 'node')} has it.`, 'bad');
  const value = new Uint8Array(await (await ask(`/v1/values/${key}`)).arrayBuffer());
  say(trace.from ? `${bytes(value.length)} from ${trace.from}, ${count(trace.asked, 'node')} asked, in ${time(trace.elapsed_us)}.`
    : `${bytes(value.length)}, from this node itself.`, 'good');
  if (!await showPicture(value)) {
    $('value').textContent = asText(value);
    $('value').hidden = false;
  }
  $('values-said').append(element('a', 'Save it as a file', {href: `/v1/values/${key}`, download: key}));
}
function hideValue() {
  $('value').hidden = $('picture').hidden = true;
  URL.revokeObjectURL($('picture').src);
  $('picture').removeAttribute('src');
}
// How the files of pictures begin that are nothing but pixels. One of SVG is shown as text: it may
// hold more.
const PICTURES = {'image/png': /^\x89PNG\r\n\x1a\n/, 'image/jpeg': /^\xff\xd8\xff/,
  'image/webp': /^RIFF....WEBP/s};
const BEGINNING_BYTES = 16;
// Shows a value that is a picture. Whether it is one.
async function showPicture(value) {
  const beginning = String.fromCharCode(...value.slice(0, BEGINNING_BYTES));
  const type = Object.keys(PICTURES).find(type => PICTURES[type].test(beginning));
  if (!type) return false;
  $('picture').src = URL.createObjectURL(new Blob([value], {type}));
  try {
    await $('picture').decode();
  } catch {
    hideValue();
    return false;
  }
  $('picture').hidden = false;
  return true;
}
// As much of a value as can be looked at.
const SHOWN_BYTES_MAX = 4096, DUMPED_BYTES_MAX = 32;
// Whether a byte is one that no text has: a control but those for blanks and line ends.
const isControl = byte => byte < 32 && (byte < 9 || byte > 13);
function asText(value) {
  const shown = value.slice(0, SHOWN_BYTES_MAX);
  const more = value.length > shown.length ? `\n… and ${bytes(value.length - shown.length)} more` : '';
  const first = [...value.slice(0, DUMPED_BYTES_MAX)].map(byte => byte.toString(16).padStart(2, '0'));
  const noText = `Not a text. It begins with the bytes ${first.join(' ')}`;
  if (shown.some(isControl)) return noText;
  try {
    // A character that the end cuts in two is no reason to take it for no text.
    return new TextDecoder('utf-8', {fatal: true}).decode(shown, {stream: more !== ''}) + more;
  } catch {
    return noText;
  }
}
function onSubmit(form, act) {
  $(form).addEventListener('submit', async event => {
    event.preventDefault();
    const button = $(form).querySelector('button');
    button.disabled = true;
    state.asks++;
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(error.message, 'bad');
    }
    button.disabled = false;
    // The events may come later than the answer.
    setTimeout(() => state.asks--, SHOWN_MS);
  });
}
