// `npm test`: installs, builds, starts real servers on ports of their own, runs the tests, ends with a count.
// node scripts/test.mjs [unit|contract|integration|e2e|a file …] [options for mocha]
import './install/node-version.mjs';

// Only now: an old Node could not even link what follows.
const { runTests } = await import('./run-tests/test-run.mjs');
process.exit(await runTests(process.argv.slice(2)));
