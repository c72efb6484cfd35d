/**
 * Cuts slides to the size of the screen. A slide's blocks stay whole; where they do not all fit, the
 * next ones go on a slide of their own below it. A block that alone is too tall is made smaller, and
 * where that would be too small to read, it scrolls.
 */

/** Smaller than this cannot be read from the back row. */
const leastScale = 0.6;

/** Cuts each slide below `slides`, which must be visible and as wide as a slide. */
export function paginate(slides: Element, height: number): void {
  for (const slide of [...slides.querySelectorAll<HTMLElement>("section > section")]) {
    splitText(slide);
    for (const block of slide.querySelectorAll<HTMLElement>(".block")) fit(block, height);
    cut(slide, height);
  }
}

/** Makes each paragraph, list or table of a text a block, a heading together with what it heads. */
function splitText(slide: HTMLElement): void {
  for (const text of [...slide.querySelectorAll<HTMLElement>(".block.text")]) {
    const parts: HTMLElement[] = [];
    for (const child of [...text.children]) {
      const isHeaded = /^H[1-6]$/.test(parts.at(-1)?.lastElementChild?.tagName ?? "");
      if (!isHeaded) parts.push(text.cloneNode() as HTMLElement);
      parts.at(-1)!.append(child);
    }
    text.replaceWith(...parts);
  }
}

function fit(block: HTMLElement, height: number): void {
  const scale = height / block.getBoundingClientRect().height;
  if (scale >= 1) return;
  if (scale >= leastScale) {
    block.style.zoom = String(scale);
    return;
  }
  block.style.maxHeight = `${height}px`;
  block.style.overflowY = "auto";
  block.tabIndex = 0;
}

/** Moves what does not fit to new slides after `slide`, which begin with its title. */
function cut(slide: HTMLElement, height: number): void {
  let page = slide;
  let used = 0;
  for (const block of [...slide.querySelectorAll<HTMLElement>(":scope > .block")]) {
    const needed = block.getBoundingClientRect().height;
    if (used > 0 && used + needed > height) {
      const next = document.createElement("section");
      page.after(next);
      page = next;
      used = 0;
    }
    if (page !== slide) page.append(block);
    used += needed;
  }
}
