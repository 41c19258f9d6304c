// Draws the charts whose numbers the page holds, and keeps a live page up to date.
"use strict";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (of) => (typeof of === "object" ? `hsl(${of.hue} 75% 56%)` : css(`--${of}`));

const showNs = (ns) => {
  if (ns == null) return "–";
  const [value, unit] = ns < 1e3 ? [ns, "ns"] : ns < 1e6 ? [ns / 1e3, "µs"]
    : ns < 1e9 ? [ns / 1e6, "ms"] : [ns / 1e9, "s"];
  return `${Number(value.toPrecision(3))} ${unit}`;
};
const showCount = (count) => {
  if (count == null) return "–";
  const [value, unit] = count < 1e4 ? [count, ""] : count < 1e6 ? [count / 1e3, "k"] : [count / 1e6, "M"];
  return `${Number(value.toPrecision(3))}${unit}`;
};
// Two nines are p99, two and a half p99.68.
const showNines = (nines) => {
  const percent = 100 - 100 * 10 ** -nines;
  const digits = Number.isInteger(nines) ? Math.max(0, nines - 2) : Math.max(0, Math.ceil(nines) - 1);
  return `p${percent.toFixed(digits)}`;
};
const show = {
  nines: showNines, rate: showCount, latency: showNs,
  seconds: (s) => (s == null ? "–" : `${Number(s.toFixed(3))} s`),
};

// p50 and whole nines, as many as fit.
const ninesSplits = (u, axis, min, max) => {
  const room = u.bbox.width / devicePixelRatio / 64;
  const nines = [Math.log10(2)];
  for (let nine = 1; nine <= max + 1e-9; nine++) nines.push(nine);
  return nines.filter((nine) => nine >= min && (room > nines.length || Number.isInteger(nine)));
};
// Decades, and 2 and 5 of each where there are few.
const decadeSplits = (u, axis, min, max) => {
  const decades = Math.log10(max / min), steps = decades < 3 ? [1, 2, 5] : [1];
  const splits = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++)
    for (const step of steps) splits.push(step * 10 ** power);
  return splits.filter((split) => split >= min && split <= max);
};

const drawMarks = (marks) => (u) => {
  const { ctx, bbox } = u;
  for (const [index, mark] of marks.entries()) {
    const x = u.valToPos(mark.at, "x", true);
    ctx.save();
    ctx.strokeStyle = css("--text");
    ctx.fillStyle = css("--text");
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    const isRight = x > bbox.left + bbox.width / 2;
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(mark.name, x + (isRight ? -6 : 6), bbox.top + 14 * (index + 1) * devicePixelRatio);
    ctx.restore();
  }
};

// 1, 2 or 5 of a decade, at most or at least.
const stepOf = (value, of) => {
  const power = 10 ** Math.floor(Math.log10(value));
  return of([1, 2, 5, 10].map((step) => step * power), value);
};
const lower = (value) => stepOf(value, (steps, at) => Math.max(...steps.filter((step) => step <= at * 1.000001)));
const upper = (value) => stepOf(value, (steps, at) => Math.min(...steps.filter((step) => step >= at * 0.999999)));

const options = (chart, width) => {
  const axis = () => ({
    stroke: () => css("--faint"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
    grid: { stroke: () => css("--rule"), width: 1 }, ticks: { stroke: () => css("--rule"), width: 1 },
  });
  const isLatency = chart.y === "latency";
  const x = { ...axis(), values: (u, splits) => splits.map((split) => show[chart.x](split)), space: 64 };
  if (chart.x === "nines") x.splits = ninesSplits;
  const y = { ...axis(), size: 60, values: (u, splits) => splits.map((split) => show[chart.y](split)) };
  if (isLatency) y.splits = decadeSplits;
  // A constant curve or none has a range all the same.
  const latencyRange = (u, min, max) => {
    if (min == null || !(min > 0)) return [1e3, 1e6];
    const [low, high] = [lower(min), upper(max)];
    return low < high ? [low, high] : [low, low * 10];
  };
  // One second alone is a point at its left edge.
  const secondsRange = (u, min, max) => [min ?? 0, Math.max(max ?? 0, (min ?? 0) + 1)];
  return {
    width, height: isLatency ? Math.max(260, Math.min(400, width * 0.6)) : 200,
    scales: {
      x: chart.x === "seconds" ? { time: false, range: secondsRange } : { time: false },
      y: isLatency ? { distr: 3, range: latencyRange } : { range: (u, min, max) => [0, max > 0 ? max * 1.05 : 1] },
    },
    axes: [x, y],
    legend: { live: true },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    hooks: { draw: [drawMarks(chart.marks)] },
    series: [
      { label: { nines: "percentile", seconds: "at", rate: "answered a second" }[chart.x],
        value: (u, value) => (value == null ? "–" : show[chart.x](value)) },
      ...chart.series.map((one) => ({
        label: one.name, stroke: () => colour(one.colour), width: one.look === "points" ? 0 : 1.8,
        dash: one.look === "dashes" ? [6, 4] : undefined, spanGaps: chart.x === "rate",
        fill: one.look === "area" ? () => colour(one.colour) : undefined,
        points: { show: one.look === "points" || one.look === "curve", size: 6,
          stroke: () => colour(one.colour), fill: () => colour(one.colour) },
        value: (u, value) => show[chart.y](value),
      })),
    ],
  };
};
const main = document.querySelector("main");
let drawn = [];
const draw = () => {
  drawn.forEach((one) => one.destroy());
  const charts = JSON.parse(document.getElementById("charts").textContent);
  drawn = [...document.querySelectorAll("figure.plot")].filter((figure) => figure.clientWidth > 0).map((figure) => {
    const chart = charts[Number(figure.dataset.chart)];
    return new uPlot(options(chart, figure.clientWidth - 16), [chart.places, ...chart.series.map((one) => one.values)], figure);
  });
};
draw();
// What is folded away has no width until it is opened.
main.addEventListener("toggle", draw, true);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

if (main.dataset.live) {
  const refresh = async () => {
    try {
      const answer = await fetch(main.dataset.live);
      if (!answer.ok) throw new Error(answer.status);
      main.innerHTML = await answer.text();
      draw();
    } catch {
      main.classList.add("ended");
    }
    setTimeout(refresh, 1000);
  };
  setTimeout(refresh, 1000);
}
