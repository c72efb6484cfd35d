/** Runs in the page that page.ts writes: draws the frame of the slider's step for every allocator. */
{
  const cellsInRow = 40;
  const film = JSON.parse(document.getElementById("film").textContent);
  const sections = [...document.querySelectorAll("section")];
  const slider = document.getElementById("step");
  const button = document.getElementById("play");
  const now = document.getElementById("now");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let timer = 0;

  /** The golden angle keeps neighbouring numbers apart in colour. */
  const colourOf = (code) => {
    if (code === 0) return getComputedStyle(document.documentElement).getPropertyValue("--empty");
    const hue = ((code >> 1) * 137.5) % 360;
    if (code % 2 === 1) return `hsl(${hue} 65% ${dark.matches ? 60 : 45}%)`;
    return `hsl(${hue} 35% ${dark.matches ? 28 : 82}%)`;
  };

  const frameAt = (frames, step) => {
    const later = frames.findIndex((frame) => frame.step > step);
    return frames[later < 0 ? frames.length - 1 : Math.max(0, later - 1)];
  };

  const drawMap = (canvas, runs) => {
    const codes = [];
    for (let i = 0; i < runs.length; i += 2) {
      for (let n = 0; n < runs[i + 1]; n++) codes.push(runs[i]);
    }
    const width = canvas.clientWidth * devicePixelRatio;
    const cell = width / cellsInRow;
    canvas.width = width;
    canvas.height = Math.ceil(codes.length / cellsInRow) * cell;
    const context = canvas.getContext("2d");
    codes.forEach((code, i) => {
      context.fillStyle = colourOf(code);
      const x = (i % cellsInRow) * cell;
      context.fillRect(x, Math.floor(i / cellsInRow) * cell, cell - 1, cell - 1);
    });
  };

  const draw = () => {
    const step = Number(slider.value);
    now.textContent = `step ${step}`;
    sections.forEach((section, i) => {
      const frame = frameAt(film[i], step);
      if (frame === undefined) return;
      const { live, reserved, internal, external, numRunning, numWaiting } = frame;
      drawMap(section.querySelector("canvas"), frame.cells);
      section.querySelector(".figures").textContent =
        `${numRunning} running, ${numWaiting} waiting: ${live} tokens, ${reserved} reserved, ` +
        `${internal} never used, ${external} too scattered`;
      const cursor = section.querySelector(".cursor");
      const x = (600 * step) / Math.max(1, Number(slider.max));
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    });
  };

  const pause = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "▶";
    button.ariaLabel = "Play";
  };
  button.addEventListener("click", () => {
    if (timer !== 0) return pause();
    if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
    button.textContent = "⏸";
    button.ariaLabel = "Pause";
    const stride = Math.max(1, Number(slider.max) / 120);
    timer = setInterval(() => {
      slider.value = Math.round(Number(slider.value) + stride);
      draw();
      if (Number(slider.value) >= Number(slider.max)) pause();
    }, 100);
  });
  slider.addEventListener("input", draw);
  dark.addEventListener("change", draw);
  addEventListener("resize", draw);
  draw();
}
