// Requests to the node that serves the page.
class Refused extends Error {}
async function ask(path, options = {}) {
  const headers = {...options.headers};
  if ($('token').value) headers.Authorization = `Bearer ${$('token').value}`;
  let answer;
  try {
    answer = await fetch(path, {...options, headers});
  } catch {
    throw new Refused('The node does not answer. Is it still running?');
  }
  if (answer.ok) return answer;
  if (answer.status === 401) $('token-field').hidden = false;
  const problem = await answer.json().catch(() => ({}));
  const refused = new Refused(problem.detail || `The node says ${answer.status}.`);
  refused.status = answer.status;
  throw refused;
}
const askJson = async (path, options) => (await ask(path, options)).json();
// Listens to the node's events. The node drops the oldest for a browser that is slow, and says
// how many.
function listen(handlers) {
  const events = new EventSource('/v1/events');
  const live = (text, is) => { $('live').textContent = text; $('live').className = `chip ${is}`; };
  events.onopen = () => live('live', 'on');
  events.onerror = () => live('no connection: trying again', 'off');
  for (const name in handlers) {
    events.addEventListener(name, event => handlers[name](JSON.parse(event.data)));
  }
  events.addEventListener('missed', event => {
    live(`live, ${count(JSON.parse(event.data).in_all, 'event')} missed`, 'on');
  });
}
// Calls `act` every `period_ms`, never twice at a time, and not while no one looks.
async function repeat(act, period_ms) {
  const passOver = error => { if (!(error instanceof Refused)) throw error; };
  for (;;) {
    if (!document.hidden) await act().catch(passOver);
    await new Promise(done => setTimeout(done, period_ms));
  }
}
