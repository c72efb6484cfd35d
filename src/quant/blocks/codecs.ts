/** Every block format that is understood, by name. */
import type { BlockDtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { affineCodecs } from "./affine-blocks.ts";
import type { BlockCodec } from "./block.ts";
import { codebookCodecs } from "./codebook-blocks.ts";
import { simpleCodecs } from "./simple-blocks.ts";
import { symmetricCodecs } from "./symmetric-blocks.ts";
import { tableCodecs } from "./table-blocks.ts";
import { ternaryCodecs } from "./ternary-blocks.ts";

const codecs: Readonly<Partial<Record<BlockDtype, BlockCodec>>> = {
  ...simpleCodecs,
  ...affineCodecs,
  ...symmetricCodecs,
  ...ternaryCodecs,
  ...tableCodecs,
  ...codebookCodecs,
};

/** The codec of `dtype`. Throws InputError where there is none, as for Q1_0. */
export function blockCodec(dtype: BlockDtype): BlockCodec {
  const codec = codecs[dtype];
  if (codec) return codec;
  const known = Object.keys(codecs).join(", ");
  throw new InputError(`${dtype} blocks cannot be read here; ${known} can.`);
}
