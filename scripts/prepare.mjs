// Installs the locked dependencies and builds, nothing else: the first step of .ci/run, which checks the types beside the tests.
import './install/node-version.mjs';

const { readyClone } = await import('./install/ready-clone.mjs');
const { reportFailure } = await import('./processes/setup-error.mjs');
try {
  await readyClone({ checksTypes: false });
} catch (error) {
  process.exit(reportFailure(error));
}
