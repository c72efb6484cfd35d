/** Where a thread for gradients begins: as `infinity.js`, it makes TypeScript loadable first. */
import { register } from "tsx/esm/api";

register();
await import("./gradient-thread.ts");
