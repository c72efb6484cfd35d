/**
 * What the course panel uses of JupyterLab's own packages, which JupyterLab lends at run time. Their
 * published types would bring 300 MB of packages for these few members.
 */

declare module "@jupyterlab/services" {
  interface ServerSettings {
    readonly baseUrl: string;
  }

  export const ServerConnection: {
    makeSettings(): ServerSettings;
    /** Adds the token and the XSRF header that the server wants. */
    makeRequest(url: string, init: RequestInit, settings: ServerSettings): Promise<Response>;
  };
}

declare module "@jupyterlab/application" {
  import type { CommandRegistry } from "@lumino/commands";
  import type { Token } from "@lumino/coreutils";
  import type { ISignal } from "@lumino/signaling";
  import type { Widget } from "@lumino/widgets";

  export interface Shell {
    readonly currentWidget: Widget | null;
    readonly currentChanged: ISignal<Shell, unknown>;
    add(widget: Widget, area: "left", options: { readonly rank: number }): void;
    activateById(id: string): void;
    widgets(area: "main"): Iterable<Widget>;
  }

  export interface JupyterFrontEnd {
    readonly commands: CommandRegistry;
    readonly shell: Shell;
  }

  export interface ILayoutRestorer {
    /** Remembers whether the widget was open. */
    add(widget: Widget, name: string): void;
  }

  export const ILayoutRestorer: Token<ILayoutRestorer>;
}

declare module "@jupyterlab/apputils" {
  import type { Token } from "@lumino/coreutils";

  export interface ICommandPalette {
    addItem(item: { readonly command: string; readonly category: string }): unknown;
  }

  export const ICommandPalette: Token<ICommandPalette>;
}
