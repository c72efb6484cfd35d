/** What every cell has without an import. The functions themselves are in globals.ts. */

/** Representations of one value by MIME type; a client shows the richest that it knows. */
interface MimeBundle {
  readonly [mimeType: `${string}/${string}`]: unknown;
}

/** A plotly figure; traces may hold typed arrays. */
interface Figure {
  readonly data: readonly object[];
  readonly layout?: object;
  readonly frames?: readonly object[];
  readonly config?: object;
}

interface DisplayOptions {
  /** Names the display, so that a later one can replace it. */
  readonly id?: string;
  /** Replaces what the display of this `id` shows, wherever it stands. */
  readonly update?: boolean;
}

/**
 * Shows a value below the cell: a MIME bundle as it is, a value with a method
 * `[Symbol.for("Jupyter.display")]` by that, tables as tables, everything else as text.
 */
declare function display(value: unknown, options?: DisplayOptions): void;

/** Takes away what this cell has shown: now, or with `wait` when it shows something new. */
declare function clearOutput(wait?: boolean): void;

/** Shows HTML below the cell. */
declare function html(text: string): void;

/** Draws a plotly figure below the cell. */
declare function show(figure: Figure, options?: DisplayOptions): void;

/** Shows two values beside each other. */
declare function sideBySide(left: unknown, right: unknown): Promise<void>;

/** How an animation is shown. */
interface AnimationOptions {
  /** What each frame is called beside the slider; its number where there is none. */
  readonly labels?: readonly string[];
  /** Time from frame to frame while it plays. Milliseconds. */
  readonly intervalMs?: number;
}

/** Shows values (text, tables, HTML, SVG, PNG) one at a time, behind a slider. */
declare function animate(frames: Iterable<unknown>, options?: AnimationOptions): Promise<void>;

/** A bar below the cell; functions of the engine that report their progress take it as it is. */
interface ProgressBar {
  /** Says that `done` of `total` is done. */
  update(done: number, total?: number, label?: string): void;
  /** Says that one more unit is done. */
  step(): void;
  /** Draws what came after the last drawing. */
  finish(): void;
}

/** Shows how far work of `total` units is. */
declare function progress(total: number, label?: string): ProgressBar;

/** Asks whoever runs the cell: `await input("How many bits? ")`; a password is not shown as it is typed. */
declare function input(prompt?: string, options?: { readonly password?: boolean }): Promise<string>;

/** One graded test of a report. */
interface TestReport {
  readonly name: string;
  readonly exercise: string;
  readonly status: "passed" | "failed" | "not run";
  readonly points: number;
  readonly maxPoints: number;
  readonly message: string | null;
}

/** What a check found. */
interface GradeReport {
  readonly slug: string;
  readonly points: number;
  readonly maxPoints: number;
  readonly tests: readonly TestReport[];
  /** Why no test ran, where none did. */
  readonly problem?: string;
}

/**
 * Grades your exercises: of a project (`await check("01")`) or one of them
 * (`await check("01", "affineParams")`). The report appears below the cell.
 */
declare function check(project: string, exercise?: string): Promise<GradeReport>;

/** Saves `code` as your answer to an exercise, as a cell does that begins with `%%exercise NAME`. */
declare function exercise(name: string, code: string): void;

/** Starts the best backend for tensors, or the one you name, and says why not a better one. */
declare function device(name?: string): Promise<void>;

/** Runs `work`, prints how long it took, and gives what it gives. */
declare function time<T>(work: () => T): T;

/** Lists what the cells have declared. */
declare function who(): void;

/** Forgets the engine's modules, so that the next import loads them anew. */
declare function reload(): void;

/** Shows the whole stack of the last error, with the frames that messages leave out. */
declare function trace(): void;

/** What travels on a comm besides its JSON. */
interface CommExtras {
  readonly metadata?: object;
  readonly buffers?: readonly Uint8Array[];
}

/** What arrives on a comm. */
interface CommMessage {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly buffers: readonly Uint8Array[];
}

/** A channel to the front end. */
interface Comm {
  readonly id: string;
  readonly target: string;
  onMessage(handle: (message: CommMessage) => void): void;
  onClose(handle: (message: CommMessage) => void): void;
  send(data: object, extras?: CommExtras): void;
  close(data?: object, extras?: CommExtras): void;
}

/** Channels to the front end, which either side may open. */
declare const comms: {
  /** Opens a comm of a target that the front end has registered. */
  open(target: string, data?: object, extras?: CommExtras): Comm;
  /** Lets the front end open comms of this name. */
  register(target: string, handle: (comm: Comm, opening: CommMessage) => void): void;
};

/** A view in the browser that shares state with the notebook; it appears where it is shown. */
interface Widget<State extends object> {
  readonly state: Readonly<State>;
  /** Changes some of the state, here and in every view. */
  set(changes: Partial<State>): void;
  /** Calls `listen` after every change that a view makes. */
  onChange(listen: (state: Readonly<State>) => void): void;
  /** Takes the widget away from every page. */
  close(): void;
}

/**
 * Makes a widget. `esm` is JavaScript whose default export has `render({ model, el })`; there
 * `model.get(name)`, `model.set(name, value)` with `model.save_changes()`, and
 * `model.on("change:name", …)` reach the state (anywidget's format).
 */
declare function widget<State extends object>(options: {
  readonly esm: string;
  readonly css?: string;
  readonly state: State;
}): Widget<State>;
