// `npm run test:openapi`: compares a running API with docs/openapi.yaml, by thousands of requests that Schemathesis makes of it.
import './install/node-version.mjs';

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

// Only now: an old Node could not even link what follows.
const { compareWithContract } = await import('./run-tests/openapi-run.mjs');
const { printOperationCoverage } = await import('./schemathesis/operation-coverage.mjs');

const dir = mkdtempSync(path.join(tmpdir(), 'openapi-statuses-'));
const file = path.join(dir, 'statuses.json');
// hooks.py writes it: the tool gets our environment.
process.env.OPENAPI_STATUSES_FILE = file;
let exitCode = await compareWithContract();
if (existsSync(file)) {
  const never = printOperationCoverage(file);
  if (never.length > 0) {
    console.error(`Never answered with 2xx, so only refusals were compared: ${never.join(', ')}. Give docs/openapi.yaml an example or a link that leads there.`);
    exitCode = 1;
  }
}
rmSync(dir, { recursive: true });
process.exit(exitCode);
