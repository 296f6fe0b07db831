import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import type { Bench } from './benchmark.js';
import { performanceDoc } from './performance-doc.js';
import { endAll } from './process.js';
import { printProfile, profile, profiles } from './profile.js';
import { benchmarks, chooseBenchmarks } from './registry.js';
import { printTable, summarize, type Summary } from './report.js';
import { readResults, writeProfile, writeResult, type Circumstances } from './results-file.js';
import { removeLogFile } from './start-workers.js';

const USAGE = `npm run bench [-- options] [NAME ...]
  (none)                everything (about 35 minutes on 2 cores), then docs/PERFORMANCE.md
  NAME ..., --only NAME,NAME
                        some of it; its figures replace those in bench-results.json
  --rounds N            rounds of each
  --scenario TEXT       of the fairness benchmarks, the scenarios whose names contain TEXT, such as '200 slots'
  --tasks N             of the benchmark search, how many tasks wait; without it 1,000,000
  --rate N, --size BYTES, --latency MS, --waiting N
                        of sizing: tasks a second, bytes of a message (1,024), time to an answer (50), tasks that wait
  --quick               small sizes and one round, to see that all of it runs; into bench-results.quick.json
  --profile NAME        where the time goes, instead of figures: ${Object.keys(profiles).join(' or ')}
  --report              docs/PERFORMANCE.md with the figures of bench-results.json in place of its own, without measuring
  --results FILE        another file for the results
  --list                names`;

const root = new URL('../../', import.meta.url);
const docFile = fileURLToPath(new URL('docs/PERFORMANCE.md', root));
const notesFile = fileURLToPath(new URL('docs/performance-notes.md', root));

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'only': { type: 'string' },
    'rounds': { type: 'string' },
    'scenario': { type: 'string' },
    'tasks': { type: 'string' },
    'rate': { type: 'string' },
    'size': { type: 'string' },
    'latency': { type: 'string' },
    'waiting': { type: 'string' },
    'quick': { type: 'boolean', default: false },
    'profile': { type: 'string' },
    'report': { type: 'boolean', default: false },
    'results': { type: 'string' },
    'list': { type: 'boolean', default: false },
    'help': { type: 'boolean', default: false },
  },
});
/** Without any: all benchmarks. */
const names = [...positionals, ...(options.only?.split(',') ?? [])];
const resultsFile = options.results ?? fileURLToPath(new URL(options.quick ? 'bench-results.quick.json' : 'bench-results.json', root));

if (options.help) console.log(USAGE);
else if (options.list) console.log(benchmarks.map(({ name, measures }) => `${name}: ${measures}`).join('\n'));
else if (options.report) writeDoc();
// Not exitCode: a benchmark that failed may have left a connection open.
else process.exit(await measure());

/** @returns exit code */
async function measure(): Promise<number> {
  const redisPort = Number(requireEnv('TEST_REDIS_ADDR').split(':')[1]);
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  try {
    if (options.profile !== undefined) {
      await measureProfile(redis, redisPort, options.profile);
      return 0;
    }
    const failed = await measureBenchmarks(redis, redisPort);
    if (failed.length > 0) console.error(`Not measured: ${failed.join(', ')}.`);
    else if (names.length === 0 && !options.quick) writeDoc();
    return failed.length === 0 ? 0 : 1;
  } finally {
    redis.disconnect();
    await removeLogFile();
  }
}

/** @returns names of those that could not be measured: the others are, whatever became of one */
async function measureBenchmarks(redis: Redis, redisPort: number): Promise<string[]> {
  const chosen = chooseBenchmarks(names);
  const failed: string[] = [];
  const all: Summary[] = [];
  for (const { name, rounds: usualRounds, run } of chosen) {
    const rounds = wholeNumber('rounds') ?? (options.quick ? 1 : usualRounds);
    console.log(`\n${name}: ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`);
    const startedMs = performance.now();
    try {
      const bench: Bench = { redisPort, redis, rounds, isQuick: options.quick, scenario: options.scenario, searchedTasks: wholeNumber('tasks'), sizing: wantedLoad() };
      const figures = (await run(bench)).map(summarize);
      console.log(printTable(figures));
      all.push(...figures);
      writeResult(resultsFile, name, { ...(await circumstances(redis, startedMs)), rounds, figures });
    } catch (error) {
      failed.push(name);
      console.error(`${name} failed:`, error);
    } finally {
      await endAll();
      await redis.flushall();
    }
  }
  if (chosen.length > 1) console.log(`\n${printTable(all)}`);
  return failed;
}

/** What the command line says of it, and nothing else. */
function wantedLoad(): NonNullable<Bench['sizing']> {
  const said = { perSecond: wholeNumber('rate'), messageBytes: wholeNumber('size'), latencyMs: wholeNumber('latency'), waiting: wholeNumber('waiting') };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

async function measureProfile(redis: Redis, redisPort: number, name: string): Promise<void> {
  const run = profiles[name];
  if (run === undefined) throw new Error(`no profile of ${name}. There are: ${Object.keys(profiles).join(', ')}`);
  const startedMs = performance.now();
  try {
    const summary = await profile({ redisPort, redis, rounds: 1, isQuick: options.quick }, run);
    console.log(printProfile(summary));
    writeProfile(resultsFile, name, { ...(await circumstances(redis, startedMs)), profile: summary });
  } finally {
    await endAll();
  }
}

async function circumstances(redis: Redis, startedMs: number): Promise<Circumstances> {
  const processors = cpus();
  return {
    measuredAt: new Date().toISOString(),
    command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    tookS: (performance.now() - startedMs) / 1_000,
    node: process.versions.node,
    redis: /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown',
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown',
  };
}

function writeDoc(): void {
  writeFileSync(docFile, performanceDoc(readResults(resultsFile), benchmarks, readFileSync(notesFile, 'utf8'), readFileSync(docFile, 'utf8')));
  console.log(`Written: ${docFile}`);
}

function wholeNumber(name: 'rounds' | 'tasks' | 'rate' | 'size' | 'latency' | 'waiting'): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} must be a whole number, 1 or more`);
  return number;
}

function requireEnv(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: start this through \`npm run bench\``);
  return value;
}
