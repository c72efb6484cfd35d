/**
 * Mocha's spec reporter, with the reasons of checks that did not run before the failures and, as the
 * last line, `N passed, N failed, N skipped`. CommonJS because mocha loads reporters before the
 * TypeScript loader.
 */
"use strict";
const { Runner, reporters } = require("mocha");

module.exports = class extends reporters.Spec {
  #notRun = [];

  constructor(runner, options) {
    super(runner, options);
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => this.#notRun.push(test.fullTitle()));
  }

  epilogue() {
    for (const title of this.#notRun) console.log(`not run: ${title}`);
    super.epilogue();
    const { passes, failures } = this.runner.stats;
    console.log(`${passes} passed, ${failures} failed, ${this.#notRun.length} skipped`);
  }
};
