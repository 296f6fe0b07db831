// `npm run chaos`: the long form of test/chaos and test/topology, which also writes docs/RELIABILITY.md when every scenario has passed.
// node scripts/chaos.mjs [a file of test/chaos or test/topology …] [options for mocha]; with any of them nothing is written.
import path from 'node:path';

import './install/node-version.mjs';

const args = process.argv.slice(2);
process.env.CHAOS_PROFILE = 'long';
if (args.length === 0) process.env.CHAOS_REPORT_FILE = path.resolve(import.meta.dirname, '../docs/RELIABILITY.md');
const { runTests } = await import('./run-tests/test-run.mjs');
process.exit(await runTests(args[0]?.endsWith('.test.ts') ? args : ['chaos', 'topology', ...args]));
