// `npm run test:openapi`: compares a running API with docs/openapi.yaml, by thousands of requests that Schemathesis makes of it.
import './install/node-version.mjs';

// Only now: an old Node could not even link what follows.
const { compareWithContract } = await import('./run-tests/openapi-run.mjs');
process.exit(await compareWithContract());
