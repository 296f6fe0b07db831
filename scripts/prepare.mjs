// Installs the locked dependencies and builds, nothing else: the first step of .ci/run.
import './setup/node-version.mjs';

const { readyClone } = await import('./setup/ready-clone.mjs');
const { reportFailure } = await import('./setup/setup-error.mjs');
try {
  await readyClone();
} catch (error) {
  process.exit(reportFailure(error));
}
