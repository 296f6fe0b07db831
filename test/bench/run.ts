import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { benchDelivery } from './delivery.js';
import { printTable, summarize } from './report.js';
import { benchSubmission } from './submission.js';

/**
 * `npm run bench [-- --rounds 5]`: every figure beside its baseline, in the same run, interleaved; medians of the
 * rounds. Needs TEST_REDIS_ADDR (scripts/bench.mjs sets it): that Redis is emptied again and again.
 */
const address = process.env['TEST_REDIS_ADDR'];
if (address === undefined) throw new Error('TEST_REDIS_ADDR is not set: start this through `npm run bench`');
const redisPort = Number(address.split(':')[1]);
const roundsAt = process.argv.indexOf('--rounds');
const rounds = roundsAt < 0 ? 5 : Number(process.argv[roundsAt + 1]);
if (!(rounds >= 3)) throw new Error('--rounds must be 3 or more: a median of fewer says nothing');

console.log(`${rounds} rounds, ${cpus().length} cores, Node ${process.version}`);
const comparisons = [...(await benchDelivery(redisPort, rounds, 20_000)), ...(await benchSubmission(redisPort, rounds, 15_000))];
const summaries = comparisons.map(summarize);
console.log(printTable(summaries));
await writeFile('bench-results.json', `${JSON.stringify({ rounds, node: process.version, cores: cpus().length, summaries }, null, 2)}\n`);
