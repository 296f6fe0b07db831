// `npm run bench`: the same set-up, a Redis of its own as the product runs it, then test/bench/run.ts.
import './install/node-version.mjs';

const { runBenchmarks } = await import('./run-tests/bench-run.mjs');
process.exit(await runBenchmarks(process.argv.slice(2)));
