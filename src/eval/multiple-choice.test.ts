import { expect } from "chai";
import { referenceForward } from "../kernels/reference-forward.ts";
import { ggufValue, openModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama, prefill } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { rejection } from "../testing.ts";
import { logProbability } from "./log-probability.ts";
import { answerQuestions, scoreChoices } from "./multiple-choice.ts";
import type { Scorer } from "./scored-rows.ts";

const question = {
  context: "Once upon a time there was a",
  choices: [" little girl", " dog", " little", " boy named Tim"],
  answer: 1,
};

async function open(
  batchSize = 128,
  contextLength = 64,
): Promise<{ scorer: Scorer; tokenizer: Tokenizer }> {
  const draft = draftStoryModel();
  draft.metadata.set("llama.context_length", ggufValue(contextLength));
  const file = await openModel(draft);
  const model = await loadLlama(file, referenceForward, { batchSize });
  const cache = new ContiguousKvCache(referenceForward, model.config, contextLength);
  return { scorer: { model, cache }, tokenizer: tokenizerFromGguf(file.metadata) };
}

/** ln p of `tokens` from `from` on, each from a forward pass of its own. */
async function bruteForce(
  { model, cache }: Scorer,
  tokens: Int32Array,
  from: number,
): Promise<number> {
  let total = 0;
  for (let i = from; i < tokens.length; i++) {
    cache.truncate(0);
    total += logProbability(await prefill(model, tokens.subarray(0, i), cache), tokens[i]!);
  }
  return total;
}

describe("multiple choice", () => {
  it("gives each choice the probability of its tokens after the context, by brute force", async () => {
    const { scorer, tokenizer } = await open();
    const { context, choices } = question;
    const numShared = tokenizer.encode(context).length;
    const { logProbabilities, best, bestPerByte } = await scoreChoices(scorer, tokenizer, question);
    const expected: number[] = [];
    for (const choice of choices) {
      expected.push(await bruteForce(scorer, tokenizer.encode(context + choice), numShared));
    }
    for (const [i, value] of logProbabilities.entries()) {
      expect(value).to.be.closeTo(expected[i]!, 1e-12);
    }
    const perByte = expected.map((value, i) => value / choices[i]!.length);
    expect(best).to.equal(expected.indexOf(Math.max(...expected)));
    expect(bestPerByte).to.equal(perByte.indexOf(Math.max(...perByte)));
    // The two rules are two figures: here they choose differently.
    expect(best).to.not.equal(bestPerByte);
  });

  it("does not depend on how many tokens go through the model together", async () => {
    const one = await open();
    const other = await open(2);
    expect(await scoreChoices(other.scorer, other.tokenizer, question)).to.deep.equal(
      await scoreChoices(one.scorer, one.tokenizer, question),
    );
  });

  it("cuts context and choice into tokens together", async () => {
    const { scorer, tokenizer } = await open();
    // Behind "Onc" the letter e makes another token of the whole word.
    const context = "Onc";
    const whole = tokenizer.encode("Once");
    const alone = tokenizer.encode(context);
    let numShared = 0;
    while (whole[numShared] === alone[numShared]) numShared++;
    expect(numShared).to.be.below(alone.length);
    const { logProbabilities } = await scoreChoices(scorer, tokenizer, {
      ...{ context, choices: ["e", "e upon"], answer: 0 },
    });
    expect(logProbabilities[0]).to.be.closeTo(await bruteForce(scorer, whole, numShared), 1e-12);
  });

  it("scores a choice that another one begins with", async () => {
    const { scorer, tokenizer } = await open();
    const { logProbabilities } = await scoreChoices(scorer, tokenizer, {
      ...{ context: "There was a", choices: [" little", " little girl"], answer: 0 },
    });
    expect(logProbabilities[0]).to.be.below(0);
    // What goes on is less likely than what it goes on from.
    expect(logProbabilities[1]).to.be.below(logProbabilities[0]!);
  });

  it("drops the beginning of a context that is too long, and counts it", async () => {
    const { scorer, tokenizer } = await open(128, 16);
    const long = { ...question, context: `${"and then ".repeat(20)}there was a` };
    const { numDropped, logProbabilities } = await scoreChoices(scorer, tokenizer, long);
    const tokens = tokenizer.encode(long.context);
    const longest = Math.max(
      ...long.choices.map(
        (choice) => tokenizer.encode(long.context + choice).length - tokens.length,
      ),
    );
    expect(numDropped).to.equal(tokens.length - (16 - longest));
    const kept = Int32Array.of(tokens[0]!, ...tokens.subarray(tokens.length - (16 - longest - 1)));
    const choice = tokenizer.encode(long.context + long.choices[1]!).subarray(tokens.length);
    const expected = await bruteForce(scorer, Int32Array.of(...kept, ...choice), kept.length);
    expect(logProbabilities[1]).to.be.closeTo(expected, 1e-12);
    const short = { ...question, context: "a", choices: [" b", " c"] };
    expect((await answerQuestions(scorer, tokenizer, [long, short])).numShortened).to.equal(1);
  });

  it("counts the questions that both rules answer rightly", async () => {
    const { scorer, tokenizer } = await open();
    const { best, bestPerByte } = await scoreChoices(scorer, tokenizer, question);
    const questions = [0, 1, 2, 3].map((answer) => ({ ...question, answer }));
    const figures = await answerQuestions(scorer, tokenizer, questions);
    expect(figures).to.deep.equal({
      ...{ accuracy: 0.25, accuracyPerByte: 0.25, numQuestions: 4, numShortened: 0 },
      standardError: Math.sqrt((0.25 * 0.75) / 4),
    });
    const right = await answerQuestions(scorer, tokenizer, [{ ...question, answer: best }]);
    expect(right).to.include({ accuracy: 1, standardError: 0 });
    const perByte = { ...question, answer: bestPerByte };
    expect(await answerQuestions(scorer, tokenizer, [perByte])).to.include({ accuracyPerByte: 1 });
  });

  it("refuses what has no probability", async () => {
    const { scorer, tokenizer } = await open(128, 16);
    const ask = (change: Partial<typeof question>): Promise<Error> =>
      rejection(scoreChoices(scorer, tokenizer, { ...question, ...change }));
    expect((await ask({ choices: [] })).message).to.match(/needs choices/);
    expect((await ask({ choices: ["a", ""] })).message).to.match(/none of them may be empty/);
    expect((await ask({ choices: [" word".repeat(30)] })).message).to.match(/longer than what/);
    expect((await rejection(answerQuestions(scorer, tokenizer, []))).message).to.match(
      /no question/,
    );
  });
});
