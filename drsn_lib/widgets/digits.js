// What the figures of trained networks share: ten test digits, noise on them, controls, maps as pictures. The twin
// of the numbers is _digits.py.
const DrsnDigits = (() => {
  const { data, normals, mean, fixed, choice, slider } = DrsnFigure;
  const NO_NOISE = 20;
  const variance = (x) => {
    const m = mean(x);
    return mean(x.map((v) => (v - m) ** 2));
  };

  const image = (digit) => Float64Array.from(atob(data("test_digits").images[digit]), (c) => c.charCodeAt(0) / 255);
  function addNoise(x, snr, draw) {
    if (snr >= NO_NOISE) return x;
    const z = normals(draw, x.length);
    const m = mean(z);
    const k = Math.sqrt((variance(x) / variance(z)) * 10 ** (-snr / 10));
    return x.map((v, i) => v + k * (z[i] - m));
  }
  const noisy = (digit, snr, draw) => addNoise(image(digit), snr, draw);

  const words = (snr) => (snr >= NO_NOISE ? "no noise" : `${fixed(snr, 0)} dB`);

  // Digit, unit, noise and two buttons; `wire` gives them their work, `tell` shows their state.
  const controls = (more = "") => `<div class="controls">
    ${choice("digit", "Digit", [...Array(10).keys()].map((d) => [d, d]))}
    ${choice("unit", "Unit of the network", [1, 2, 3, 4].map((u) => [u, u]))}${more}
    <div class="buttons"><button type="button" id="draw">New noise</button><button type="button" id="reset">Reset</button></div>
    ${slider("snr", "Noise: signal-to-noise ratio", [-10, NO_NOISE, 1], "gray")}</div>`;
  function wire(ui) {
    ui.bind("digit", "snr", "unit");
    ui.resettable();
    ui.$("#draw").addEventListener("click", () => ui.set({ draw: (ui.state().draw % 2147483647) + 1 }));
  }
  function tell(ui, { digit, snr, unit }) {
    ui.show("digit", digit);
    ui.show("unit", unit);
    ui.show("snr", snr, words(snr), snr >= NO_NOISE ? "no noise" : `signal-to-noise ratio ${fixed(snr, 0)} decibels`);
  }

  // Values into a canvas: with a limit, red above zero and blue below, as strong as they are large; without one,
  // an image in gray.
  function paint(canvas, values, [height, width], limit) {
    [canvas.width, canvas.height] = [width, height];
    const picture = new ImageData(width, height);
    const colors = new Uint32Array(picture.data.buffer); // a byte each of alpha, blue, green, red
    values.forEach((v, i) => {
      const strength = Math.round(255 * Math.min(1, Math.max(0, limit ? Math.abs(v) / limit : (v + 0.5) / 2)));
      colors[i] = limit ? (strength << 24) | (v > 0 ? 0x005ed5 : 0xb27200) : 0xff000000 | (strength * 0x10101);
    });
    canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  const css = `.controls { display: flex; flex-wrap: wrap; gap: 12px 28px; align-items: end; }
    .controls > .buttons { margin-left: auto; }
    .controls > .slider { flex: 1 0 100%; }
    .narrow .controls > * { flex: 1 0 100%; margin: 0; }
    canvas { width: 100%; display: block; aspect-ratio: 1; image-rendering: pixelated; background: var(--faint); border-radius: 4px; }`;

  return { NO_NOISE, image, addNoise, noisy, words, controls, wire, tell, paint, css };
})();
