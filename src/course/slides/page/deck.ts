/** The program of a deck: fits the slides to the screen, draws the figures, and lets reveal.js show them. */
import Reveal from "reveal.js";
import Highlight from "reveal.js/plugin/highlight";
import Notes from "reveal.js/plugin/notes";
import "katex/dist/katex.min.css";
import "reveal.js/reveal.css";
import "./deck.css";
import { drawFigures } from "./figures.ts";
import { paginate } from "./pagination.ts";

/** A slide in its own pixels; reveal.js scales it to the screen. The style sheet has the same width. */
const slide = { width: 1600, height: 900 } as const;

/** Sections before reveal.js takes over are laid out below each other, at full width. */
async function present(): Promise<void> {
  const slides = document.querySelector(".slides")!;
  document.body.classList.add("measuring");
  await document.fonts.ready;
  await drawFigures(slides, slide.width - 40);
  paginate(slides, slide.height);
  document.body.classList.remove("measuring");
  const deck = new Reveal({
    ...slide,
    margin: 0.05,
    center: false,
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    // The right arrow walks every slide, in order.
    navigationMode: "linear",
    pdfMaxPagesPerSlide: 1,
    pdfSeparateFragments: false,
    plugins: [Highlight, Notes],
  });
  await deck.initialize();
}

void present();
