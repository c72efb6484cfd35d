import { expect } from "chai";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { linkShader, shaderNames } from "./shader-sources.ts";

const folder = join(import.meta.dirname, "shaders");

const program = `// A kernel.

struct Params {
  planes: vec4<u32>,
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;

// As float32.
fn decode(at: u32) -> f32 {
  return bitcast<f32>(weights[at].x);
}

@compute @workgroup_size(64) fn main() {
  _ = decode(params.count);
}
`;

const piece = `// Another format.

enable f16;

struct Params {
  planes: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<u32>;

const zero = 8.0;

fn decode(at: u32) -> f32 {
  return f32(weights[at]) - zero;
}
`;

describe("linked shaders", () => {
  it("have a piece's declarations in the place of the kernel's", () => {
    expect(linkShader(program, [piece])).to.equal(
      `enable f16;
struct Params {
  planes: vec4<u32>,
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<u32>;

fn decode(at: u32) -> f32 {
  return f32(weights[at]) - zero;
}

@compute @workgroup_size(64) fn main() {
  _ = decode(params.count);
}

const zero = 8.0;
`,
    );
  });

  it("take the last of several pieces, and enable a feature once", () => {
    const last = piece.replace("8.0", "16.0");
    const linked = linkShader(program, [piece, last]);
    expect(linked).to.match(/const zero = 16\.0;/);
    expect(linked.match(/enable/g)).to.have.lengthOf(1);
  });

  it("come from every file of the folder", () => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".wgsl"))
      .map((file) => file.replace(/\.wgsl$/, "").replaceAll("\\", "/"));
    expect(files.sort()).to.deep.equal([...shaderNames].sort());
  });

  /** What makes a format or a feature differ; the rest is repeated so that every file is whole. */
  const differing = ["main", "decodeOctet", "columnsOf", "weights", "Params", "params"];
  const buffers = ["x", "y", "out", "gate", "up", "pool", "table", "weight"];

  it("repeat what they share without a difference", () => {
    const texts = new Map<string, string>();
    for (const name of shaderNames.filter((name) => !/^native|^subgroup/.test(name))) {
      const source = readFileSync(join(folder, `${name}.wgsl`), "utf8");
      for (const text of linkShader(source, []).split(/\n(?=[a-z@])/)) {
        const declared = /\b(?:fn|struct|const|override|var(?:<[^>]*>)?) (\w+)/.exec(text)![1]!;
        if ([...differing, ...buffers, "indices", "queries", "keys", "values"].includes(declared)) {
          continue;
        }
        expect(text.trim(), `${declared} in ${name}`).to.equal(texts.get(declared) ?? text.trim());
        texts.set(declared, text.trim());
      }
    }
    expect([...texts.keys()]).to.include.members([
      "Octet",
      "numbersOf",
      "half",
      "sumOverWorkgroup",
    ]);
  });
});
