// Elements, and numbers with their units.
const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
// Text becomes text, never markup: values come from others.
function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  return made;
}
function shape(tag, attributes, parent, title) {
  const made = document.createElementNS(SVG, tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  if (title) made.appendChild(document.createElementNS(SVG, 'title')).textContent = title;
  return parent.appendChild(made);
}
const round = number => number >= 100 ? String(Math.round(number)) : String(Number(number.toPrecision(3)));
function time(us) {
  if (us === null || us === undefined) return 'unknown';
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${round(us / 1e3)} ms`;
  return us < 12e7 ? `${round(us / 1e6)} s` : `${Math.round(us / 6e7)} min`;
}
function bytes(count) {
  if (count < 1024) return count === 1 ? '1 byte' : `${count} bytes`;
  return count < 1 << 20 ? `${round(count / 1024)} KiB` : `${round(count / (1 << 20))} MiB`;
}
const count = (number, one, many = `${one}s`) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
const shortened = id => `${id.slice(0, 8)}…`;
function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [element('dt', name), element('dd', value)]));
}
