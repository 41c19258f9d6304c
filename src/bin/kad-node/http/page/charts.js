// Charts over the last minutes. How much is kept is bounded.
const POINTS_MAX = 300;
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const SERIES_COLORS = ['--accent', '--t2', '--t0', '--key', '--t3', '--t1'];
const CHART_PX = 200;
class Chart {
  // Series of one unit, or, with `right`, the last of another one at the right.
  // A sparse one has seconds without a value: it shows the points too.
  constructor(at, names, {unit, right, sparse = false}) {
    Object.assign(this, {at: $(at), names, unit, right, sparse, data: [[], ...names.map(() => [])]});
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    new ResizeObserver(() => this.plot && this.plot.setSize(this.size())).observe(this.at);
    this.draw();
  }
  size() { return {width: Math.max(200, this.at.clientWidth), height: CHART_PX}; }
  draw() {
    if (this.plot) this.plot.destroy();
    const line = {stroke: color('--line'), width: 1};
    const axis = {stroke: color('--muted'), grid: line, ticks: line, font: '12px system-ui', labelFont: '12px system-ui'};
    const side = (scale, label) => ({...axis, scale, label, labelSize: 18, size: 60, labelGap: 0});
    const axes = [{...axis, values: [[60, '{HH}:{mm}'], [1, ':{ss}']]}, side('y', this.unit)];
    if (this.right) axes.push({...side('right', this.right), side: 1, grid: {show: false}});
    const isRight = index => this.right && index === this.names.length - 1;
    const series = this.names.map((label, index) => ({label, scale: isRight(index) ? 'right' : 'y', spanGaps: true,
      stroke: color(SERIES_COLORS[index % SERIES_COLORS.length]), width: 2, points: {show: this.sparse, size: 5}}));
    const range = (_, low, high) => [0, high > 0 ? high * 1.15 : 1];
    const options = {...this.size(), cursor: {y: false}, scales: {y: {range}, right: {range}},
      axes, series: [{label: 'Time', value: '{HH}:{mm}:{ss}'}, ...series]};
    this.plot = new uPlot(options, this.data, this.at);
    this.at.setAttribute('role', 'img');
  }
  add(values) {
    [Date.now() / 1000, ...values].forEach((value, index) => {
      this.data[index].push(value);
      if (this.data[index].length > POINTS_MAX) this.data[index].shift();
    });
    this.at.setAttribute('aria-label', `Now: ${this.names.map((name, index) => `${name} ${values[index] ?? 'unknown'}`).join(', ')}`);
    if (document.hidden) return;
    this.plot.setData(this.data);
    // Without a pointer over it the legend shows what is now.
    if (this.plot.cursor.left < 0) this.plot.setLegend({idx: this.data[0].length - 1});
  }
}
const charts = {};
function onRates({shards}) {
  const names = shards.map((_, index) => `shard ${index}`);
  charts.rate ??= new Chart('rate', names, {unit: 'datagrams a second'});
  charts.rate.add(shards.map(shard => shard.received_per_s));
  charts.trip ??= new Chart('trip', shards.length === 1 ? ['median', 'nine in ten'] : names, {unit: 'milliseconds', sparse: true});
  const ms = us => us === null ? null : us / 1e3;
  charts.trip.add(shards.length === 1 ? [ms(shards[0].round_trip_median_us), ms(shards[0].round_trip_p90_us)]
    : shards.map(shard => ms(shard.round_trip_median_us)));
  charts.busy ??= new Chart('busy', names, {unit: 'percent'});
  charts.busy.add(shards.map(shard => shard.busy_percent));
}
function addHealing(running, copies) {
  charts.heal ??= new Chart('heal', ['nodes that run', 'copies of values'], {unit: 'nodes', right: 'copies'});
  charts.heal.add([running, copies]);
}
