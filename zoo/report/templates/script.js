"use strict";
// Figures, looks, tables that sort, matrices whose cells show images. No other script is loaded.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  let printing = false;
  const remembered = () => { try { return localStorage.getItem("zoo-look"); } catch { return null; } };
  const remember = (look) => { try { localStorage.setItem("zoo-look", look); } catch { /* Of a file, some browsers keep nothing. */ } };
  if (["light", "dark"].includes(remembered())) root.dataset.look = remembered();
  const isDark = () => (root.dataset.look ? root.dataset.look === "dark" : dark.matches);
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const data = (id) => JSON.parse($(`#${id}`).textContent);
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // Paths break after a slash.
  const breakable = (text) => text.split(/(?<=\/)/).flatMap((part) => [part, element("wbr")]).slice(0, -1);

  // Looks.
  const showLook = () => { $("#look").textContent = isDark() ? "Light look" : "Dark look"; };
  const changeLook = () => {
    root.dataset.look = isDark() ? "light" : "dark";
    remember(root.dataset.look);
    showLook();
    drawAll();
  };

  // Figures.
  let figures = {};
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const resolved = (value) => {
    if (typeof value === "string") {
      return value.replace(/var\((--[a-z0-9-]+)\)/g, (_, name) => colour(name));
    }
    if (Array.isArray(value)) return value.map(resolved);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, resolved(entry)]));
    }
    return value;
  };
  const template = () => {
    const axis = {
      gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      tickcolor: colour("--line"), automargin: true, ticks: "outside", ticklen: 4,
      title: { standoff: 10 },
    };
    return { layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
      colorway: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`--series-${number}`)),
      margin: { l: 48, r: 12, t: 8, b: 40 },
      hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 12 } },
      hovermode: "closest", dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: axis, yaxis: axis, bargap: 0.25,
    } };
  };
  const draw = async (id) => {
    const plot = document.getElementById(id);
    const { data: traces, layout } = resolved(figures[id]);
    const own = narrow.matches && layout.narrow ? layout.narrow : {};
    delete layout.narrow;
    await Plotly.react(plot, traces, { ...layout, ...own, template: template(), autosize: true },
      { displayModeBar: false, displaylogo: false, responsive: true });
    plot.dataset.drawn = "";
  };
  const drawAll = async () => {
    if (typeof Plotly === "undefined") return;
    for (const id of Object.keys(figures)) {
      await draw(id);
      await new Promise((done) => setTimeout(done));  // The page answers between two figures.
    }
    root.dataset.ready = "";
  };
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };
  const noFigures = (reason) => {
    const line = $("#no-figures");
    line.textContent = `${reason} The table below each figure holds the same numbers.`;
    line.hidden = false;
    $$(".plot").forEach((plot) => { plot.hidden = true; });
    root.dataset.ready = "";
  };
  const start = async () => {
    figures = data("figure-data");
    if (!Object.keys(figures).length) { root.dataset.ready = ""; return; }
    if (typeof DecompressionStream === "undefined") {
      noFigures("This browser cannot unpack what draws the figures: it lacks DecompressionStream, which browsers have had since 2023.");
      return;
    }
    const holder = $("#plotly");
    document.head.append(element("script", {}, await unpack(holder.textContent)));
    holder.remove();
    await drawAll();
  };

  // Tables.
  const number = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : null);
  const compare = (one, other) => {
    const [a, b] = [number(one), number(other)];
    if (a !== null && b !== null) return a - b;
    if (a !== null) return -1;
    if (b !== null) return 1;
    return one.localeCompare(other, "en", { numeric: true });
  };
  const sortable = (table) => {
    const heads = $$("thead th", table);
    heads.forEach((head, column) => {
      const button = element("button", { type: "button" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const first = head.classList.contains("num") ? "descending" : "ascending";
        const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const body = $("tbody", table);
        const key = (row) => row.children[column].dataset.order;
        const missing = (row) => key(row) === "–" || key(row) === "None";
        const rows = [...body.children].sort((one, other) =>
          missing(one) - missing(other) || sign * compare(key(one), key(other)));
        body.append(...rows);
        shorten(table);
      });
    });
  };
  const shorten = (table) => {
    const shown = Number(table.dataset.shown || Infinity);
    [...$("tbody", table).children].forEach((row, index) => { row.hidden = index >= shown && !printing; });
  };
  const shortened = (table) => {
    const rows = $("tbody", table).children.length;
    if (rows <= Number(table.dataset.shown)) return;
    const button = element("button", { type: "button", class: "all-rows" }, `Show all ${rows} rows`);
    button.addEventListener("click", () => {
      delete table.dataset.shown;
      shorten(table);
      button.remove();
    });
    table.closest(".scroll").after(button);
    shorten(table);
  };

  // Matrices.
  const matrix = (holder) => {
    const images = data("image-data");
    const shown = $(".shown", holder);
    const buttons = $$("td button", holder);
    const choose = (button) => {
      const open = button.getAttribute("aria-expanded") === "true";
      buttons.forEach((other) => other.setAttribute("aria-expanded", "false"));
      shown.replaceChildren();
      if (open) return;
      button.setAttribute("aria-expanded", "true");
      const list = element("ul", { class: "thumbs" });
      for (const [index, description, lines, pixelated] of JSON.parse(button.dataset.images)) {
        const source = images[index];
        const image = source
          ? element("img", { src: source, alt: description, ...(pixelated ? { class: "pixelated" } : {}) })
          : element("span", { class: "no-image", role: "img", "aria-label": description }, "no image");
        list.append(element("li", { class: "thumb" }, image,
          ...lines.map((line) => element("span", { class: "thumb-line", title: line }, ...breakable(line)))));
      }
      const words = [button.dataset.label, button.dataset.note].filter(Boolean).join(" ");
      shown.append(element("p", {}, words), list);
    };
    buttons.forEach((button) => button.addEventListener("click", () => choose(button)));
    holder.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      const move = moves[event.key];
      const cell = event.target.closest("td");
      if (!move || !cell) return;
      event.preventDefault();
      let [row, column] = [cell.parentElement, cell.cellIndex];
      for (;;) {  // Over cells without images.
        column += move[1];
        if (move[0]) row = move[0] > 0 ? row.nextElementSibling : row.previousElementSibling;
        const next = row && column > 0 ? row.cells[column] : null;
        if (!next) return;
        const button = $("button", next);
        if (button) { button.focus(); return; }
      }
    });
  };

  // Print: in the light look, with all rows of tables.
  let before;
  const toPaper = () => {
    printing = true;
    before = root.dataset.look;
    root.dataset.look = "light";
    $$("table[data-shown]").forEach(shorten);
    drawAll();
  };
  const fromPaper = () => {
    printing = false;
    if (before) root.dataset.look = before; else delete root.dataset.look;
    $$("table[data-shown]").forEach(shorten);
    drawAll();
  };

  document.addEventListener("DOMContentLoaded", () => {
    const look = $("#look");
    look.hidden = false;
    look.addEventListener("click", changeLook);
    dark.addEventListener("change", () => { showLook(); drawAll(); });
    narrow.addEventListener("change", drawAll);
    showLook();
    $$("table.sortable").forEach(sortable);
    $$("table[data-shown]").forEach(shortened);
    $$(".matrix").forEach(matrix);
    // A plot in what was folded away had no width.
    $$("details").forEach((details) => details.addEventListener("toggle", () => {
      if (details.open && typeof Plotly !== "undefined") {
        $$(".plot[data-drawn]", details).forEach((plot) => Plotly.Plots.resize(plot));
      }
    }));
    addEventListener("beforeprint", toPaper);
    addEventListener("afterprint", fromPaper);
    start().catch((error) => {
      noFigures("The figures could not be drawn.");
      console.error(error);
    });
  });
})();
