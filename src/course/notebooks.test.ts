/** The notebooks as they are committed: their form, and their figures when they run again. */
import { expect } from "chai";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { notRunOutsideCi, root } from "../testing.ts";

const text = z.union([z.string(), z.array(z.string()).transform((lines) => lines.join(""))]);
const Notebook = z.object({
  cells: z.array(
    z.object({
      id: z.string(),
      cell_type: z.enum(["markdown", "code"]),
      metadata: z.object({
        tags: z.array(z.string()).default([]),
        slideshow: z.object({
          slide_type: z.enum(["slide", "subslide", "fragment", "skip", "notes", "-"]),
        }),
        nbgrader: z
          .object({ schema_version: z.literal(3), grade_id: z.string(), grade: z.boolean() })
          .optional(),
      }),
      source: text,
      outputs: z
        .array(
          z.object({
            output_type: z.enum(["stream", "display_data", "execute_result", "error"]),
            text: text.optional(),
            data: z.record(z.string(), z.unknown()).optional(),
          }),
        )
        .default([]),
    }),
  ),
});
type Notebook = z.infer<typeof Notebook>;
type Cell = Notebook["cells"][number];

const folder = join(root, "notebooks");
const names = readdirSync(folder).filter((name) => name.endsWith(".ipynb"));
const maxNotebookBytes = 1_000_000;
/** Far above what a notebook takes, for a machine that is busy. */
const deadlineMs = 600_000;
const maxCellLines = 15;

function read(path: string): Notebook {
  return Notebook.parse(JSON.parse(readFileSync(path, "utf8")));
}

/** A cell whose output is the student's: what they wrote, and how it was graded. */
function isTheirs({ source }: Cell): boolean {
  return /^%%exercise|await check\(/.test(source);
}

/** All that a cell prints, however it was cut into messages, and what it displays. */
function shown({ outputs }: Cell): unknown[] {
  const printed = outputs.map((output) => output.text ?? "").join("");
  // The pictures of figures are added when a notebook is built, not when it runs.
  const displayed = outputs.flatMap(({ data }) =>
    data ? [{ ...data, "image/png": undefined }] : [],
  );
  return [printed, ...displayed];
}

for (const name of names) {
  const slug = name.replace(".ipynb", "");
  const committed = read(join(folder, name));

  describe(`notebook ${slug}`, () => {
    it("is committed with its outputs, without errors, under 1 MB", () => {
      const code = committed.cells.filter(({ cell_type }) => cell_type === "code");
      const silent = code.filter(({ outputs }) => outputs.length === 0).map(({ id }) => id);
      expect(silent).to.deep.equal([]);
      expect(
        code.flatMap(({ outputs }) => outputs).filter(({ output_type }) => output_type === "error"),
      ).to.deep.equal([]);
      expect(statSync(join(folder, name)).size).to.be.below(maxNotebookBytes);
    });

    it(`has no code cell of more than ${maxCellLines} lines`, () => {
      const long = committed.cells
        .filter((cell) => cell.cell_type === "code" && !isTheirs(cell))
        .filter(({ source }) => source.trim().split("\n").length > maxCellLines);
      expect(long.map(({ id }) => id)).to.deep.equal([]);
    });

    it("shows each figure with a picture and a text beside it", () => {
      const figures = committed.cells
        .flatMap(({ outputs }) => outputs)
        .filter(({ data }) => data && "application/vnd.plotly.v1+json" in data);
      expect(figures).to.not.have.length(0);
      for (const { data } of figures) expect(data).to.include.keys("text/plain", "image/png");
    });

    it("offers each exercise as its pristine stub, followed by its check", () => {
      const stubs = readFileSync(join(root, "exercises", ".stubs", `${slug}.ts`), "utf8");
      const regions = [...stubs.matchAll(/^\/\/ #region (\w+)\n([\s\S]*?)\n\/\/ #endregion$/gm)];
      const cells = committed.cells.filter(({ source }) => source.startsWith("%%exercise"));
      expect(cells.map(({ source }) => source)).to.deep.equal(
        regions.map(
          ([, region, body]) =>
            `%%exercise ${region!}\n${body!.replaceAll("export function", "function")}`,
        ),
      );
      for (const [, region] of regions) {
        const check = committed.cells.find(({ source }) =>
          source.includes(`check("${slug.slice(0, 2)}", "${region!}")`),
        );
        expect(check?.metadata.nbgrader, region).to.include({ grade: true });
      }
    });

    it("runs headless and shows the same again", async function () {
      this.timeout(deadlineMs);
      const python = join(
        root,
        ".venv",
        process.platform === "win32" ? "Scripts/python.exe" : "bin/python",
      );
      if (!existsSync(python))
        notRunOutsideCi(this, "JupyterLab is not set up: run `npx infinity setup`");
      const temporary = mkdtempSync(join(tmpdir(), "infinity-notebook-"));
      try {
        await promisify(execFile)(
          python,
          [
            join(root, "kernel-ext", "jupyter", "run_notebooks.py"),
            "--to",
            temporary,
            join(folder, name),
          ],
          { cwd: folder, timeout: deadlineMs },
        );
        const again = read(join(temporary, name));
        for (const [i, cell] of committed.cells.entries()) {
          if (isTheirs(cell) || cell.metadata.tags.includes("timing")) continue;
          expect(shown(again.cells[i]!), `cell ${cell.id}`).to.deep.equal(shown(cell));
        }
      } finally {
        rmSync(temporary, { recursive: true });
      }
    });
  });
}
