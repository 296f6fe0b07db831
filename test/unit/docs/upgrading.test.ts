import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

import { variables } from '../../../shared/config/schema.js';
import { sizingPlan } from '../../bench/sizing-plan.js';
import { olderText, PREVIOUS_VERSION } from '../../support/older-version.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

describe('UPGRADING.md', () => {
  it('names for each claim a scenario that there is', () => {
    const scenarios = readdirSync(path.join(root, 'test/chaos')).filter((file) => file.endsWith('.test.ts')).flatMap((file) => [...readText(`test/chaos/${file}`).matchAll(/scenario\('(\w+)'/g)].map(([, number]) => number));
    const named = [...readText('UPGRADING.md').matchAll(/\[(\d+\w?(?:, \d+\w?)*)[^\]]*\](?!\()/g)].flatMap(([, numbers = '']) => numbers.split(', '));
    expect(named.length).to.be.at.least(10);
    expect([...new Set(named)].filter((number) => !scenarios.includes(number))).to.deep.equal([]);
  });

  it('says of each setting that the version before does not know what it does without it', async () => {
    const known = await olderText(PREVIOUS_VERSION, 'shared/config/schema.ts');
    const isKnown = (name: string): boolean => new RegExp(`^  ${name}:`, 'm').test(known);
    expect(['REDIS_ADDR', 'WORKER_CONCURRENCY'].every(isKnown)).to.equal(true);
    const listed = [...readText('UPGRADING.md').matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));
    expect(listed).to.have.members(Object.keys(variables).filter((name) => !isKnown(name)));
  });
});

describe('docs/SIZING.md', () => {
  it('plans as the command does with the figures that it shows', () => {
    const doc = readText('docs/SIZING.md');
    const figure = (row: string): number => Number(new RegExp(`^\\| ${row}[^|]*\\|[^|]*\\| ([\\d.,]+) `, 'm').exec(doc)?.[1]?.replaceAll(',', ''));
    const costs = { apiUs: figure('CPU of the API'), workerUs: figure('CPU of a worker'), redisUs: figure('CPU of Redis'), taskBytes: figure('memory of Redis for') };
    const rows = [...doc.matchAll(/^\| ([\d,]+) \| (\d+) (ms|s) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| (\d+) \| ([\d,]+|auto) \| (\d+) \|/gm)].map(([, ...cells]) => cells.map((cell) => cell.replaceAll(',', '')));
    expect(rows).to.have.lengthOf(4);
    for (const [perSecond, latency, unit, waiting, ...plan] of rows) {
      const { inFlight, apis, workers, concurrency, shards } = sizingPlan(costs, { perSecond: Number(perSecond), latencyMs: Number(latency) * (unit === 's' ? 1_000 : 1), waiting: Number(waiting) });
      expect(plan, perSecond).to.deep.equal([inFlight, apis, workers, concurrency, shards].map(String));
    }
  });
});
