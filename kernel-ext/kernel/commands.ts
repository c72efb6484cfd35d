/** What `%device`, `%who` and `%reload` show. */
import type * as backend from "../../src/tensor/backend.ts";
import { UsageError } from "../../src/core/errors.ts";
import { tableBundle, type MimeBundle } from "./mime.ts";
import { summaryOf } from "./values.ts";

/**
 * Starts the best backend, or the one called `name`, and says which it is and why not a better one.
 * Throws UsageError for a name that is no device, InputError for a device that is not there.
 */
export async function deviceTable(
  load: (specifier: string) => unknown,
  name?: string,
): Promise<MimeBundle> {
  const { chooseBackend, deviceNames, isDeviceName } = load(
    "infinity-inference/tensor/backend",
  ) as typeof backend;
  if (name !== undefined && !isDeviceName(name)) {
    throw new UsageError(`There is no device ${name}; there is ${deviceNames.join(", ")}.`);
  }
  const chosen = await chooseBackend({ device: name });
  return tableBundle(
    ["", "backend", "computes on"],
    [
      ...chosen.refused.map((refused) => ["", refused.name, `not available: ${refused.reason}`]),
      ["→", chosen.name, chosen.device],
    ],
  );
}

/** What the cells have declared, by name, with kind and shape. */
export function whoTable(values: Readonly<Record<string, unknown>>): MimeBundle {
  const names = Object.keys(values)
    .filter((name) => name !== "__esModule" && values[name] !== undefined)
    .sort();
  if (names.length === 0) return { "text/plain": "No cell has declared anything." };
  return tableBundle(
    ["name", "value"],
    names.map((name) => [name, summaryOf(values[name])]),
  );
}

/** What became of the engine's modules. */
export function reloadedText(numModules: number): MimeBundle {
  const what = numModules === 1 ? "1 module" : `${numModules} modules`;
  return { "text/plain": `Forgot ${what} of the engine; the next import loads them anew.` };
}
