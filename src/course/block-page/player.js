/** Runs in the page that page.ts writes: draws the frame of the slider's step. */
{
  const film = JSON.parse(document.getElementById("film").textContent);
  const slider = document.getElementById("step");
  const button = document.getElementById("play");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let timer = 0;

  const element = (name, text, className = "") => {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = className;
    return made;
  };

  /** The golden angle keeps neighbouring numbers apart in colour. */
  const colourOf = (request) =>
    request === 0 ? "" : `hsl(${(request * 137.5) % 360} 45% ${dark.matches ? 26 : 86}%)`;

  const cellOf = ({ users, colour, state }, block) => {
    const cell = element("li", "", state);
    cell.style.background = colourOf(colour);
    cell.append(element("small", `block ${block}`), element("span", users || "free"));
    return cell;
  };

  const fill = (id, children) => document.getElementById(id).replaceChildren(...children);

  const draw = () => {
    const frame = film[Number(slider.value)];
    if (frame === undefined) return;
    document.getElementById("now").textContent = `step ${frame.step}`;
    document.getElementById("summary").textContent = frame.summary;
    fill("blocks", frame.cells.map(cellOf));
    fill(
      "events",
      frame.events.map((text) => element("li", text)),
    );
    fill(
      "tables",
      frame.tables.map((text) => element("li", text)),
    );
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
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      draw();
      if (Number(slider.value) >= Number(slider.max)) pause();
    }, 400);
  });
  slider.addEventListener("input", draw);
  dark.addEventListener("change", draw);
  draw();
}
