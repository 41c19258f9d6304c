// The contacts as a table, for those that do not look at the picture.
const ROWS_MAX = 1000;
function drawTable() {
  if (!$('table').open) return;
  const rows = contacts().slice(0, ROWS_MAX).map(contact => {
    const row = element('tr', undefined, {'data-id': contact.id});
    const heard = contact.failures ? `${count(contact.failures, 'request')} unanswered` : `${time(contact.seen_ago_us)} ago`;
    row.append(...[contact.bucket, contact.address, shortened(contact.id), time(contact.round_trip_us), heard].map(text => element('td', text)));
    return row;
  });
  if (rows.length === 0) {
    rows.push(element('tr'));
    rows[0].append(element('td', 'No contacts yet.', {colspan: 5}));
  }
  $('contacts').replaceChildren(...rows);
}
