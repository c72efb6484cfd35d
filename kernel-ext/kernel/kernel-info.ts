/** What the kernel says about itself: the content of `kernel_info_reply`. */
import { protocolVersion } from "./messages.ts";

/** The version of the compiler that cells are checked with (tslab's fork of TypeScript). */
const typescriptVersion = "5.0.4";

export const kernelInfo: Readonly<Record<string, unknown>> = {
  status: "ok",
  protocol_version: protocolVersion,
  implementation: "infinity",
  implementation_version: "0.1.0",
  language_info: {
    name: "typescript",
    version: typescriptVersion,
    mimetype: "text/typescript",
    file_extension: ".ts",
    pygments_lexer: "typescript",
    codemirror_mode: "typescript",
    nbconvert_exporter: "script",
  },
  banner: `TypeScript ${typescriptVersion} on Node ${process.versions.node}, with Infinity Inference`,
  debugger: false,
  help_links: [{ text: "TypeScript", url: "https://www.typescriptlang.org/docs/" }],
};
