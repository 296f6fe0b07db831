// `npm run rules:record`: runs the service for twelve minutes, breaks it, and writes what its processes told Prometheus meanwhile into
// deploy/prometheus/recorded.test.yaml, which `npm test` gives to promtool.
import './install/node-version.mjs';

process.env.RULES_RECORDING = 'write';
const { runTests } = await import('./run-tests/test-run.mjs');
process.exit(await runTests(['test/e2e/recorded-rules.test.ts']));
