import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { applyChatTemplate, type ChatTemplateOptions } from "./chat-template.ts";

const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hello" },
] as const;

/** In the manner of ChatML. */
const chatMl = `{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{%- endif %}
`;

const render = (template: string, options: Partial<ChatTemplateOptions> = {}): string =>
  applyChatTemplate(template, messages, { addGenerationPrompt: false, ...options });

describe("chat templates", () => {
  it("write a conversation, with and without the beginning of an answer", () => {
    const conversation =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n";
    expect(render(chatMl)).to.equal(conversation);
    expect(render(chatMl, { addGenerationPrompt: true })).to.equal(
      `${conversation}<|im_start|>assistant\n`,
    );
  });

  it("see the begin and end tokens, and functions only where there are some", () => {
    const template =
      "{{ bos_token }}{{ eos_token }}{% if tools is not none %}{{ tools[0].name }}{% endif %}";
    expect(render(template)).to.equal("");
    expect(render(template, { bos: "<s>", eos: "</s>", tools: [{ name: "add" }] })).to.equal(
      "<s></s>add",
    );
  });

  it("see the time only where it is given", () => {
    const template =
      "{% if strftime_now is defined %}{{ strftime_now('%A %d %b %Y, %H:%M:%S') }}{% else %}never{% endif %}";
    expect(render(template)).to.equal("never");
    expect(render(template, { now: new Date(2024, 6, 6, 9, 5, 2) })).to.equal(
      "Saturday 06 Jul 2024, 09:05:02",
    );
  });

  it("count as Python does", () => {
    const template = "{{ range(3)|list }}{{ range(2, 9, 3)|list }}{{ range(3, 0, -1)|list }}";
    expect(render(template)).to.equal("[0, 1, 2][2, 5, 8][3, 2, 1]");
  });

  const refused: Readonly<Record<string, readonly [string, string]>> = {
    "what is no Jinja": ["{% if %}", "cannot write these messages"],
    "a role that it does not know": [
      "{{ raise_exception('Only user and assistant roles!') }}",
      "cannot write these messages: Only user and assistant roles!",
    ],
    "more text than is read": ["a".repeat(2 ** 16 + 1), "65537 characters"],
    "a loop without end": [
      "{% for a in range(60000) %}{% for b in range(60000) %}{% set c = b %}{% endfor %}{% endfor %}",
      "more than 1048576 steps",
    ],
    "a range without end": ["{% for a in range(0, 1, 0) %}{% endfor %}", "at most 65536 numbers"],
    "a text that doubles": [
      "{% set n = namespace(t='ab') %}{% for i in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
      "longer than 16777216",
    ],
    "a list that doubles": [
      "{% set n = namespace(t=[1]) %}{% for i in range(99) %}{% set n.t = n.t + n.t %}{% endfor %}",
      "longer than 16777216",
    ],
    "a macro that calls itself": [
      "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}",
      "call stack",
    ],
    "empty loops without end": [
      "{% for a in range(60000) %}{% for b in range(60000) %}{% endfor %}{% endfor %}",
      "more than 1048576 steps",
    ],
    "a deep expression": ["{{ ".concat("(".repeat(60_000), " }}"), "cannot write these messages"],
  };
  for (const [what, [template, message]] of Object.entries(refused)) {
    it(`refuse ${what} in one sentence`, () => {
      expect(() => render(template))
        .to.throw(InputError, /^[^\n]{1,400}[^.]\.$/)
        .with.property("message")
        .that.includes(message);
    });
  }
});
