#!/usr/bin/env node
// Posts the sample tasks of README.md and docs/ (examples/tasks/*.json) and prints the answers. No dependencies.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const folder = path.join(import.meta.dirname, 'tasks');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => path.basename(file, '.json'))
  .sort();

const usage = `Usage: node examples/create-tasks.mjs [options] [task ...]

Hands sample tasks over to a running service and prints its answers.
Tasks: ${names.join(', ')}; all of them when none is named.

  --url <url>   where the service is   (default http://127.0.0.1:8080)
  --help        show this

The http ones go to the receiver that \`node examples/receiver.mjs\` starts, the kafka ones need a broker.
`;

const PATIENCE_MS = 10_000;

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { url: { type: 'string', default: 'http://127.0.0.1:8080' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`there is no sample task named ${unknown.join(', ')}`);
  if (!URL.canParse(values.url)) throw new Error(`--url must be a url, got "${values.url}"`);
  return { url: values.url.replace(/\/+$/, ''), chosen: positionals.length === 0 ? names : positionals };
}

/** @returns whether the service took it */
async function create(url, name) {
  const response = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: readFileSync(path.join(folder, `${name}.json`), 'utf8'),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  console.log(`${name}: ${response.status} ${await response.text()}`);
  return response.ok;
}

let options;
try {
  options = readOptions();
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exit(2);
}

try {
  let refused = 0;
  for (const name of options.chosen) if (!(await create(options.url, name))) refused += 1;
  process.exitCode = refused === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`no answer from ${options.url}: ${error.cause?.message || error.message}. Is the service running (npm start)?\n`);
  process.exitCode = 1;
}
