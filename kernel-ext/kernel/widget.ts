/**
 * Widgets: state shared by a cell and a view in the browser, drawn by a JavaScript module of the
 * notebook's own. It speaks the protocol of jupyter-widgets 2.1 with anywidget's front end.
 */
import { randomUUID } from "node:crypto";
import { UsageError } from "../../src/core/errors.ts";
import type { Comm, CommMessage, Comms } from "./comms.ts";
import { displaySymbol, type MimeBundle } from "./mime.ts";

/** What a widget shows and shares. */
export interface WidgetOptions<State extends object> {
  /** JavaScript of a module whose default export has `render({ model, el })` (anywidget's format). */
  readonly esm: string;
  readonly css?: string;
  /** JSON values; the view reads and changes them with `model.get` and `model.set`. */
  readonly state: State;
}

const widgetTarget = "jupyter.widget";
const controlTarget = "jupyter.widget.control";
const viewMime = "application/vnd.jupyter.widget-view+json";
const protocol = { metadata: { version: "2.1.0" } };

const model = {
  _model_module: "anywidget",
  _model_name: "AnyModel",
  _model_module_version: "*",
  _view_module: "anywidget",
  _view_name: "AnyView",
  _view_module_version: "*",
  _view_count: null,
} as const;

/** The widgets of one notebook. */
export class Widgets {
  readonly #comms: Comms;
  readonly #open = new Map<string, Widget<object>>();

  constructor(comms: Comms) {
    this.#comms = comms;
    // A page that is loaded again asks for all widgets at once.
    comms.register(controlTarget, (comm) => {
      comm.onMessage(({ data }) => {
        if (data["method"] === "request_states") comm.send(this.#states());
      });
    });
  }

  /** Makes a widget; it appears where it is shown. */
  create<State extends object>(options: WidgetOptions<State>): Widget<State> {
    const id = randomUUID();
    const widget = new Widget(options, id, (state) =>
      this.#comms.open(widgetTarget, { state, buffer_paths: [] }, { ...protocol, id }),
    );
    this.#open.set(id, widget as unknown as Widget<object>);
    widget.onClose(() => this.#open.delete(id));
    return widget;
  }

  #states(): object {
    const states = [...this.#open].map(([id, { fullState: state }]) => [
      id,
      {
        model_name: model._model_name,
        model_module: model._model_module,
        model_module_version: model._model_module_version,
        state,
      },
    ]);
    return {
      method: "update_states",
      states: Object.fromEntries(states) as object,
      buffer_paths: [],
    };
  }
}

/** One widget. */
export class Widget<State extends object> {
  readonly #comm: Comm;
  readonly #id: string;
  readonly #code: object;
  #state: State;
  readonly #listeners: ((state: Readonly<State>) => void)[] = [];
  readonly #closers: (() => void)[] = [];

  constructor(
    { esm, css = "", state }: WidgetOptions<State>,
    id: string,
    open: (state: object) => Comm,
  ) {
    this.#state = { ...state };
    this.#id = id;
    this.#code = { ...model, _esm: esm, _css: css, _anywidget_id: `infinity.${id}` };
    const reserved = Object.keys(state).find((name) => name.startsWith("_"));
    if (reserved !== undefined) {
      throw new UsageError(
        `The widget's state has "${reserved}"; names with an underscore are the protocol's own.`,
      );
    }
    Object.defineProperty(this, displaySymbol, { value: () => this.#view() });
    this.#comm = open(this.fullState);
    this.#comm.onMessage((message) => {
      this.#receive(message);
    });
    this.#comm.onClose(() => {
      this.#closed();
    });
  }

  /** What is shared, as it is now. */
  get state(): Readonly<State> {
    return this.#state;
  }

  /** The state with what the front end needs to draw it. */
  get fullState(): object {
    return { ...this.#code, ...this.#state };
  }

  /** Changes some of the state, here and in every view. */
  set(changes: Partial<State>): void {
    this.#state = { ...this.#state, ...changes };
    this.#comm.send({ method: "update", state: changes, buffer_paths: [] });
  }

  /** Calls `listen` after every change that a view makes. */
  onChange(listen: (state: Readonly<State>) => void): void {
    this.#listeners.push(listen);
  }

  /** Calls `closed` when the widget is closed on either side. */
  onClose(closed: () => void): void {
    this.#closers.push(closed);
  }

  /** Takes the widget away from every page. */
  close(): void {
    this.#comm.close();
    this.#closed();
  }

  #view(): MimeBundle {
    return {
      [viewMime]: { version_major: 2, version_minor: 1, model_id: this.#id },
      "text/plain": `Widget ${JSON.stringify(this.#state)}`,
    };
  }

  #receive({ data }: CommMessage): void {
    if (data["method"] === "request_state") {
      this.#comm.send({ method: "update", state: this.fullState, buffer_paths: [] });
    }
    if (data["method"] !== "update") return;
    const sent = Object.entries(data["state"] ?? {});
    // A view may set what the state has, and nothing of the model's own.
    const changes = sent.filter(([name]) => Object.hasOwn(this.#state, name));
    this.#state = { ...this.#state, ...(Object.fromEntries(changes) as Partial<State>) };
    for (const listen of this.#listeners) listen(this.#state);
  }

  #closed(): void {
    for (const closed of this.#closers.splice(0)) closed();
  }
}
