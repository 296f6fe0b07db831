import type { DeadPolicy } from '../task/retry-policy.js';
import type { ReleasePolicy } from '../task/outcome.js';
import type { CircuitRules } from './circuit.js';
import type { DefaultBrokers } from './flow-key.js';

/**
 * Settings that workers act by and that the API judges by: under which name a destination goes, whether a circuit is
 * open, when a task counts as unreadable, what is secret in a path. API and workers read them from environments of their own, so they can differ.
 */
export interface SharedSettings {
  /** Version of the service, as in package.json: `0.1.0`. */
  readonly version: string;
  readonly defaultBrokers: DefaultBrokers;
  readonly circuit: CircuitRules;
  readonly dead: DeadPolicy;
  readonly release: ReleasePolicy;
  readonly deliveryTimeoutMs: number;
  /** Each process hides those of all: see secret-paths-of-fleet.ts. */
  readonly secretPathHosts: readonly string[];
}

/**
 * How each of them is written into a worker's report: under the name of its variable, as text, so that a process of
 * another version can compare and show what it does not know. One row for each fact. No secret may stand here: facts
 * are logged and shown.
 */
const factRows = {
  VERSION: ({ version }) => version,
  KAFKA_BROKERS: ({ defaultBrokers }) => [...defaultBrokers].sort().join(','),
  FLOW_CIRCUIT: ({ circuit }) => (circuit.isOn ? 'on' : 'off'),
  FLOW_CIRCUIT_FAILURES: ({ circuit }) => String(circuit.failuresInARow),
  FLOW_CIRCUIT_COOL_DOWN: ({ circuit }) => printMs(circuit.baseCoolMs),
  FLOW_CIRCUIT_MAX_COOL_DOWN: ({ circuit }) => printMs(circuit.maxCoolMs),
  FLOW_CIRCUIT_MAX_OPEN: ({ circuit }) => printMs(circuit.maxOpenMs),
  DELIVERY_TIMEOUT: ({ deliveryTimeoutMs }) => printMs(deliveryTimeoutMs),
  DEAD_ATTEMPTS: ({ dead }) => String(dead.attempts),
  DEAD_BASE_DELAY: ({ dead }) => printMs(dead.baseDelayMs),
  DEAD_MAX_DELAY: ({ dead }) => printMs(dead.maxDelayMs),
  RELEASE_BASE_DELAY: ({ release }) => printMs(release.baseDelayMs),
  RELEASE_MAX_DELAY: ({ release }) => printMs(release.maxDelayMs),
  SECRET_PATH_HOSTS: ({ secretPathHosts }) => [...secretPathHosts].sort().join(','),
} as const satisfies Record<string, (settings: SharedSettings) => string>;

export type FactName = keyof typeof factRows;
// Object.keys knows no key types; these are the keys of the object above.
export const factNames = Object.keys(factRows) as FactName[];

/** The settings that one process uses. A process of another version may lack some facts. */
export type WorkerFacts = Readonly<Partial<Record<FactName, string>>>;

/** `{VERSION: '0.1.0', KAFKA_BROKERS: 'broker-1:9092,b2:9092', FLOW_CIRCUIT: 'on', FLOW_CIRCUIT_COOL_DOWN: '2000ms', ...}` */
export function factsOf(settings: SharedSettings): WorkerFacts {
  return Object.fromEntries(factNames.map((name) => [name, factRows[name](settings)]));
}

/** @param written from a report, by any version of the service @returns the facts that this version knows */
export function readFacts(written: unknown): WorkerFacts | undefined {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return undefined;
  const found: Partial<Record<FactName, string>> = {};
  for (const [name, value] of Object.entries(written)) if (isFactName(name) && typeof value === 'string') found[name] = value;
  return found;
}

/** One fact that not all processes agree about. */
export interface FactDifference {
  readonly name: FactName;
  /** The most frequent one among workers first. */
  readonly values: readonly FactValue[];
}

export interface FactValue {
  /** undefined: a worker of a version that reports no facts. */
  readonly value: string | undefined;
  readonly workers: number;
  /** The API that compares has this value. */
  readonly isOwn: boolean;
}

/**
 * Compares what workers report with each other and with the API's own facts.
 * A worker without any facts differs in its version, and only there: what else it goes by is not known. A fact that a
 * worker does not report is not compared for this worker.
 *
 * @param workers one entry for each worker; undefined: it reports no facts
 * @returns in the order of the facts; empty: all agree, or there is no worker
 */
export function compareFacts(own: WorkerFacts, workers: readonly (WorkerFacts | undefined)[]): FactDifference[] {
  if (workers.length === 0) return [];
  return factNames.flatMap((name) => {
    const counts = new Map<string | undefined, number>(own[name] === undefined ? [] : [[own[name], 0]]);
    for (const facts of workers) {
      const value = facts?.[name];
      if (value === undefined && (facts !== undefined || name !== 'VERSION')) continue;
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    if (counts.size < 2) return [];
    const values = [...counts].map(([value, count]) => ({ value, workers: count, isOwn: value === own[name] }));
    return [{ name, values: values.sort((a, b) => b.workers - a.workers || ((a.value ?? '') < (b.value ?? '') ? -1 : 1)) }];
  });
}

/** The facts by which the API has to judge. */
export type SettingsInForce = Pick<SharedSettings, 'defaultBrokers' | 'circuit' | 'release'>;

/**
 * The settings that most workers go by: tasks are sent under their names and by their rules, not by the API's. Of equally
 * frequent ones the API's own come first. With no worker that reports facts, the API's own settings.
 */
export function settingsInForce(own: SharedSettings, workers: readonly (WorkerFacts | undefined)[]): SettingsInForce {
  const ownFacts = factsOf(own);
  const known = workers.filter((facts) => facts !== undefined);
  const most = (names: readonly FactName[]): WorkerFacts => mostCommon(ownFacts, known, names);
  const brokers = most(['KAFKA_BROKERS']).KAFKA_BROKERS;
  const circuit = most(['FLOW_CIRCUIT', 'FLOW_CIRCUIT_FAILURES', 'FLOW_CIRCUIT_COOL_DOWN', 'FLOW_CIRCUIT_MAX_COOL_DOWN', 'FLOW_CIRCUIT_MAX_OPEN']);
  const release = most(['RELEASE_BASE_DELAY', 'RELEASE_MAX_DELAY']);
  return {
    defaultBrokers: brokers === undefined ? own.defaultBrokers : new Set(brokers.split(',').filter((broker) => broker !== '')),
    circuit: {
      ...own.circuit,
      isOn: circuit.FLOW_CIRCUIT === undefined ? own.circuit.isOn : circuit.FLOW_CIRCUIT === 'on',
      failuresInARow: readWhole(circuit.FLOW_CIRCUIT_FAILURES, own.circuit.failuresInARow),
      baseCoolMs: readWhole(circuit.FLOW_CIRCUIT_COOL_DOWN, own.circuit.baseCoolMs),
      maxCoolMs: readWhole(circuit.FLOW_CIRCUIT_MAX_COOL_DOWN, own.circuit.maxCoolMs),
      maxOpenMs: readWhole(circuit.FLOW_CIRCUIT_MAX_OPEN, own.circuit.maxOpenMs),
    },
    release: {
      ...own.release,
      baseDelayMs: readWhole(release.RELEASE_BASE_DELAY, own.release.baseDelayMs),
      maxDelayMs: readWhole(release.RELEASE_MAX_DELAY, own.release.maxDelayMs),
    },
  };
}

/** The facts of the first worker that has the most frequent combination; rules that belong together stay together. */
function mostCommon(own: WorkerFacts, workers: readonly WorkerFacts[], names: readonly FactName[]): WorkerFacts {
  const combination = (facts: WorkerFacts): string => JSON.stringify(names.map((name) => facts[name] ?? null));
  const counts = new Map<string, { readonly facts: WorkerFacts; count: number }>();
  for (const facts of workers) {
    const text = combination(facts);
    const known = counts.get(text);
    if (known === undefined) counts.set(text, { facts, count: 1 });
    else known.count += 1;
  }
  const ownText = combination(own);
  const [first] = [...counts].sort(([a, one], [b, other]) => other.count - one.count || Number(b === ownText) - Number(a === ownText) || (a < b ? -1 : 1));
  return first?.[1].facts ?? own;
}

function isFactName(name: string): name is FactName {
  return Object.hasOwn(factRows, name);
}

function printMs(ms: number): string {
  return `${ms}ms`;
}

/** Reads `30` or `2000ms`. @returns `fallback` for a text that is neither */
function readWhole(text: string | undefined, fallback: number): number {
  return text !== undefined && /^\d+(ms)?$/.test(text) ? Number.parseInt(text, 10) : fallback;
}
