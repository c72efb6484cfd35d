import { expect } from "chai";
import { MessageCodec } from "./messages.ts";

describe("message codec", () => {
  // Signed by Python's hmac module with the key "secret-key".
  const header =
    '{"msg_id":"a","msg_type":"kernel_info_request","session":"s","username":"u","date":"","version":"5.3"}';
  const signature = "026b05c1be0946a5a046965f0b4cd6a6fa56b030186e7216bbac722df9f8faad";
  const frames = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
  const signed = frames("route", "<IDS|MSG>", signature, header, "{}", "{}", '{"x":"é"}', "extra");

  it("reads a message that another implementation signed", () => {
    const message = new MessageCodec("secret-key").decode(signed);
    expect(message.header.msg_type).to.equal("kernel_info_request");
    expect(message.content).to.deep.equal({ x: "é" });
    expect(message.identities.map(String)).to.deep.equal(["route"]);
    expect(message.buffers.map(String)).to.deep.equal(["extra"]);
  });

  it("refuses a message whose content was changed, or that another key signed", () => {
    const changed = signed.map((frame, i) => (i === 6 ? Buffer.from('{"x":"e"}') : frame));
    expect(() => new MessageCodec("secret-key").decode(changed)).to.throw("signature");
    expect(() => new MessageCodec("another-key").decode(signed)).to.throw("signature");
  });

  it("refuses what is no message", () => {
    const codec = new MessageCodec("");
    const wrong = [
      [],
      frames("<IDS|MSG>", "", "{}", "{}"),
      frames("<IDS|MSG>", "", "{", "{}", "{}", "{}"),
      frames("<IDS|MSG>", "", "[]", "{}", "{}", "{}"),
      frames("<IDS|MSG>", "", "{}", "{}", "{}", "{}"),
    ];
    for (const message of wrong) expect(() => codec.decode(message)).to.throw(/dropped|lacks/);
  });

  it("reads back what it writes, with identities, parent and buffers", () => {
    const codec = new MessageCodec("k");
    const { header: parent } = new MessageCodec("secret-key").decode(signed);
    const message = codec.decode(
      codec.encode({
        identities: [Buffer.from([0, 255])],
        type: "stream",
        parent,
        content: '{"text":"≤ 😀"}',
        metadata: "{}",
        buffers: [Buffer.from([1, 2])],
      }),
    );
    expect(message.identities.map((id) => [...id])).to.deep.equal([[0, 255]]);
    expect(message.parent).to.deep.equal(parent);
    expect(message.content).to.deep.equal({ text: "≤ 😀" });
    expect(message.buffers.map((buffer) => [...buffer])).to.deep.equal([[1, 2]]);
  });
});
