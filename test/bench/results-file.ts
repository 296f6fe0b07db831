import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { ProfileSummary } from './profile.js';
import type { Summary } from './report.js';

/** When, where and by which command something was measured. */
export interface Circumstances {
  /** ISO 8601, UTC. */
  readonly measuredAt: string;
  readonly command: string;
  readonly tookS: number;
  readonly node: string;
  readonly redis: string;
  readonly cores: number;
  readonly cpu: string;
}

export interface BenchmarkResult extends Circumstances {
  readonly rounds: number;
  readonly figures: readonly Summary[];
}

export interface ProfileResult extends Circumstances {
  readonly profile: ProfileSummary;
}

/** By name, newest measurement of each. A run of some benchmarks leaves the others' results as they are. */
export interface Results {
  readonly benchmarks: Readonly<Record<string, BenchmarkResult>>;
  readonly profiles: Readonly<Record<string, ProfileResult>>;
}

export function readResults(file: string): Results {
  if (!existsSync(file)) return { benchmarks: {}, profiles: {} };
  // Written by writeResult; a file of an earlier form has neither key.
  const { benchmarks = {}, profiles = {} } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Results>;
  return { benchmarks, profiles };
}

export function writeResult(file: string, name: string, result: BenchmarkResult): void {
  const { benchmarks, profiles } = readResults(file);
  write(file, { benchmarks: { ...benchmarks, [name]: result }, profiles });
}

export function writeProfile(file: string, name: string, result: ProfileResult): void {
  const { benchmarks, profiles } = readResults(file);
  write(file, { benchmarks, profiles: { ...profiles, [name]: result } });
}

function write(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}
