/**
 * The course panel as elements: a function of the course and of what is unfolded, without state.
 * Texts go in as text, never as HTML. Each control has a key, by which focus finds its way back when
 * the panel is drawn again.
 */
import type { ExerciseStatus, NextTest, ProjectStatus } from "../../../src/course/status.ts";
import type { Course } from "./course-server.ts";

/** What is drawn beside the course itself. */
export interface ViewState {
  /** The slug of the unfolded project. */
  readonly unfolded: string | undefined;
  /** The exercise whose reset is to be confirmed. */
  readonly resetting: string | undefined;
  readonly busy: boolean;
}

/** What the controls do. */
export interface Actions {
  unfold(slug: string): void;
  openNotebook(project: ProjectStatus): void;
  openExercises(project: ProjectStatus): void;
  check(project: ProjectStatus, exercise?: string): void;
  askReset(exercise: string): void;
  cancelReset(exercise: string): void;
  reset(project: ProjectStatus, exercise: string): void;
}

const signs = { passed: "✓", failed: "✗", "not run": "○" } as const;

/** The whole panel below its heading. */
export function courseView(course: Course, state: ViewState, actions: Actions): HTMLElement {
  const done = course.projects.filter((project) => project.state === "done").length;
  const summary = `${course.points} of ${course.maxPoints} points, ${done} of ${course.projects.length} projects done`;
  const projects = course.projects.map((project) =>
    projectView(project, course.folder !== null, state, actions),
  );
  return element("div", { class: "content" }, [
    element("p", { class: "summary" }, [summary]),
    element("ol", { class: "projects" }, projects),
  ]);
}

function projectView(
  project: ProjectStatus,
  canOpen: boolean,
  state: ViewState,
  actions: Actions,
): HTMLElement {
  const { slug, title } = project;
  const number = String(Number(slug.slice(0, 2)));
  const name = [
    element("span", { class: "number" }, [number]),
    element("span", { class: "title" }, [title]),
  ];
  if (project.state === "planned") {
    const planned = element("span", { class: "state" }, ["planned"]);
    return element("li", { class: "planned" }, [element("h3", {}, [...name, planned])]);
  }
  const isUnfolded = slug === state.unfolded;
  const score = element("span", { class: "state" }, [`${project.points}/${project.maxPoints}`]);
  const stateName = element("span", { class: "for-readers" }, [`points, ${project.state}`]);
  const id = `infinity-course-${slug}`;
  const attributes = { "aria-expanded": String(isUnfolded), "aria-controls": id };
  const head = button([...name, score, stateName], `unfold ${slug}`, attributes, () => {
    actions.unfold(slug);
  });
  const body = element("div", { id, class: "body" }, []);
  body.hidden = !isUnfolded;
  if (isUnfolded) body.append(...bodyView(project, canOpen, state, actions));
  return element("li", { class: project.state.replace(" ", "-") }, [
    element("h3", {}, [head]),
    element("progress", {
      max: String(project.maxPoints),
      value: String(project.points),
      "aria-label": `Points in ${title}`,
    }),
    body,
  ]);
}

function bodyView(
  project: ProjectStatus,
  canOpen: boolean,
  state: ViewState,
  actions: Actions,
): HTMLElement[] {
  const { slug, next, exercises } = project;
  const act = (label: string, name: string, run: () => void): HTMLElement =>
    button([label], `${label} ${slug}`, { "aria-label": name, ...busy(state) }, run);
  const opening = [
    act("Notebook", "Open the notebook", () => {
      actions.openNotebook(project);
    }),
    act("Exercises", "Open the exercises beside the notebook", () => {
      actions.openExercises(project);
    }),
  ];
  const elsewhere = element("p", {}, ["JupyterLab shows another folder than the course's."]);
  const check = act("Check all", "Check all exercises", () => {
    actions.check(project);
  });
  return [
    element("div", { class: "actions" }, [...(canOpen ? opening : [elsewhere]), check]),
    next ? nextView(slug, next) : element("p", { class: "next" }, ["All tests passed."]),
    element(
      "ul",
      { class: "exercises" },
      exercises.map((exercise) => exerciseView(project, exercise, state, actions)),
    ),
  ];
}

function nextView(slug: string, { exercise, test, status, hints }: NextTest): HTMLElement {
  const name = element("code", {}, [exercise]);
  const text =
    status === "failed" ? [name, ` fails “${test}”`] : ["write ", name, ", then check it"];
  return element("div", { class: "next" }, [
    element("p", {}, [element("strong", {}, ["Next: "]), ...text]),
    ...hintsView(`${slug}/${exercise}/${test}`, hints),
  ]);
}

/** Each hint holds the next: one more step for one more click. */
function hintsView(key: string, hints: readonly string[]): HTMLElement[] {
  return hints.reduceRight<HTMLElement[]>((inner, hint, i) => {
    const step = `hint ${i + 1} ${key}`;
    const summary = element("summary", { "data-key": step }, [`Hint ${i + 1} of ${hints.length}`]);
    const content = [summary, element("p", {}, [hint]), ...inner];
    return [element("details", { "data-unfolds": step }, content)];
  }, []);
}

function exerciseView(
  project: ProjectStatus,
  { name, status, points, maxPoints }: ExerciseStatus,
  state: ViewState,
  actions: Actions,
): HTMLElement {
  const line = element("div", { class: "line" }, [
    element("span", { class: "sign", "aria-hidden": "true" }, [signs[status]]),
    element("code", {}, [name]),
    element("span", { class: "state" }, [`${status}, ${points}/${maxPoints}`]),
  ]);
  const controls =
    state.resetting === name
      ? confirmView(project, name, actions)
      : exerciseActions(project, name, state, actions);
  return element("li", { class: status.replace(" ", "-") }, [line, controls]);
}

function exerciseActions(
  project: ProjectStatus,
  name: string,
  state: ViewState,
  actions: Actions,
): HTMLElement {
  const check = { "aria-label": `Check ${name}`, ...busy(state) };
  const reset = { "aria-label": `Reset ${name}`, ...busy(state) };
  return element("div", { class: "actions" }, [
    button(["Check"], `check ${name}`, check, () => {
      actions.check(project, name);
    }),
    button(["Reset"], `ask ${name}`, reset, () => {
      actions.askReset(name);
    }),
  ]);
}

function confirmView(project: ProjectStatus, name: string, actions: Actions): HTMLElement {
  const question = `Put the stub of ${name} back? A copy of your file is kept.`;
  return element("div", { role: "group", "aria-label": question, class: "confirm" }, [
    element("p", {}, [question]),
    element("div", { class: "actions" }, [
      button(["Reset"], `reset ${name}`, { "aria-label": `Reset ${name} now` }, () => {
        actions.reset(project, name);
      }),
      button(["Cancel"], `cancel ${name}`, { "aria-label": `Keep ${name}` }, () => {
        actions.cancelReset(name);
      }),
    ]),
  ]);
}

/** `aria-disabled` and not `disabled`, which would take the focus away from the pressed button. */
function busy(state: ViewState): Record<string, string> {
  return state.busy ? { "aria-disabled": "true" } : {};
}

function button(
  content: readonly (Node | string)[],
  key: string,
  attributes: Readonly<Record<string, string>>,
  press: () => void,
): HTMLElement {
  const made = element("button", { type: "button", "data-key": key, ...attributes }, content);
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") !== "true") press();
  });
  return made;
}

/** An element with attributes and children; strings become text. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  children: readonly (Node | string)[] = [],
): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
