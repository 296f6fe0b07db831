import { writeFileSync } from 'node:fs';

import Mocha from 'mocha';

/**
 * Mocha's spec reporter, which also leaves the numbers in the file that TEST_COUNTS_FILE names: the screen's text is
 * for people and may change with the next Mocha.
 */
export default class CountReporter extends Mocha.reporters.Spec {
  /**
   * @param {Mocha.Runner} runner
   * @param {Mocha.MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const file = process.env.TEST_COUNTS_FILE;
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      if (file !== undefined) writeFileSync(file, JSON.stringify({ passes, failures, pending }));
    });
  }
}
