import { expect } from "chai";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outsideData, rejection } from "../testing.ts";
import { readChoiceFile } from "./choice-file.ts";
import { fetchDataset, type FetchedDataset } from "./fetch-dataset.ts";
import { publicDatasets, type PublicDataset } from "./model-manifest.ts";
import { readTextFile } from "./text-file.ts";

const wikitext = {
  "wikitext-2-raw/wiki.train.raw": Buffer.from(" = Train = \n"),
  "wikitext-2-raw/wiki.valid.raw": Buffer.from(" = Valid = \n"),
  "wikitext-2-raw/wiki.test.raw": Buffer.from(" = Tëst = \n"),
};

const mmlu = {
  "data/": Buffer.alloc(0),
  "data/dev/college_physics_dev.csv": Buffer.from(
    Array.from({ length: 6 }, (_, i) => `Example ${i}?,w${i},x,y,z,${"ABCD"[i % 4]!}\n`).join(""),
  ),
  "data/dev/anatomy_dev.csv": Buffer.from("Bone?,a,b,c,d,D\n"),
  "data/test/college_physics_test.csv": Buffer.from(
    'First?,1,2,3,4,C\n"A ""quoted"", longer\none?",10,,"1,5",40,A\nThird?,p,q,r,s,B\n',
  ),
  "data/test/anatomy_test.csv": Buffer.from("Nerve?,e,f,g,h,B\n"),
  "data/test/._anatomy_test.csv": Buffer.from([0, 5, 22, 7]),
};

describe("fetchDataset", () => {
  let folder: string;
  let server: Server;
  let origin: string;
  let body: Buffer;
  let asked: string[];

  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!);
      response.writeHead(200, { "content-length": body.length }).end(body);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-dataset-"));
    asked = [];
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** The data set of the manifest, with the hash of what the server sends. */
  const fetchIt = (name: string, bytes: Buffer): Promise<FetchedDataset> => {
    body = bytes;
    const dataset = publicDatasets().find((each) => each.name === name)!;
    const changed: PublicDataset = {
      ...dataset,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    };
    return fetchDataset(changed, folder, origin);
  };

  it("unpacks WikiText-2 beside its archive", async () => {
    const found = await fetchIt("wikitext-2", zipOf(wikitext));
    expect(asked).to.deep.equal(["/datasets/ggml-org/ci/resolve/main/wikitext-2-raw-v1.zip"]);
    expect(found).to.include({ checked: true, path: join(folder, "wikitext-2-raw-v1.zip") });
    expect(found.files).to.deep.equal(
      ["train", "valid", "test"].map((split) => join(folder, `wiki.${split}.raw`)),
    );
    expect(await readTextFile(found.files[2]!)).to.equal(" = Tëst = \n");
    expect(readdirSync(folder)).to.have.lengthOf(4);
  });

  it("hands a real text on byte for byte", async function () {
    const test = readFileSync(outsideData(this, "text/wikitext2-test.txt"));
    const valid = readFileSync(outsideData(this, "text/wikitext2-valid.txt"));
    const found = await fetchIt(
      "wikitext-2",
      zipOf({
        ...wikitext,
        "wikitext-2-raw/wiki.valid.raw": valid,
        "wikitext-2-raw/wiki.test.raw": test,
      }),
    );
    expect(readFileSync(found.files[1]!).equals(valid)).to.equal(true);
    expect(readFileSync(found.files[2]!).equals(test)).to.equal(true);
  });

  it("asks nobody where the archive is there, and unpacks it again", async () => {
    await fetchIt("wikitext-2", zipOf(wikitext));
    rmSync(join(folder, "wiki.test.raw"));
    asked = [];
    const found = await fetchIt("wikitext-2", zipOf(wikitext));
    expect([found.wasThere, asked]).to.deep.equal([true, []]);
    expect(readFileSync(join(folder, "wiki.test.raw"), "utf8")).to.equal(" = Tëst = \n");
  });

  it("makes MMLU's questions with five examples, subjects in turn", async () => {
    const found = await fetchIt("mmlu", tarOf(mmlu));
    expect(found.files).to.deep.equal([join(folder, "mmlu-test.jsonl")]);
    const questions = await readChoiceFile(found.files[0]!);
    expect(questions.map(({ answer }) => answer)).to.deep.equal([1, 2, 0, 1]);
    expect(questions[0]!.context).to.equal(
      "The following are multiple choice questions (with answers) about anatomy.\n\n" +
        "Bone?\nA. a\nB. b\nC. c\nD. d\nAnswer: D\n\n" +
        "Nerve?\nA. e\nB. f\nC. g\nD. h\nAnswer:",
    );
    expect(questions[0]!.choices).to.deep.equal([" A", " B", " C", " D"]);
    const physics = questions[2]!.context;
    expect(physics).to.match(/about college physics\.\n\nExample 0\?\nA\. w0/);
    expect(physics.match(/Answer: [A-D]\n\n/g)).to.have.lengthOf(5);
    expect(physics).to.not.include("Example 5");
    expect(
      physics.endsWith('A "quoted", longer\none?\nA. 10\nB. \nC. 1,5\nD. 40\nAnswer:'),
    ).to.equal(true);
  });

  it("says where an archive holds something else", async () => {
    const wrong: readonly (readonly [string, Buffer, RegExp])[] = [
      ["wikitext-2", zipOf({ "other.txt": Buffer.from("x") }), /not WikiText-2's archive/],
      ["wikitext-2", tarOf(mmlu), /wikitext-2-raw-v1\.zip/],
      ["mmlu", tarOf({ "data/readme.txt": Buffer.from("x") }), /not MMLU's archive/],
      [
        "mmlu",
        tarOf({ ...mmlu, "data/test/anatomy_test.csv": Buffer.from("Nerve?,e,f,g,h,E\n") }),
        /Row 1 of "data\/test\/anatomy_test\.csv" .* letter from A to D/,
      ],
      [
        "mmlu",
        tarOf({ "data/test/anatomy_test.csv": Buffer.from("Nerve?,e,f,g,h,B\n") }),
        /no examples of "anatomy"/,
      ],
    ];
    for (const [name, bytes, message] of wrong) {
      expect((await rejection(fetchIt(name, bytes))).message).to.match(message);
      for (const file of readdirSync(folder)) rmSync(join(folder, file));
    }
  });

  it("lists every data set with a hash to check", () => {
    for (const { sha256, bytes, licence } of publicDatasets()) {
      expect(sha256).to.match(/^[0-9a-f]{64}$/);
      expect(bytes).to.be.above(0);
      expect(licence).to.not.equal("");
    }
  });
});

/** A ZIP archive of stored files; readers that do not check sums take any. */
function zipOf(files: Readonly<Record<string, Buffer>>): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(bytes.length, 18);
    local.writeUInt32LE(bytes.length, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt32LE(bytes.length, 20);
    central.writeUInt32LE(bytes.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    locals.push(local, Buffer.from(name), bytes);
    centrals.push(central, Buffer.from(name));
    offset += 30 + name.length + bytes.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** A tar archive; names that end in a slash are folders. */
function tarOf(files: Readonly<Record<string, Buffer>>): Buffer {
  const records = Object.entries(files).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write(name.endsWith("/") ? "5" : "0", 156);
    header.write("ustar\0", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...records, Buffer.alloc(1024)]);
}
