"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(one => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const key = row => row.cells[column].dataset.key ?? row.cells[column].textContent;
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)], [p, q] = [Number(x), Number(y)];
        return Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q;
      };
      const rows = [...body.rows].sort(order);
      body.append(...(falling ? rows.reverse() : rows));
    });
  });
}

// What is folded on the screen is open on paper.
const folded = () => document.querySelectorAll("details:not([open])");
let opened = [];
addEventListener("beforeprint", () => { opened = [...folded()]; opened.forEach(one => { one.open = true; }); });
addEventListener("afterprint", () => { opened.forEach(one => { one.open = false; }); });

for (const player of document.querySelectorAll(".player")) {
  player.hidden = false;
  const film = JSON.parse(player.querySelector("script").textContent);
  const bytes = Uint8Array.from(atob(film.outlines), letter => letter.charCodeAt(0));
  const points = new DataView(bytes.buffer);
  const canvas = player.querySelector("canvas"), button = player.querySelector("button");
  const slider = player.querySelector("input"), output = player.querySelector("output");
  const pen = canvas.getContext("2d");
  const margin = 0.06 * 2 * film.y1, height = 2 * (film.y1 + margin), width = film.x1 - film.x0;
  const colour = name => getComputedStyle(player).getPropertyValue("--" + name).trim();

  const line = (corners, scale) => corners.forEach(([x, y], i) =>
    pen[i ? "lineTo" : "moveTo"]((x - film.x0) * scale, (film.y1 + margin - y) * scale));

  const ring = (frame, scale) => {
    pen.beginPath();
    for (let node = 0; node < film.nodes; node++) {
      const at = 4 * (frame * film.nodes + node);
      const x = points.getInt16(at, true) * film.step, y = points.getInt16(at + 2, true) * film.step;
      pen[node ? "lineTo" : "moveTo"]((x - film.x0) * scale, (film.y1 + margin - y) * scale);
    }
    pen.closePath();
  };

  const draw = () => {
    const frame = Number(slider.value), ratio = devicePixelRatio || 1;
    const pixels = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.width = pixels;
    canvas.height = Math.round(pixels * height / width);
    const scale = pixels / width;
    if (film.walls.length === 2) {
      pen.fillStyle = colour("wall");
      film.walls.forEach((wall, side) => {
        const edge = (side ? -1 : 1) * (film.y1 + margin);
        pen.beginPath();
        line([[film.x0, edge], ...wall, [film.x1, edge]], scale);
        pen.fill();
      });
    }
    pen.strokeStyle = colour("ink");
    pen.lineWidth = 1.1 * ratio;
    film.walls.forEach(wall => { pen.beginPath(); line(wall, scale); pen.stroke(); });
    ring(frame, scale);
    pen.globalAlpha = 0.22;
    pen.fillStyle = colour("c1");
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("c1");
    pen.lineWidth = 2 * ratio;
    pen.stroke();
    output.textContent = `${film.time[frame].toFixed(3)} ms · x = ${film.x[frame].toFixed(1)} µm · ` +
      `DI = ${film.di[frame].toFixed(2)} · ${film.v[frame].toFixed(1)} mm/s`;
  };

  let timer = null;
  const step = () => { slider.value = (Number(slider.value) + 1) % film.frames; draw(); };
  const play = on => {
    clearInterval(timer);
    timer = on ? setInterval(step, film.pause) : null;
    button.textContent = on ? "Pause" : "Play";
  };
  button.addEventListener("click", () => play(timer === null));
  slider.addEventListener("input", () => { play(false); draw(); });
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}
