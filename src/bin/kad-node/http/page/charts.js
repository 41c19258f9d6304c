// Charts over the last minutes. How much is kept is bounded.
const POINTS_MAX = 300;
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const SERIES_COLORS = ['--accent', '--t2', '--t0', '--key', '--t3', '--t1'];
class Chart {
  constructor(at, names) {
    [this.at, this.names] = [$(at), names];
    this.data = [[], ...names.map(() => [])];
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    new ResizeObserver(() => this.plot && this.plot.setSize(this.size())).observe(this.at);
    this.draw();
  }
  size() { return {width: Math.max(200, this.at.clientWidth), height: 190}; }
  draw() {
    if (this.plot) this.plot.destroy();
    const axis = {stroke: color('--muted'), grid: {stroke: color('--line'), width: 1}, ticks: {stroke: color('--line'), width: 1}};
    const series = this.names.map((label, index) => ({label, stroke: color(SERIES_COLORS[index % SERIES_COLORS.length]), width: 2, points: {show: false}}));
    const options = {...this.size(), cursor: {y: false}, scales: {y: {range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1]}},
      axes: [axis, {...axis, size: 56}], series: [{label: 'Time', value: '{HH}:{mm}:{ss}'}, ...series]};
    this.plot = new uPlot(options, this.data, this.at);
  }
  add(values) {
    [Date.now() / 1000, ...values].forEach((value, index) => {
      this.data[index].push(value);
      if (this.data[index].length > POINTS_MAX) this.data[index].shift();
    });
    this.plot.setData(this.data);
  }
}
let rates, trips, before;
function addRates(stats) {
  const now = performance.now();
  const received = stats.shards.map(shard => shard.node.datagrams_received);
  rates ??= new Chart('rate', received.map((_, index) => `shard ${index}`));
  if (before) rates.add(received.map((total, index) => Math.round((total - before.received[index]) * 1e3 / (now - before.now))));
  before = {now, received};
}
function addTrips() {
  const all = contacts().map(contact => contact.round_trip_us).filter(trip => trip !== null).sort((a, b) => a - b);
  trips ??= new Chart('trip', ['median', 'nine in ten']);
  const at = share => all.length ? all[Math.floor((all.length - 1) * share)] / 1e3 : null;
  trips.add([at(.5), at(.9)]);
}
