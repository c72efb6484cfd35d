/** The course panel as a JupyterLab plugin: its place, its icon, its command and its key. */
import { ILayoutRestorer, type JupyterFrontEnd } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import type { Token } from "@lumino/coreutils";
import { CoursePanel } from "./course-panel.ts";
import style from "./course.css";

/** What JupyterLab registers and activates. */
export interface CoursePlugin {
  readonly id: string;
  readonly autoStart: true;
  readonly optional: readonly Token<unknown>[];
  activate(
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
  ): void;
}

const command = "infinity-course:show";

/** A line without an end, drawn in 24 units; the style sheet gives its colour. */
const iconPath =
  "M12 12c-2-3-3.6-4.5-6-4.5a4.5 4.5 0 0 0 0 9c2.4 0 4-1.5 6-4.5s3.6-4.5 6-4.5a4.5 4.5 0 0 1 0 9c-2.4 0-4-1.5-6-4.5z";

export const coursePlugin: CoursePlugin = {
  id: "infinity-labextension:course",
  autoStart: true,
  optional: [ICommandPalette, ILayoutRestorer],
  activate(app, palette, restorer) {
    const sheet = document.createElement("style");
    sheet.textContent = style;
    document.head.append(sheet);

    const panel = new CoursePanel(app);
    panel.id = "infinity-course";
    panel.title.caption = "Course";
    panel.title.icon = { render: renderIcon };
    // After the file browser, before the list of kernels.
    app.shell.add(panel, "left", { rank: 150 });
    restorer?.add(panel, panel.id);

    app.commands.addCommand(command, {
      label: "Show the Course Panel",
      execute: () => {
        app.shell.activateById(panel.id);
      },
    });
    app.commands.addKeyBinding({ command, keys: ["Accel Alt G"], selector: "body" });
    palette?.addItem({ command, category: "Course" });
  },
};

function renderIcon(host: HTMLElement): void {
  host.innerHTML = `<svg class="infinity-course-icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path d="${iconPath}"/></svg>`;
}
