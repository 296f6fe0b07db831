import type { Benchmark } from './benchmark.js';
import { printProfile } from './profile.js';
import { printTable } from './report.js';
import type { Circumstances, Results } from './results-file.js';

const FIGURES = '## Figures';
const PROFILES = '## Where the time goes';

/**
 * docs/PERFORMANCE.md from the measured figures and the notes that people write. What was not measured here stays as it was: the results
 * are a file of one machine, and the document is everybody's.
 * @param notes  Markdown whose headings begin at `##`; what stands above the first of them is for those who edit it
 * @param former the document as it is now
 */
export function performanceDoc({ benchmarks: measured, profiles }: Results, benchmarks: readonly Benchmark[], notes: string, former: string): string {
  const formerFigures = sectionsOf(former, FIGURES);
  const formerProfiles = sectionsOf(former, PROFILES);
  const sections = benchmarks.map(({ name, measures }) => {
    const result = measured[name];
    const kept = formerFigures.get(name);
    if (result === undefined && kept !== undefined) return kept;
    const body = result === undefined ? [`Not measured yet: \`npm run bench -- --only ${name}\`.`] : [printTable(result.figures), printCircumstances(result, `${result.rounds} ${result.rounds === 1 ? 'round' : 'rounds'}`)];
    return [`### ${name}`, measures, ...body].join('\n\n');
  });
  for (const [name, result] of Object.entries(profiles)) formerProfiles.set(name, [`### ${name}`, printProfile(result.profile), printCircumstances(result)].join('\n\n'));
  const profiled = [...formerProfiles.values()];
  return `${[
    '# Performance',
    '<!-- Made by `npm run bench`, or `npm run bench -- --report`. Do not edit: the notes come from docs/performance-notes.md, the rest is measured. -->',
    [
      'Absolute figures say more about the machine than about the service, and one round says little: on a shared',
      'machine the same code differs from itself. So every figure stands beside something else that was measured in the same rounds, in turn with it. A',
      'ratio is the median of the rounds\' own ratios; the spread is its lowest and highest round. Receivers, baselines and clients are processes of',
      'their own on the same machine, and Redis writes its append-only file (`everysec`) as the service runs it.',
    ].join('\n'),
    [
      '`npm run bench` measures all of it in about 35 minutes on two cores and writes this file; the machine should have nothing else to do.',
      '`npm run bench -- --only delivery,kafka --rounds 7` measures some of it again, and `npm run bench -- --report` writes this file from all',
      'results there are. Each benchmark is a file in `test/bench` that says what it compares; what it stands beside is in `test/bench/baselines`.',
    ].join('\n'),
    notes.slice(notes.indexOf('## ')).trim(),
    FIGURES,
    ...sections,
    ...(profiled.length === 0 ? [] : [PROFILES, 'By `npm run bench -- --profile NAME`. Self time: spent in a function itself, not in what it calls.', ...profiled]),
  ].join('\n\n')}\n`;
}

/** The sections of one part, by the names that they are headed with, each with its heading. */
function sectionsOf(document: string, part: string): Map<string, string> {
  const [, text = ''] = document.split(`\n${part}\n`);
  const [own = ''] = text.split(/^## /m);
  return new Map(own.split(/^(?=### )/m).flatMap((section) => {
    const name = /^### (.+)/.exec(section)?.[1];
    return name === undefined ? [] : [[name, section.trim()] as const];
  }));
}

function printCircumstances({ measuredAt, command, tookS, node, redis, cores, cpu }: Circumstances, ...more: readonly string[]): string {
  const facts = [...more, `${Math.round(tookS)} s`, `Node ${node}`, `Redis ${redis}`, `${cores} cores (${cpu})`];
  return `Measured on ${measuredAt.slice(0, 16).replace('T', ' ')} UTC by \`${command}\`: ${facts.join(', ')}.`;
}
