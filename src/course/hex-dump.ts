/** Bytes as text for people: sixteen a line with their letters, or one line for each field. */

const bytesPerLine = 16;
/** Bytes of a field on one line of `fieldDump`. */
const fieldBytesPerLine = 8;

/** A part of a file that has a meaning of its own, in bytes from the file's start. */
export interface FileField {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** What the bytes say, for a reader. */
  readonly value: string;
}

/** Offset, sixteen bytes in hexadecimal and their letters, a line each; `start` is the first offset. */
export function hexDump(bytes: Uint8Array, start = 0): string {
  const lines = pieces(bytes, bytesPerLine).map((line, i) => {
    const hex = hexOf(line).padEnd(3 * bytesPerLine - 1);
    return `${offsetOf(start + i * bytesPerLine)}  ${hex}  ${lettersOf(line)}`;
  });
  return lines.join("\n");
}

/** Each field of `bytes` with its offset, its bytes, its name and what it says. */
export function fieldDump(bytes: Uint8Array, fields: readonly FileField[]): string {
  const width = Math.max(...fields.map(({ name }) => name.length));
  return fields
    .flatMap(({ name, start, end, value }) =>
      pieces(bytes.subarray(start, end), fieldBytesPerLine).map((line, i) => {
        const hex = hexOf(line).padEnd(3 * fieldBytesPerLine - 1);
        const meaning = i === 0 ? `${name.padEnd(width)}  ${value}` : "";
        return `${offsetOf(start + i * fieldBytesPerLine)}  ${hex}  ${meaning}`.trimEnd();
      }),
    )
    .join("\n");
}

function pieces(bytes: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  );
}

function offsetOf(offset: number): string {
  return String(offset).padStart(6);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Printable ASCII as itself, everything else as a dot. */
function lettersOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".",
  ).join("");
}
