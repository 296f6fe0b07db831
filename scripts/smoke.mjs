// node scripts/smoke.mjs <node binary>: does the built service run on that version of Node? One task, really
// delivered, and an orderly end. For .ci/run; everything else is tested on the Node that runs the tests.
import './install/node-version.mjs';

const { smokeTest } = await import('./run-tests/smoke-test.mjs');
const { reportFailure } = await import('./processes/setup-error.mjs');
try {
  await smokeTest(process.argv[2]);
} catch (error) {
  process.exit(reportFailure(error));
}
