// `npm run chaos`: the long form of test/chaos and test/topology, which also writes docs/RELIABILITY.md when every scenario has passed.
// node scripts/chaos.mjs [--rows] [a file of test/chaos or test/topology …] [options for mocha]; with a file or an option nothing is written, but
// with --rows they take the place of their rows in docs/RELIABILITY.md, if every one has passed.
import path from 'node:path';

import './install/node-version.mjs';

const args = process.argv.slice(2).filter((arg) => arg !== '--rows');
process.env.CHAOS_PROFILE = 'long';
const reportFile = path.resolve(import.meta.dirname, '../docs/RELIABILITY.md');
if (process.argv.includes('--rows')) process.env.CHAOS_ROWS_FILE = reportFile;
else if (args.length === 0) process.env.CHAOS_REPORT_FILE = reportFile;
const { runTests } = await import('./run-tests/test-run.mjs');
process.exit(await runTests(args[0]?.endsWith('.test.ts') ? args : ['chaos', 'topology', ...args]));
