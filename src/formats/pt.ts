/**
 * PyTorch's .pt and .pth as `torch.save` has written them since 1.6: a ZIP archive of a pickle that
 * describes the tensors and of their numbers. Dictionaries may be nested; names are joined with dots.
 * Nothing of the file is executed: see pickle.ts for what is refused.
 */
import { dtypeLayouts, numElements, type PlainDtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { fileStem, quoted, type ByteSource } from "./byte-source.ts";
import { unpickle, type PickleCallable, type PickleHost } from "./pickle.ts";
import { plainToFloat32 } from "./plain-values.ts";
import { bytesOfTensor, maxDimensions, storedTensor } from "./stored-tensors.ts";
import { toCOrder } from "./strided.ts";
import type { TensorFile, TensorInfo } from "./tensor-file.ts";
import { readZipDirectory, readZipEntry, type ZipEntry } from "./zip.ts";

/** Real pickles of tensors take about 200 bytes a tensor. */
const maxPickleBytes = 2 ** 26;
const maxNesting = 64;

const dtypeOfStorage: Readonly<Record<string, PlainDtype>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** Marks a storage class, which a pickle names and never calls. */
class StorageType {
  readonly dtype: PlainDtype;
  constructor(dtype: PlainDtype) {
    this.dtype = dtype;
  }
}

/** `numValues` numbers in an entry of the archive. */
class Storage {
  readonly entry: ZipEntry;
  readonly dtype: PlainDtype;
  readonly numValues: number;
  constructor(entry: ZipEntry, dtype: PlainDtype, numValues: number) {
    this.entry = entry;
    this.dtype = dtype;
    this.numValues = numValues;
  }
}

/** A view of a storage; offset and strides count values. */
class StoredView {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(
    storage: Storage,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

type PtTensor = TensorInfo & { readonly view: StoredView };

/** Opens a .pt file. Throws InputError for a foreign or damaged one and for objects besides tensors. */
export async function openPt(source: ByteSource): Promise<TensorFile> {
  await refuseLegacy(source);
  const entries = await readZipDirectory(source);
  const pickle = [...entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickle) throw new InputError(`${source.name} is a ZIP archive, but not one of PyTorch's.`);
  if (pickle.numBytes > maxPickleBytes) {
    throw new InputError(
      `${source.name} describes its tensors in ${pickle.numBytes} bytes; at most ${maxPickleBytes} are read.`,
    );
  }
  const folder = pickle.name.slice(0, -"data.pkl".length);
  const littleEndian = await isLittleEndian(source, entries.get(`${folder}byteorder`));
  const host = torchHost(source, folder, entries);
  const saved = unpickle(`${source.name}'s pickle`, await readZipEntry(source, pickle), host);
  const tensors = new Map<string, PtTensor>();
  for (const [name, view] of namedViews(source, saved)) {
    if (tensors.has(name)) {
      throw new InputError(`${source.name} has two tensors that are called ${quoted(name)}.`);
    }
    tensors.set(name, describe(source, name, view));
  }
  return {
    format: "pt",
    name: source.name,
    tensors: [...tensors.values()],
    readFloat32: async (name) =>
      readView(source, storedTensor(source, tensors, name).view, littleEndian),
  };
}

async function refuseLegacy(source: ByteSource): Promise<void> {
  const start = await source.read(0, Math.min(2, source.size));
  if (String.fromCharCode(...start) === "PK") return;
  const isPickle = start[0] === 0x80;
  throw new InputError(
    isPickle
      ? `${source.name} is a bare pickle, as PyTorch wrote before 1.6: load it there and save it again with torch.save.`
      : `${source.name} is no file of torch.save: it does not begin as a ZIP archive does.`,
  );
}

async function isLittleEndian(source: ByteSource, entry: ZipEntry | undefined): Promise<boolean> {
  if (!entry) return true;
  const order = String.fromCharCode(
    ...(await readZipEntry(source, entry, 0, Math.min(entry.numBytes, 8))),
  );
  if (order === "little" || order === "big") return order === "little";
  throw new InputError(
    `${source.name} has the byte order ${quoted(order)}, not "little" or "big".`,
  );
}

/** The names of Python that a saved tensor needs. */
function torchHost(
  source: ByteSource,
  folder: string,
  entries: ReadonlyMap<string, ZipEntry>,
): PickleHost {
  const damaged = (what: string): InputError =>
    new InputError(`${source.name} describes a damaged tensor: ${what}.`);
  const globals = new Map<string, unknown>(
    Object.entries(dtypeOfStorage).map(([name, dtype]) => [
      `torch.${name}`,
      new StorageType(dtype),
    ]),
  );
  const callables: Readonly<Record<string, PickleCallable>> = {
    "collections.OrderedDict": (args) => {
      if (args.length > 0) throw damaged("an OrderedDict is made from arguments");
      return new Map();
    },
    "torch._utils._rebuild_tensor_v2": (args) => rebuildTensor(args, damaged),
    "torch._utils._rebuild_parameter": ([tensor]) => tensor,
  };
  for (const [name, callable] of Object.entries(callables)) globals.set(name, callable);
  const persistent = (id: unknown): Storage => {
    const [kind, type, key, , numValues] = Array.isArray(id) ? (id as unknown[]) : [];
    if (kind !== "storage" || !(type instanceof StorageType) || typeof key !== "string") {
      throw damaged("its numbers are no storage");
    }
    const entry = entries.get(`${folder}data/${key}`);
    if (!entry) throw damaged(`the archive has no storage ${quoted(key)}`);
    const capacity = entry.numBytes / dtypeLayouts[type.dtype].blockBytes;
    if (!isSize(numValues) || numValues > capacity) {
      throw damaged(`storage ${quoted(key)} has room for ${Math.floor(capacity)} values only`);
    }
    return new Storage(entry, type.dtype, numValues);
  };
  return { globals, persistent };
}

function rebuildTensor(
  args: readonly unknown[],
  damaged: (what: string) => InputError,
): StoredView {
  const [storage, offset, shape, strides] = args;
  if (!(storage instanceof Storage) || !isSize(offset) || !isSizes(shape) || !isSizes(strides)) {
    throw damaged("it has no storage, offset, shape and strides");
  }
  if (shape.length !== strides.length || shape.length > maxDimensions) {
    throw damaged(`${shape.length} sizes and ${strides.length} strides do not belong together`);
  }
  // A stride of zero repeats values: few bytes could then claim any amount of memory.
  if (numElements(shape) > storage.numValues) {
    throw damaged("it is expanded; save it after .contiguous()");
  }
  if (offset + extent(shape, strides) > storage.numValues) {
    throw damaged("it reaches beyond its storage");
  }
  return new StoredView(storage, offset, shape, strides);
}

/** From the first value to just after the last, in values. */
function extent(shape: readonly number[], strides: readonly number[]): number {
  if (numElements(shape) === 0) return 0;
  return 1 + shape.reduce((last, size, d) => last + (size - 1) * strides[d]!, 0);
}

/** Every tensor in nested containers; what is no tensor is passed over, and cycles end. */
function* namedViews(source: ByteSource, saved: unknown): Generator<readonly [string, StoredView]> {
  const open: { path: readonly string[]; value: unknown }[] = [{ path: [], value: saved }];
  const seen = new Set<unknown>();
  for (let next = open.pop(); next; next = open.pop()) {
    const { path, value } = next;
    if (value instanceof StoredView) yield [path.join(".") || fileStem(source.name), value];
    if (!isContainer(value) || seen.has(value)) continue;
    if (path.length === maxNesting) {
      throw new InputError(
        `${source.name} nests its tensors deeper than ${maxNesting} containers.`,
      );
    }
    seen.add(value);
    for (const [key, child] of [...value.entries()].reverse()) {
      open.push({ path: [...path, String(key)], value: child });
    }
  }
}

function isContainer(value: unknown): value is ReadonlyMap<unknown, unknown> | readonly unknown[] {
  return value instanceof Map || Array.isArray(value);
}

function describe(source: ByteSource, name: string, view: StoredView): PtTensor {
  const { shape, storage } = view;
  return {
    name,
    shape,
    dtype: storage.dtype,
    numBytes: bytesOfTensor(source, name, shape, storage.dtype),
    view,
  };
}

async function readView(
  source: ByteSource,
  { storage, offset, shape, strides }: StoredView,
  littleEndian: boolean,
): Promise<Float32Array<ArrayBuffer>> {
  const { entry, dtype } = storage;
  const itemBytes = dtypeLayouts[dtype].blockBytes;
  const length = extent(shape, strides) * itemBytes;
  const bytes = await readZipEntry(source, entry, offset * itemBytes, length);
  return toCOrder(plainToFloat32(bytes, dtype, littleEndian), shape, strides);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isSize);
}
