// The results explorer. What it computes has a twin in results_explorer.py; tests compare the two.
const ResultsExplorer = (() => {
  const { mean, fixed, scale, px, path, line, text, tint, axes, svg, ticks, data, slider, select, ask } = DrsnFigure;

  const DEFAULTS = { study: "mnist-snr", trained: "mixed", noise: "gaussian", level: -10, networks: ["resnet", "senet", "drsn-cw"], reference: "resnet", seed: -1 };
  const CLEAN = 99;
  const ENOUGH = 5; // seeds for a verdict, and for an interval, as in records.Paired
  const STUDIES = { "mnist-snr": "digits", "vibration-snr": "gearbox, simulated", "cifar10-snr": "photographs" };
  const NOISES = { gaussian: "Gaussian", laplacian: "Laplacian" };
  const NETWORKS = {
    convnet: ["ConvNet", "gray"], resnet: ["ResNet", "blue"], "senet-textbook": ["SENet, textbook", "soft"], senet: ["SENet", "orange"],
    "senet-open": ["SENet, open start", "soft"],
    "fixed-threshold": ["fixed threshold", "ink"], "learned-threshold": ["learned threshold", "sky"],
    "learned-fraction": ["learned fraction", "purple"], "drsn-cs": ["DRSN-CS", "green"], "drsn-cs-low": ["DRSN-CS, low start", "sky"],
    "drsn-cw": ["DRSN-CW", "vermillion"], "drsn-cw-low": ["DRSN-CW, low start", "ink"],
  };
  const name = (key) => NETWORKS[key][0];
  const color = (key) => NETWORKS[key][1];

  // ---- what the records say ---------------------------------------------------------------------------------

  const studies = () => data("results_explorer");
  const tableOf = (at) => studies()[at.study].trained[at.trained].noises[at.noise];
  const first = (wanted, there) => (there.includes(wanted) ? wanted : there[0]);

  // The state, with the nearest that there is for what the records lack.
  function shown(state) {
    const study = first(state.study, Object.keys(STUDIES).filter((key) => studies()[key]));
    const trained = first(state.trained, Object.keys(studies()[study].trained));
    const noise = first(state.noise, Object.keys(studies()[study].trained[trained].noises));
    const table = tableOf({ study, trained, noise });
    const there = Object.keys(NETWORKS).filter((key) => table.networks[key]);
    const chosen = there.filter((key) => state.networks.includes(key));
    const networks = chosen.length ? chosen : there;
    const distance = (v) => Math.abs(v - state.level);
    const level = table.levels.reduce((best, v) => (distance(v) < distance(best) ? v : best));
    const seed = networks.some((key) => table.networks[key].seeds.includes(state.seed)) ? state.seed : -1;
    return { study, trained, noise, level, networks, reference: first(state.reference, there), seed };
  }

  // A network's accuracies: [[seed, [one a level]]], three digits of base 36 each.
  function scores(table, key, seed) {
    const { seeds, scores: all } = table.networks[key];
    const many = table.levels.length;
    return seeds.map((s, i) => [s, Array.from({ length: many }, (_, k) => parseInt(all.substr(3 * (i * many + k), 3), 36) / 1e4)])
      .filter(([s]) => seed === -1 || s === seed);
  }

  const deviation = (v) => (v.length < 2 ? null : Math.sqrt(v.reduce((sum, x) => sum + (x - mean(v)) ** 2, 0) / (v.length - 1)));

  // A network's mean at a level and how it differs from the reference, with records.Paired's words.
  function row(at, key, place) {
    const table = tableOf(at);
    const own = scores(table, key, at.seed).map(([s, v]) => [s, v[place]]);
    const values = own.map(([, v]) => v);
    const out = { mean: values.length ? mean(values) : null, sd: deviation(values), n: values.length };
    if (key === at.reference) return out;
    const other = new Map(scores(table, at.reference, at.seed).map(([s, v]) => [s, v[place]]));
    const pairs = own.filter(([s]) => other.has(s)).map(([s, v]) => v - other.get(s));
    let ends = table.intervals[`${key} ${at.reference}`]?.map((v) => v[place]);
    ends ||= table.intervals[`${at.reference} ${key}`]?.map((v) => -v[place]).reverse();
    const [low, high] = pairs.length > 1 && ends ? ends.map((v) => v / 1e4) : [null, null];
    const difference = pairs.length ? mean(pairs) : null;
    const verdict = pairs.length < ENOUGH ? `no verdict from ${pairs.length} seed${pairs.length === 1 ? "" : "s"}`
      : !(low * high > 0) ? "undecided" : `${name(difference > 0 ? key : at.reference)} is ahead`;
    return { ...out, difference, low, high, pairs: pairs.length, verdict, each: pairs };
  }

  function measures(state) {
    const at = shown(state);
    const place = tableOf(at).levels.indexOf(at.level);
    return Object.fromEntries(at.networks.map((key) => [key, row(at, key, place)]));
  }

  function csv(state) {
    const at = shown(state);
    const { levels } = tableOf(at);
    const lines = ["study,trained,noise,snr_db,network,seed,test_accuracy"];
    for (const key of at.networks)
      for (const [seed, values] of scores(tableOf(at), key, at.seed))
        levels.forEach((v, i) => lines.push([at.study, at.trained, at.noise, v === CLEAN ? "clean" : v, key, seed, values[i].toFixed(4)].join()));
    return lines.join("\n") + "\n";
  }

  // ---- the charts -------------------------------------------------------------------------------------------

  const words = (level) => (level === CLEAN ? "no noise" : `${fixed(level, 0)} dB`);
  const points = (v) => (v > 0 ? "+" : "") + fixed(100 * v, 1);
  // What stands behind a difference: its interval, or below five seeds the single differences.
  const behind = ({ pairs, each, low, high }) =>
    pairs < 2 ? "" : pairs < ENOUGH ? `(seed by seed ${each.map(points).join(", ")})` : low === null ? "" : `(${points(low)} to ${points(high)})`;
  const pen = (key, width, more = "") => `stroke="var(--${key})" stroke-width="${width}" ${more}`;

  function drawLines(width, at) {
    const { levels } = tableOf(at);
    const narrow = width < 560;
    const height = narrow ? 330 : 380;
    const longest = Math.max(...at.networks.map((key) => name(key).length));
    const box = { left: 40, right: width - Math.max(narrow ? 112 : 140, 22 + 6.8 * longest), top: 34, bottom: height - 42 };
    const ratios = levels.filter((v) => v !== CLEAN);
    const within = scale([ratios[0], ratios.at(-1)], [box.left + 10, box.right - 48]);
    const x = (v) => (v === CLEAN ? box.right - 8 : within(v));
    const all = at.networks.map((key) => [key, scores(tableOf(at), key, at.seed).map(([, v]) => v)]).filter(([, runs]) => runs.length);
    const low = Math.floor(10 * Math.min(...all.flatMap(([, runs]) => runs.flat()))) / 10;
    const y = scale([low, 1], [box.bottom, box.top]);
    let out = text(0, 14, "Test accuracy against noise", 'class="title"');
    out += axes(box, x, y, {
      xTicks: levels.filter((v) => !narrow || v === CLEAN || v % (ratios.at(-1) - ratios[0] > 12 ? 10 : 5) === 0), xFormat: (v) => (v === CLEAN ? "clean" : fixed(v, 0)),
      yTicks: ticks(low, 1, 5), yFormat: (v) => fixed(v, low < 0.85 ? 1 : 2),
    });
    out += text(box.left, height - 4, "signal-to-noise ratio of the test, dB");
    const here = x(at.level);
    out += line(here, box.top, here, box.bottom, pen("ink", 1.5, 'stroke-dasharray="3 3"'));
    const ends = [];
    for (const [key, runs] of all) {
      const columns = levels.map((_, i) => runs.map((v) => v[i]));
      const middle = columns.map(mean);
      if (runs.length > 1) {
        const edge = (sign) => levels.map((v, i) => `${px(x(v))} ${px(y(middle[i] + sign * deviation(columns[i])))}`);
        out += `<path d="M${[...edge(1), ...edge(-1).reverse()].join("L")}z" fill="var(--${color(key)})" opacity=".16"/>`;
        for (const v of runs) out += path(levels, v, x, y, `class="run" ${pen(color(key), 1, 'opacity=".55"')}`);
      }
      out += path(levels, middle, x, y, `class="mean" data-network="${key}" ${pen(color(key), 3)}`);
      out += `<circle cx="${px(here)}" cy="${px(y(middle[levels.indexOf(at.level)]))}" r="5" fill="var(--${color(key)})" ${pen("card", 1.5)}/>`;
      ends.push([key, y(middle.at(-1))]);
    }
    // Names beside the lines' ends, pushed apart.
    let last = -Infinity;
    for (const [key, v] of ends.sort((a, b) => a[1] - b[1])) {
      last = Math.max(v, last + 17);
      out += line(box.right - 6, v, box.right + 8, last, pen(color(key), 1)) + text(box.right + 11, last + 4, name(key), tint(color(key)));
    }
    const label = `Test accuracy against noise: ${at.networks.map(name).join(", ")}; the table gives the numbers at ${words(at.level)}`;
    const nearest = (p) => levels.reduce((best, v) => (Math.abs(x(v) - p) < Math.abs(x(best) - p) ? v : best));
    return { svg: svg(width, height, label, out), nearest };
  }

  function drawDifferences(width, at, rows) {
    const others = at.networks.filter((key) => rows[key].pairs);
    const parts = [`Minus ${name(at.reference)},`, `seed by seed, at ${words(at.level)}`];
    const title = parts.join(" ");
    const titles = width < 8.5 * title.length ? parts : [title]; // in two lines where one is too long
    const down = 18 * (titles.length - 1);
    const height = 84 + 46 * Math.max(others.length, 1) + down;
    const box = { left: 8, right: width - 8, top: 30 + down, bottom: height - 46 };
    const all = others.flatMap((key) => [...rows[key].each, rows[key].low, rows[key].high]).map((v) => 100 * Math.abs(v));
    const reach = 1.08 * Math.max(1, ...all);
    const x = scale([-reach, reach], [box.left, box.right]);
    let out = titles.map((words, i) => text(0, 14 + 18 * i, words, 'class="title"')).join("") + text(box.right, height - 8, "percentage points", 'text-anchor="end"');
    out += axes(box, x, null, { xTicks: ticks(-reach, reach, 5), xFormat: (v) => points(v / 100).replace(/\.0$/, "") });
    out += line(x(0), box.top, x(0), box.bottom, pen("ink", 1.5));
    if (!others.length) out += text(box.left, box.top + 26, "Choose another network to compare.", 'class="halo"');
    others.forEach((key, i) => {
      const r = rows[key];
      const y = box.top + 46 * i + 34;
      const at = (v) => x(100 * v);
      out += text(box.left, y - 15, `${name(key)}: ${r.verdict}`, `class="halo" ${tint(color(key))}`);
      if (r.low !== null && r.pairs >= ENOUGH) out += line(at(r.low), y, at(r.high), y, `class="interval" ${pen(color(key), 7, 'opacity=".35" stroke-linecap="round"')}`);
      for (const v of r.each) out += `<circle class="pair" cx="${px(at(v))}" cy="${px(y)}" r="3.5" fill="var(--card)" ${pen(color(key), 1.6)}/>`;
      out += `<path d="M${px(at(r.difference))} ${px(y - 7)}l7 7l-7 7l-7 -7z" fill="var(--${color(key)})" ${pen("card", 1.5)}/>`;
    });
    return svg(width, height, `${title}: ${others.map((key) => `${name(key)} ${points(rows[key].difference)} points, ${rows[key].verdict}`).join("; ")}`, out);
  }

  function drawTable(at, rows) {
    const small = (words) => `<small>${words}</small>`;
    const lines = at.networks.map((key) => {
      const { mean: m, sd, n, pairs, difference, verdict } = rows[key];
      const score = n ? `${fixed(100 * m, 1)} % ${sd === null ? "" : small(`± ${fixed(100 * sd, 1)}`)}<br>${small(`${n} seed${n === 1 ? "" : "s"}`)}` : "none";
      const range = pairs > 1 ? small(behind(rows[key])) : "";
      const other = key === at.reference ? "reference" : pairs ? `${points(difference)} ${range}<br>${small(verdict)}` : "no seed in common";
      return `<tr><th scope="row"${name(key).includes(" ") ? ' class="long"' : ""}>${name(key)}</th><td>${score}</td><td>${other}</td></tr>`;
    });
    const heads = ["Network", "Accuracy", `Minus ${name(at.reference)}`].map((words) => `<th scope="col">${words}</th>`);
    return `<table><caption>At ${words(at.level)}</caption><thead><tr>${heads.join("")}</tr></thead><tbody>${lines.join("")}</tbody></table>`;
  }

  // ---- the figure ---------------------------------------------------------------------------------------------

  function create(ui) {
    const boxes = Object.entries(NETWORKS).map(([key, [words]]) => `<label><input type="checkbox" value="${key}"><span>${words}</span></label>`).join("");
    ui.body.innerHTML = `
      ${ask("<b>Before you look:</b> in the strongest noise of the test, is the network with thresholds, DRSN-CW, ahead of the plain residual network?",
        [["ahead", "ahead"], ["behind", "behind"], ["open", "these runs cannot say"]])}
      <div class="controls">
        ${select("study", "Study", Object.entries(STUDIES).filter(([key]) => studies()[key]))}${select("trained", "Trained", [])}
        ${select("noise", "Noise of the test", [])}${select("seed", "Random seeds", [])}
        <fieldset class="choice nets"><legend>Networks</legend>${boxes}</fieldset>
        ${slider("level", "Numbers at", [0, 1, 1], "gray")}${select("reference", "Compared with", [])}
        <div class="buttons"><button type="button" id="csv">Download as CSV</button><button type="button" id="reset">Reset</button></div>
      </div>
      <div class="charts"><div id="line-chart" class="wide"></div><div id="difference-chart"></div><div id="table"></div></div>
      <p class="note" id="source"></p>
      <p class="note">Thin lines are single trainings, thick ones their means, the band is ± one standard deviation. Differences are paired by random
      seed, from five seeds on with the 95 % bootstrap interval of their mean. From fewer there is no verdict. Point at a level in the chart, or use the slider.</p>`;
    const { $, $$ } = ui;
    let nearest;
    ui.bind("study", "trained", "noise", "seed", "reference");
    ui.resettable();
    for (const box of $$(".nets input"))
      box.addEventListener("change", () => {
        const chosen = $$(".nets input").filter((e) => e.checked && !e.disabled).map((e) => e.value);
        ui.set({ networks: chosen.length ? chosen : [box.value] });
      });
    const pick = (level) => level !== ui.state().level && ui.set({ level });
    $("#level").addEventListener("input", () => pick(tableOf(shown(ui.state())).levels[+$("#level").value]));
    ui.draggable($("#line-chart"), (at) => nearest && pick(nearest(at)));
    $("#csv").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(ui.state())], { type: "text/csv" }));
      link.download = `${shown(ui.state()).study}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });

    function offer(id, options, value) {
      const html = options.map(([key, words]) => `<option value="${key}">${words}</option>`).join("");
      const control = $(`#${id}`);
      if (control.dataset.html !== html) control.innerHTML = control.dataset.html = html;
      control.value = value;
    }

    const predict = ui.prediction((guess, state) => {
      const at = { ...shown(state), seed: -1, reference: "resnet" };
      const table = tableOf(at);
      if (!table.networks.resnet || !table.networks["drsn-cw"]) return "Of one of the two there is no record here yet: choose another study.";
      const r = row(at, "drsn-cw", 0);
      const truth = !r.verdict.endsWith("is ahead") ? "open" : r.difference > 0 ? "ahead" : "behind";
      const range = r.pairs > 1 ? ` ${behind(r)}` : "";
      const more = truth === "open" ? "A gap is no finding until it is larger than what another random seed does to it." : "Compare with SENet, too: does it take thresholds?";
      return `${guess === truth ? "Yes." : "Not so."} At ${words(table.levels[0])}, ${STUDIES[at.study]}, DRSN-CW minus ResNet is ${points(r.difference)} points${range}: <b>${r.verdict}</b>. ${more}`;
    });

    return (state, width) => {
      const at = shown(state);
      const table = tableOf(at);
      const study = studies()[at.study];
      const rows = measures(state);
      const lines = drawLines(width, at);
      nearest = lines.nearest;
      $("#line-chart").innerHTML = lines.svg;
      $("#difference-chart").innerHTML = drawDifferences(width < 560 ? width : (width - 28) / 2, at, rows);
      $("#table").innerHTML = drawTable(at, rows);
      const seeds = [...new Set(Object.values(table.networks).flatMap((one) => one.seeds))].sort((a, b) => a - b);
      ui.show("study", at.study);
      offer("trained", Object.entries(study.trained).map(([key, one]) => [key, one.words]), at.trained);
      offer("noise", Object.keys(study.trained[at.trained].noises).map((key) => [key, NOISES[key] ?? key]), at.noise);
      offer("seed", [[-1, seeds.length > 1 ? `all ${seeds.length}` : "all"], ...seeds.map((s) => [s, `seed ${s} only`])], at.seed);
      offer("reference", Object.keys(table.networks).map((key) => [key, name(key)]), at.reference);
      for (const box of $$(".nets input")) {
        box.checked = at.networks.includes(box.value);
        box.disabled = box.parentNode.hidden = !table.networks[box.value];
      }
      $("#level").max = table.levels.length - 1;
      const told = at.networks.map((key) => `${name(key)} ${rows[key].n ? fixed(100 * rows[key].mean, 1) : "no"} percent`).join(", ");
      ui.show("level", table.levels.indexOf(at.level), words(at.level), `${words(at.level)}: ${told}`);
      const one = study.trained[at.trained];
      $("#source").textContent = `Records of ${at.study}, budget “${one.budget}”, ${study.count.toLocaleString("en")} test samples: ${one.provenance}.`;
      predict(state);
    };
  }

  return DrsnFigure.figure("results-explorer", {
    defaults: DEFAULTS,
    css: `.controls > .select { grid-column: span 3; } .narrow .controls > .select { grid-column: span 6; }
      .controls > .nets { grid-column: 1 / -1; gap: 6px; } .nets label { margin: 0; } .nets label[hidden] { display: none; } .nets label span { border-radius: 8px !important; }
      .controls > .slider { grid-column: span 5; } .controls > .buttons { grid-column: span 4; } .charts { margin-top: 18px; }
      table { border-collapse: collapse; width: 100%; } caption { text-align: left; font-weight: 600; font-size: 14px; } small { color: var(--soft); }
      th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); } th, td:nth-child(2) { white-space: nowrap; }
      .narrow :is(th, td) { padding-right: 8px; } .narrow :is(th, td):last-child { padding-right: 0; } thead th:last-child, th.long { white-space: normal; }
      .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }`,
    create,
    math: { shown, scores, measures, csv },
  });
})();
