/** The course panel's three questions to the server; `kernel-ext/jupyter/infinity_course.py` answers. */
import { ServerConnection } from "@jupyterlab/services";
import type { CourseStatus } from "../../../src/course/status.ts";

/** The course, and where JupyterLab finds its files: null where it shows another folder. */
export type Course = CourseStatus & { readonly folder: string | null };

/** What one check found. `problem` says why nothing ran, null where something did. */
export interface CheckResult {
  readonly slug: string;
  readonly problem: string | null;
  readonly points: number;
  readonly maxPoints: number;
}

export function fetchCourse(): Promise<Course> {
  return ask<Course>("course");
}

/** Grades a project, or one exercise of it. */
export function checkExercises(slug: string, exercise?: string): Promise<CheckResult> {
  return ask<CheckResult>("check", { slug, ...(exercise !== undefined && { exercise }) });
}

/** Puts an exercise's stub back; the sentence says where the backup is. */
export function resetExercise(slug: string, exercise: string): Promise<{ message: string }> {
  return ask<{ message: string }>("reset", { slug, exercise });
}

/** Throws with a sentence for the student where the server is gone or refuses. */
async function ask<Answer>(name: string, body?: object): Promise<Answer> {
  const settings = ServerConnection.makeSettings();
  const init = body ? { method: "POST", body: JSON.stringify(body) } : { method: "GET" };
  const url = `${settings.baseUrl}infinity/${name}`;
  const response = await ServerConnection.makeRequest(url, init, settings).catch(() => {
    throw new Error("The course's server does not answer: is JupyterLab still running?");
  });
  if (response.status === 404) {
    throw new Error("This server does not know the course: start it with `npx infinity lab`.");
  }
  const answer = (await response.json().catch(() => ({}))) as Answer & { message?: string };
  if (response.ok) return answer;
  throw new Error(answer.message ?? `The server refused with status ${response.status}.`);
}
