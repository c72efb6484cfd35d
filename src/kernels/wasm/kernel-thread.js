/**
 * What a thread of the wasm kernels does, in a worker of Node or of a browser: plain JavaScript,
 * because it runs there as it is. It sleeps in shared memory until there is work, and looks at its
 * messages only when the work is in an arena that it has not been told of.
 */

/** Indices as in `arena.ts`. */
const words = { generation: 1, failed: 2, sequence: 3, arena: 4, program: 5, pages: 6 };

const pageBytes = 65_536;

/**
 * Returns what is to be called with every message, which tells of an arena (see `kernel-threads.ts`).
 *
 * @returns {(message: import("./kernel-threads.ts").ArenaMessage) => void}
 */
export function kernelThread() {
  /** @type {{ message: import("./kernel-threads.ts").ArenaMessage, exports: any }[]} */
  const arenas = [];
  let last = 0;

  const serve = () => {
    const [{ message, exports }] = arenas;
    const at = message.control / 4;
    for (;;) {
      const sequence = exports.awaitWork(message.control, last);
      const control = new Int32Array(message.memory.buffer);
      const arena = arenas[control[at + words.arena]];
      if (!arena) return;
      last = sequence;
      work(arena, control[at + words.program], control[at + words.pages]);
    }
  };

  return (message) => {
    const { module, memory } = message;
    arenas.push({
      message,
      exports: new WebAssembly.Instance(module, { env: { memory } }).exports,
    });
    serve();
  };
}

/** Runs a program; where that fails, the threads that wait for this one are told. */
function work({ message, exports }, program, numPages) {
  const { control, work, thread, numThreads, memory } = message;
  try {
    // V8 (11.3 to 13.6 at least) forgets to tell a thread that the memory grew while it was on its way
    // here, and `memory.fill` then traps; asking for no more pages makes it look.
    if (memory.buffer.byteLength < numPages * pageBytes) memory.grow(0);
    exports.run(program, control, work, thread, numThreads, 1);
  } catch (error) {
    const all = new Int32Array(memory.buffer);
    Atomics.store(all, control / 4 + words.failed, 1);
    Atomics.add(all, control / 4 + words.generation, 1);
    Atomics.notify(all, control / 4 + words.generation);
    throw error;
  }
}
