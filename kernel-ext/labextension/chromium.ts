/** Where a machine's Chromium is, and how it is started for tests and pictures. */
import { existsSync } from "node:fs";

/** Without a screen, and without asking anything of the network. */
export const chromiumFlags: readonly string[] = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** The program that the variable CHROMIUM names, or one in a usual place; undefined where none is. */
export function findChromium(): string | undefined {
  const places = [
    ...[process.env["CHROMIUM"] ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser"],
    ...["/usr/bin/google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  ];
  return places.find((place) => place && existsSync(place));
}
