import { expect } from "chai";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejection } from "../testing.ts";
import { RefusedError, download, type Download, type Downloaded } from "./fetch.ts";

const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const sha256 = createHash("sha256").update(body).digest("hex");
const other = "0".repeat(64);

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

describe("download", () => {
  let folder: string;
  let server: Server;
  let origin: string;
  let answer: Answer;
  let requests: IncomingMessage[];

  before(async () => {
    server = createServer((request, response) => {
      requests.push(request);
      answer(request, response);
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
    folder = mkdtempSync(join(tmpdir(), "infinity-fetch-"));
    requests = [];
    answer = whole;
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const target = (): string => join(folder, "deep", "model.gguf");
  const partial = (): string => `${target()}.partial`;
  const get = (change: Partial<Download> = {}, stallMs = 5000): Promise<Downloaded> => {
    const wanted = { url: `${origin}/model.gguf`, path: target(), bytes: null, sha256: null };
    return download({ ...wanted, ...change }, { stallMs });
  };
  /** Takes the file up to the middle. */
  const begin = async (change: Partial<Download> = {}, tag?: string): Promise<void> => {
    answer = half(tag);
    await rejection(get({ sha256, ...change }));
    const came = readFileSync(partial());
    expect(came.equals(body.subarray(0, came.length))).to.equal(true);
    // How much of it came depends on the machine.
    writeFileSync(partial(), body.subarray(0, 200_000));
    requests = [];
  };
  const expectWhole = ({ bytes, sha256: found }: Downloaded): void => {
    expect([bytes, found]).to.deep.equal([body.length, sha256]);
    expect(readFileSync(target()).equals(body)).to.equal(true);
    expect(readdirSync(join(folder, "deep"))).to.deep.equal(["model.gguf"]);
  };
  const expectNothing = (): void => {
    expect(existsSync(target())).to.equal(false);
  };

  it("downloads and checks", async () => {
    const found = await get({ bytes: body.length, sha256 });
    expectWhole(found);
    expect(found).to.include({ checked: true, wasThere: false });
  });

  it("says the hash where there is none to compare with", async () => {
    const found = await get();
    expectWhole(found);
    expect(found.checked).to.equal(false);
  });

  it("takes a body of unknown length", async () => {
    answer = chunked;
    expectWhole(await get());
  });

  it("counts bytes", async () => {
    const seen: [number, number][] = [];
    const progress = {
      update: (done: number, total: number) => void seen.push([done, total]),
      finish: () => void seen.push([-1, -1]),
    };
    const path = target();
    await download({ url: origin, path, bytes: null, sha256: null }, { progress });
    expect(seen.at(-2)).to.deep.equal([body.length, body.length]);
    expect(seen.at(-1)).to.deep.equal([-1, -1]);
  });

  describe("goes on", () => {
    it("where it broke off", async () => {
      await begin();
      answer = ranges();
      expectWhole(await get({ sha256 }));
      expect(requests.map(({ headers }) => headers.range)).to.deep.equal(["bytes=200000-"]);
    });

    it("with the version that it began, without a hash", async () => {
      await begin({ sha256: null }, '"one"');
      answer = ranges('"one"');
      expectWhole(await get());
      expect(requests[0]!.headers).to.include({ range: "bytes=200000-", "if-range": '"one"' });
    });

    it("not at all with another version", async () => {
      await begin({ sha256: null }, '"old"');
      answer = ranges('"new"');
      expectWhole(await get());
    });

    it("not at all with neither a version nor a hash", async () => {
      await begin({ sha256: null }, 'W/"weak"');
      answer = ranges();
      expectWhole(await get());
      expect(requests[0]!.headers.range).to.equal(undefined);
    });

    it("from the start where the server knows no ranges", async () => {
      await begin();
      answer = whole;
      expectWhole(await get({ sha256 }));
    });

    it("from the start where the server sends another range", async () => {
      await begin();
      answer = (request, response) => {
        if (request.headers.range === undefined) {
          whole(request, response);
        } else {
          const range = `bytes 7-${body.length - 1}/${body.length}`;
          response.writeHead(206, { "content-range": range }).end(body.subarray(7));
        }
      };
      expectWhole(await get({ sha256 }));
    });

    it("from the start where there is no such range", async () => {
      await begin();
      writeFileSync(partial(), Buffer.alloc(body.length + 1));
      answer = ranges();
      expectWhole(await get({ sha256 }));
      expect(requests).to.have.lengthOf(2);
    });

    it("without asking where all has come", async () => {
      await begin();
      writeFileSync(partial(), body);
      expectWhole(await get({ sha256, bytes: body.length }));
      expect(requests).to.deep.equal([]);
    });
  });

  describe("gives no name to", () => {
    it("a file with another hash, and keeps nothing of it", async () => {
      const error = await rejection(get({ sha256: other }));
      expect(error.message).to.match(/has the SHA-256 \w{64}, and 0{64} is expected/);
      expect(readdirSync(join(folder, "deep"))).to.deep.equal([]);
    });

    it("a file of another length, and does not even take it", async () => {
      const error = await rejection(get({ bytes: 1000 }));
      expect(error.message).to.match(/has 300000 bytes, and 1000 are expected/);
      expectNothing();
    });

    it("a file that goes on beyond its length", async () => {
      answer = chunked;
      const error = await rejection(get({ bytes: 1000 }));
      expect(error.message).to.match(/goes on beyond the 1000 bytes/);
      expectNothing();
    });

    it("a file that is too short", async () => {
      answer = chunked;
      const error = await rejection(get({ bytes: body.length + 1 }));
      expect(error.message).to.match(/broke off after 300000 of 300001 bytes; ask again/);
      expectNothing();
    });

    it("a file that breaks off, and keeps what came", async () => {
      answer = half();
      const error = await rejection(get({ sha256 }));
      expect(error.message).to.match(/broke off after \d+ of 300000 bytes; ask again/);
      expectNothing();
    });

    it("a file that the disk has no room for", async () => {
      answer = (_, response) => {
        response.writeHead(200, { "content-length": 2 ** 52 }).flushHeaders();
      };
      const error = await rejection(get());
      expect(error.message).to.match(
        /needs 4503599627370496 bytes more, and the disk has \d+ free/,
      );
      expectNothing();
    });
  });

  it("gives a server up that never answers", async () => {
    answer = () => undefined;
    const error = await rejection(get({}, 100));
    expect(error.message).to.match(/sent nothing for 0\.1 s; ask again/);
  });

  it("gives a server up that stops in the middle, and keeps what came", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-length": body.length }).write(body.subarray(0, 1000));
    };
    const error = await rejection(get({ sha256 }, 200));
    expect(error.message).to.match(/sent nothing for 0\.2 s; ask again/);
    expect(readFileSync(partial())).to.have.lengthOf(1000);
    expectNothing();
  });

  it("follows a redirection, and shows its token only to the first server", async () => {
    const seen: (string | undefined)[] = [];
    const second = createServer((request, response) => {
      seen.push(request.headers.authorization);
      whole(request, response);
    }).listen(0, "127.0.0.1");
    await once(second, "listening");
    const location = `http://127.0.0.1:${(second.address() as AddressInfo).port}/elsewhere`;
    answer = (_, response) => void response.writeHead(302, { location }).end();
    try {
      expectWhole(await get({ token: "secret" }));
    } finally {
      second.closeAllConnections();
      second.close();
    }
    expect(requests[0]!.headers.authorization).to.equal("Bearer secret");
    expect(seen).to.deep.equal([undefined]);
  });

  const refused: readonly (readonly [number, RegExp])[] = [
    [404, /has no such file \(HTTP 404\): http/],
    [500, /does not send the file \(HTTP 500\)/],
    [403, /refuses http.*\(HTTP 403\)/],
  ];
  for (const [status, message] of refused) {
    it(`says what HTTP ${status} means`, async () => {
      answer = (_, response) => void response.writeHead(status).end("no");
      const error = await rejection(get());
      expect(error.message).to.match(message);
      expect(error instanceof RefusedError).to.equal(status === 403);
      expectNothing();
    });
  }

  it("says that nobody listens", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    const error = await rejection(get({ url: `http://127.0.0.1:${port}/` }));
    expect(error.message).to.equal(`127.0.0.1:${port} cannot be reached: it refuses connections.`);
  });

  it("says that the folder cannot be made", async () => {
    writeFileSync(join(folder, "deep"), "a file");
    const error = await rejection(get());
    expect(error.message).to.match(/model\.gguf cannot be/);
  });

  describe("where the file is there", () => {
    it("checks it and asks nobody", async () => {
      await get();
      requests = [];
      const found = await get({ bytes: body.length, sha256 });
      expect(found).to.include({ wasThere: true, checked: true, bytes: body.length });
      expect(requests).to.deep.equal([]);
    });

    it("refuses another file", async () => {
      await get();
      for (const change of [{ sha256: other }, { bytes: 5 }]) {
        const error = await rejection(get(change));
        expect(error.message).to.match(/is there and is another file: it has 300000 bytes/);
      }
    });
  });
});

function whole(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-length": body.length }).end(body);
}

/** Does not say how long it is. */
function chunked(_: IncomingMessage, response: ServerResponse): void {
  response.write(body.subarray(0, 1));
  response.end(body.subarray(1));
}

/** Sends two thirds of what it promises. */
function half(etag?: string): Answer {
  return (_, response) => {
    const headers = { "content-length": body.length, ...(etag !== undefined && { etag }) };
    response.writeHead(200, headers).write(body.subarray(0, 200_000), () => {
      response.destroy();
    });
  };
}

/** A server that knows ranges, by its own reading of the header. */
function ranges(etag?: string): Answer {
  return (request, response) => {
    const { range } = request.headers;
    const condition = request.headers["if-range"];
    const headers = etag === undefined ? {} : { etag };
    if (range === undefined || (condition !== undefined && condition !== etag)) {
      response.writeHead(200, { ...headers, "content-length": body.length }).end(body);
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range)![1]);
    if (from >= body.length) {
      response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
      return;
    }
    const rest = body.subarray(from);
    const contentRange = `bytes ${from}-${body.length - 1}/${body.length}`;
    response
      .writeHead(206, { ...headers, "content-range": contentRange, "content-length": rest.length })
      .end(rest);
  };
}
