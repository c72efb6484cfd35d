/**
 * Mocha's spec reporter, with the reasons of checks that did not run and, as the last line,
 * `N passed, N failed, N skipped`. CommonJS because mocha loads reporters before the TypeScript
 * loader.
 */
"use strict";
const { Runner, reporters } = require("mocha");

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const notRun = [];
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => notRun.push(test.fullTitle()));
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      for (const title of notRun) console.log(`not run: ${title}`);
      const { passes, failures } = runner.stats;
      console.log(`${passes} passed, ${failures} failed, ${notRun.length} skipped`);
    });
  }
};
