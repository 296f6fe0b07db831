// `npm run bench`: the same set-up, a Redis of its own as the product runs it, then test/bench/run.ts.
import './setup/node-version.mjs';

const { runBenchmarks } = await import('./setup/bench-run.mjs');
process.exit(await runBenchmarks(process.argv.slice(2)));
