// Tells the numbers below the pointer: the nearest point of each series.
for (const figure of document.querySelectorAll("figure.plot")) {
  const svg = figure.querySelector("svg"), tip = figure.querySelector(".tip");
  const pointer = svg.querySelector(".pointer");
  const series = JSON.parse(svg.dataset.series), places = JSON.parse(svg.dataset.places);
  const box = svg.viewBox.baseVal;
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const hide = () => { tip.hidden = true; pointer.replaceChildren(); };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", (event) => {
    const at = svg.getBoundingClientRect(), x = (event.clientX - at.left) / at.width * box.width;
    const near = series.map((one) => {
      let best = -1;
      one.points.forEach((point, index) => {
        if (best < 0 || Math.abs(point[0] - x) < Math.abs(one.points[best][0] - x)) best = index;
      });
      return { one, index: best, point: one.points[best] };
    }).filter((found) => found.point && Math.abs(found.point[0] - x) < 40);
    if (near.length === 0) return hide();
    const line = near[0].point[0];
    pointer.replaceChildren(make("line", { x1: line, x2: line, y1: 14, y2: box.height - 46 }));
    const title = document.createElement("b");
    title.textContent = places[near[0].index] ?? "";
    tip.replaceChildren(title);
    for (const { one, point } of near) {
      const dot = make("circle", { cx: point[0], cy: point[1], r: 4, class: one.class });
      const row = document.createElement("span"), key = document.createElement("span");
      key.className = "key " + one.class;
      key.append(document.createElement("i"), one.name);
      for (const element of [dot, key]) if (one.colour) element.style.setProperty("--c", one.colour);
      pointer.append(dot);
      row.append(key, point[2]);
      tip.append(row);
    }
    tip.hidden = false;
    const outer = figure.getBoundingClientRect(), left = event.clientX - outer.left;
    const flip = left + tip.offsetWidth + 24 > outer.width;
    tip.style.left = (flip ? Math.max(0, left - tip.offsetWidth - 16) : left + 16) + "px";
    tip.style.top = event.clientY - outer.top + 12 + "px";
  });
}
