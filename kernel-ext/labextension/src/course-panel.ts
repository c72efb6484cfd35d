/**
 * The course panel: asks the server where the student stands, draws it, and does what its controls
 * say. Results are announced in a live region, which is never drawn anew.
 */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Widget } from "@lumino/widgets";
import type { ProjectStatus } from "../../../src/course/status.ts";
import { type Course, checkExercises, fetchCourse, resetExercise } from "./course-server.ts";
import { type Actions, courseView, element } from "./course-view.ts";
import { currentPath, openBeside, readAgain, saveOpen } from "./documents.ts";

/** How often a visible panel asks whether something has changed. Milliseconds. */
const pollMs = 4000;

/** The panel in JupyterLab's left side bar. */
export class CoursePanel extends Widget implements Actions {
  readonly #app: JupyterFrontEnd;
  readonly #content: HTMLElement = element("div");
  readonly #announcement: HTMLElement = element("p", { role: "status", class: "announcement" });
  readonly #poll: number;
  #course: Course | undefined;
  #unfolded: string | undefined;
  #resetting: string | undefined;
  #busy = false;

  constructor(app: JupyterFrontEnd) {
    super();
    this.#app = app;
    this.addClass("infinity-course");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", "Course");
    this.node.tabIndex = -1;
    this.node.append(element("h2", {}, ["Course"]), this.#announcement, this.#content);
    this.#followDocument();
    app.shell.currentChanged.connect(this.#followDocument, this);
    this.#poll = window.setInterval(() => {
      if (this.isVisible && document.visibilityState === "visible") void this.refresh();
    }, pollMs);
  }

  override dispose(): void {
    if (this.isDisposed) return;
    window.clearInterval(this.#poll);
    this.#app.shell.currentChanged.disconnect(this.#followDocument, this);
    super.dispose();
  }

  /** Asks the server and draws what has changed; a failure is announced. */
  async refresh(): Promise<void> {
    try {
      const course = await fetchCourse();
      if (this.isDisposed || JSON.stringify(course) === JSON.stringify(this.#course)) return;
      this.#course = course;
      this.#unfolded ??= course.projects.find((project) => project.state === "in progress")?.slug;
      if (course.notice !== null) this.#announce(course.notice);
      this.#draw();
    } catch (error) {
      this.#announce(messageOf(error));
    }
  }

  unfold(slug: string): void {
    this.#unfolded = this.#unfolded === slug ? "" : slug;
    this.#resetting = undefined;
    this.#draw();
  }

  openNotebook({ notebook }: ProjectStatus): void {
    void this.#work(async () => {
      await this.#app.commands.execute("docmanager:open", { path: this.#path(notebook) });
    });
  }

  openExercises({ notebook, exerciseFile }: ProjectStatus): void {
    void this.#work(() => openBeside(this.#app, this.#path(notebook), this.#path(exerciseFile)));
  }

  check(project: ProjectStatus, exercise?: string): void {
    const what = exercise ?? project.title;
    void this.#work(async () => {
      this.#announce(`Checking ${what} …`);
      await saveOpen(this.#app, this.#path(project.exerciseFile));
      const { problem, points, maxPoints } = await checkExercises(project.slug, exercise);
      await this.refresh();
      this.#announce(
        problem === null
          ? `${what}: ${points} of ${maxPoints} points in this check.`
          : `Nothing was run: ${problem}`,
      );
    });
  }

  askReset(exercise: string): void {
    this.#resetting = exercise;
    this.#draw(`cancel ${exercise}`);
  }

  cancelReset(exercise: string): void {
    this.#resetting = undefined;
    this.#draw(`ask ${exercise}`);
  }

  reset(project: ProjectStatus, exercise: string): void {
    void this.#work(async () => {
      const path = this.#path(project.exerciseFile);
      // What the editor holds belongs into the backup.
      await saveOpen(this.#app, path);
      const { message } = await resetExercise(project.slug, exercise);
      await readAgain(this.#app, path);
      this.cancelReset(exercise);
      await this.refresh();
      this.#announce(message);
    });
  }

  protected override onAfterShow(): void {
    void this.refresh();
  }

  protected override onActivateRequest(): void {
    const first = this.node.querySelector<HTMLElement>("button");
    (first ?? this.node).focus();
  }

  /** One thing at a time: the server would let a second wait, the reader should not. */
  async #work(task: () => Promise<void>): Promise<void> {
    if (this.#busy) return;
    this.#setBusy(true);
    try {
      await task();
    } catch (error) {
      this.#announce(messageOf(error));
    } finally {
      this.#setBusy(false);
    }
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy;
    this.node.setAttribute("aria-busy", String(busy));
    this.#draw();
  }

  #announce(text: string): void {
    this.#announcement.textContent = text;
  }

  /** A path below the course's folder as the server has it. */
  #path(file: string): string {
    return `${this.#course?.folder ?? ""}${file}`;
  }

  /** Unfolds the project whose notebook or exercises are in front. */
  #followDocument(): void {
    const slug = /(\d\d-[a-z0-9-]+)\.(?:ipynb|ts)$/.exec(currentPath(this.#app) ?? "")?.[1];
    if (slug === undefined || slug === this.#unfolded) return;
    this.#unfolded = slug;
    this.#draw();
  }

  /**
   * Draws everything again. What was unfolded stays so; focus stays or goes to `focused`, and to the
   * panel itself where its control is gone.
   */
  #draw(focused?: string): void {
    if (!this.#course) return;
    const keys = (selector: string, attribute: string): (string | null)[] =>
      [...this.#content.querySelectorAll(selector)].map((found) => found.getAttribute(attribute));
    const open = new Set(keys("details[open]", "data-unfolds"));
    const active = this.#content.contains(document.activeElement) ? document.activeElement : null;
    const key = focused ?? active?.getAttribute("data-key");
    const state = { unfolded: this.#unfolded, resetting: this.#resetting, busy: this.#busy };
    this.#content.replaceChildren(courseView(this.#course, state, this));
    for (const details of this.#content.querySelectorAll("details")) {
      details.open = open.has(details.getAttribute("data-unfolds"));
    }
    if (key == null) return;
    const control = `[data-key="${CSS.escape(key)}"]`;
    (this.#content.querySelector<HTMLElement>(control) ?? this.node).focus();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
