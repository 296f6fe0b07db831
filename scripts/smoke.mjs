// node scripts/smoke.mjs <node binary>: does the built service run on that version of Node? One task, really
// delivered, and an orderly end. For .ci/run; everything else is tested on the Node that runs the tests.
import './setup/node-version.mjs';

const { smokeTest } = await import('./setup/smoke-test.mjs');
const { reportFailure } = await import('./setup/setup-error.mjs');
try {
  await smokeTest(process.argv[2]);
} catch (error) {
  process.exit(reportFailure(error));
}
