/**
 * How much a sandbox may take, say and hold. Every count that arrives from it is checked against
 * these before memory is taken.
 */

/** Nesting of one value. The deepest honest answer, a parsed file's metadata, has about ten levels. */
export const maxDepth: number = 64;

/** Values in one message, counting every element: a whole vocabulary fits eight times. */
export const maxValues: number = 2 ** 20;

/** Bytes of one message: one weight matrix of 4096 × 4096 float32. */
export const maxFrameBytes: number = 2 ** 26;

/** Hexadecimal digits of one bigint: reading them takes linear time, printing them does not. */
export const maxBigintDigits: number = 2 ** 14;

/** UTF-16 units of an error's message or stack: a screenful. */
export const maxErrorText: number = 10_000;

/** Objects and functions of one side that the other may hold at once. */
export const maxReferences: number = 100_000;

/** Bytes of replies that a sandbox has asked for and not read: it is not waiting for them. */
export const maxUnreadBytes: number = 2 * maxFrameBytes;

/** Characters of console output that are kept to be shown: a screenful. */
export const maxShownOutput: number = 2_000;

/** Characters of console output between two readings of it, after which it is a flood. */
export const maxOutput: number = 2 ** 20;

/** Milliseconds for one call, and for the module's top level. Honest answers take a few; the rest is for a machine that is busy. */
export const callDeadlineMs: number = 4_000;

/** Milliseconds for a process to start: a tenth of a second where nothing else runs. */
export const startDeadlineMs: number = 20_000;

/** Milliseconds that one process may live: a file of thirty tests takes two seconds. */
export const processDeadlineMs: number = 120_000;

/** Megabytes of JavaScript heap. */
export const heapMegabytes: number = 256;

/** Megabytes of all private memory, array buffers too; Node itself needs about 350 of address space. */
export const dataMegabytes: number = 1024;

/** Seconds of processor time, for a process whose parent was killed before it could end it. */
export const processorSeconds: number = 120;
