/** What every cell has without an import. The functions themselves are in globals.ts. */

/** Representations of one value by MIME type; a client shows the richest that it knows. */
interface MimeBundle {
  readonly [mimeType: `${string}/${string}`]: unknown;
}

/** A plotly figure; traces may hold typed arrays. */
interface Figure {
  readonly data: readonly object[];
  readonly layout?: object;
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

/** Shows HTML below the cell. */
declare function html(text: string): void;

/** Draws a plotly figure below the cell. */
declare function show(figure: Figure, options?: DisplayOptions): void;

/** Shows two values beside each other. */
declare function sideBySide(left: unknown, right: unknown): Promise<void>;

/**
 * Grades your exercises: of a project (`await check("01")`) or one of them
 * (`await check("01", "affineParams")`). The report appears below the cell.
 */
declare function check(project: string, exercise?: string): Promise<void>;
