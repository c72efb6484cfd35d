/**
 * How threads wait for each other. Their words of shared memory begin at `control`; `SHARED`, a
 * constant of the build, is 0 where the memory is one thread's alone and nobody is waited for.
 */

/** Byte offsets from `control`, and `controlWords` in `src/kernels/wasm/arena.ts` has the same. */
const arrived: usize = 0;
const generation: usize = 4;
const failed: usize = 8;
const sequence: usize = 12;

/** Looks at a word before a thread sleeps, some tens of microseconds: a wake-up costs as much. */
const spins: i32 = 20000;

/** And before it sleeps between two programs: longer than a caller takes from one token to the next. */
const idleSpins: i32 = 1000000;

/** After a minute without news, in nanoseconds, a thread has died without a word. */
const patience: i64 = 60_000_000_000;

/**
 * Returns when all threads have come here, or false when one of them has failed. `maySleep` is 0 on a
 * thread that must not, as a page's own.
 */
export function meet(control: usize, numThreads: i32, maySleep: i32): bool {
  if (!SHARED || numThreads == 1) return true;
  const round = atomic.load<i32>(control, generation);
  // Before the others came: a thread that fails counts a generation, and that one may be `round`.
  if (atomic.load<i32>(control, failed)) return false;
  if (atomic.add<i32>(control, 1, arrived) == numThreads - 1) {
    atomic.store<i32>(control, 0, arrived);
    atomic.add<i32>(control, 1, generation);
    atomic.notify(control + generation, numThreads);
    return !atomic.load<i32>(control, failed);
  }
  if (!awaitChange(control + generation, round, maySleep)) atomic.store<i32>(control, 1, failed);
  return !atomic.load<i32>(control, failed);
}

/** Returns when the word is no longer `value`, or false when that takes too long. */
function awaitChange(word: usize, value: i32, maySleep: i32): bool {
  for (let i = 0; i < spins; i++) {
    if (atomic.load<i32>(word) != value) return true;
  }
  while (atomic.load<i32>(word) == value) {
    if (maySleep && atomic.wait<i32>(word, value, patience) == AtomicWaitResult.TIMED_OUT) {
      return false;
    }
  }
  return true;
}

/** Sleeps until the sequence number of the work is no longer `last`, and returns it. */
export function awaitWork(control: usize, last: i32): i32 {
  if (!SHARED) return last;
  for (let i = 0; i < idleSpins; i++) {
    if (atomic.load<i32>(control, sequence) != last) break;
  }
  while (atomic.load<i32>(control, sequence) == last) {
    atomic.wait<i32>(control + sequence, last, -1);
  }
  return atomic.load<i32>(control, sequence);
}

/** The next of an operation's parts that no thread has taken. */
@inline
export function takePart(counter: usize): i32 {
  if (SHARED) return atomic.add<i32>(counter, 1);
  const part = load<i32>(counter);
  store<i32>(counter, part + 1);
  return part;
}
