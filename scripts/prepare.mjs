// Installs the locked dependencies and builds, nothing else: the first step of .ci/run.
import './install/node-version.mjs';

const { readyClone } = await import('./install/ready-clone.mjs');
const { reportFailure } = await import('./processes/setup-error.mjs');
try {
  await readyClone();
} catch (error) {
  process.exit(reportFailure(error));
}
