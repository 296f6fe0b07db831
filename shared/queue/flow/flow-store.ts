import type { Circuit } from '../../domain/flow/circuit.js';
import type { FlowPolicy } from '../../domain/flow/flow-policy.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { FlowKeys } from '../names.js';

/** A change of what holds for one name; undefined: it was removed. */
export type ControlChange =
  | { readonly kind: 'policy'; readonly name: string; readonly policy: FlowPolicy | undefined }
  | { readonly kind: 'circuit'; readonly name: string; readonly circuit: Circuit | undefined };

export interface ControlChanges {
  readonly version: number;
  /** The changes are everything there is; else only what changed since. */
  readonly isEverything: boolean;
  readonly changes: readonly ControlChange[];
  /** Redis' clock, ms since the epoch: the times of circuits are its. */
  readonly now: number;
  /** That reported within the last 5 s. */
  readonly workers: number;
}

/** Answer of a limited destination. */
export interface Permission {
  /** How many of those that asked may start now, the first ones. */
  readonly granted: number;
  /** Until the next one may start, ms; undefined: when a place gets free. 0: no job was refused. */
  readonly waitMs: number | undefined;
  /** Workers that share the limit. */
  readonly claimants: number;
}

/** What one worker sees of its destinations: see flow-report.ts. */
export interface WorkerReport {
  readonly worker: string;
  /** The report as the worker wrote it; undefined when it has lapsed. */
  readonly report: string | undefined;
}

/** What holds for destinations now, and who is there to send. */
export interface FlowSnapshot {
  readonly policies: ReadonlyMap<string, FlowPolicy>;
  readonly circuits: ReadonlyMap<string, Circuit>;
  /** That reported within the last 5 s. */
  readonly workers: number;
  /** Redis' clock, ms since the epoch: the times of circuits are its. */
  readonly now: number;
}

const POLICY = 'p:';
const CIRCUIT = 'c:';
const ANY = -1;
/** A report counts for as long, ms; workers report each second. */
const REPORT_FOR_MS = 5_000;

/**
 * What all workers and the API know together about destinations: limits, open circuits, and who uses how much of a
 * limit. Every method fails when Redis does.
 */
export class FlowStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: FlowKeys,
  ) {}

  /** @param known version of the last call, -1 for the first */
  async changesSince(known: number): Promise<ControlChanges> {
    const reply: unknown = await this.client.runCommand('krsFlowChanges', [...this.#controlKeys(), this.keys.workers, known, REPORT_FOR_MS]);
    // The script's own answer: see control-scripts.ts.
    const [version, everything, pairs, now, workers] = reply as [number, number, string[], number, number];
    const changes: ControlChange[] = [];
    for (let at = 0; at + 1 < pairs.length; at += 2) changes.push(readControl(pairs[at] ?? '', pairs[at + 1] ?? ''));
    return { version, isEverything: everything === 1, changes, now, workers };
  }

  /** The snapshot of these names only. */
  async snapshot(names: readonly string[]): Promise<FlowSnapshot> {
    const fields = names.flatMap((name) => [POLICY + name, CIRCUIT + name]);
    const reply: unknown = await this.client.runCommand('krsFlowSnapshot', [this.keys.controls, this.keys.workers, REPORT_FOR_MS, ...fields]);
    // The script's own answer: see control-scripts.ts.
    const [workers, now, values] = reply as [number, number, (string | null)[]];
    return { ...readControls(fields.map((field, nth) => readControl(field, values[nth]))), workers, now };
  }

  /** The snapshot of all names for which an operator set something, or whose circuit is not closed. */
  async snapshotOfAll(): Promise<FlowSnapshot> {
    const { changes, now, workers } = await this.changesSince(-1);
    return { ...readControls(changes), workers, now };
  }

  /** Sets whether nothing is sent, and leaves the limits as they are. */
  async setPaused(name: string, isPaused: boolean): Promise<void> {
    await this.client.runCommand('krsFlowPause', [...this.#controlKeys(), POLICY + name, isPaused ? 1 : 0]);
  }

  async setPolicy(name: string, policy: FlowPolicy | undefined): Promise<void> {
    await this.#set(POLICY + name, policy);
  }

  /** @returns the circuit that holds: another worker may have been faster */
  async openCircuit(host: string, circuit: Circuit): Promise<Circuit> {
    const reply: unknown = await this.client.runCommand('krsFlowOpen', [...this.#controlKeys(), CIRCUIT + host, JSON.stringify(circuit)]);
    return readCircuit(String(reply)) ?? circuit;
  }

  async closeCircuit(host: string): Promise<void> {
    await this.#set(CIRCUIT + host, undefined);
  }

  /**
   * `mine` for one caller at a time in the whole fleet, until it ends its probe or `ms` are over.
   * @returns the circuit, when it is open for longer than the caller knows
   */
  async takeProbe(host: string, holder: string, ms: number): Promise<'mine' | 'taken' | Circuit> {
    const reply: unknown = await this.client.runCommand('krsFlowTakeProbe', [this.keys.probe(host), this.keys.controls, holder, ms, CIRCUIT + host]);
    if (typeof reply === 'number') return reply === 1 ? 'mine' : 'taken';
    return readCircuit(String(reply)) ?? 'taken';
  }

  async endProbe(host: string, holder: string): Promise<void> {
    await this.client.runCommand('krsFlowEndProbe', [this.keys.probe(host), holder]);
  }

  /**
   * Asks for permission to start sends to a limited destination. A job that asks again keeps the place it has.
   * @param leaseMs a place that is not given back lapses after this
   */
  async acquire(name: string, policy: FlowPolicy, worker: string, leaseMs: number, jobIds: readonly string[]): Promise<Permission> {
    const reply: unknown = await this.client.runCommand('krsFlowAcquire', [...this.#limitKeys(name), ...limitsOf(policy), worker, leaseMs, ...jobIds]);
    // The script's own answer: see limit-scripts.ts.
    const [granted, waitMs, , claimants] = reply as [number, number, number, number];
    return { granted, waitMs: waitMs < 0 ? undefined : waitMs, claimants };
  }

  /** Gives a place back. */
  async release(name: string, jobId: string): Promise<void> {
    await this.client.runCommand('krsFlowRelease', [this.keys.leases(name), jobId]);
  }

  /** How many sends the limit lets this worker start within `aheadMs`, its share of what all may. */
  async room(name: string, policy: FlowPolicy, worker: string, aheadMs: number): Promise<number> {
    const reply: unknown = await this.client.runCommand('krsFlowLook', [...this.#limitKeys(name), ...limitsOf(policy), worker, aheadMs]);
    const [free, claimants] = reply as [number, number];
    return free < 0 ? Infinity : Math.ceil(free / claimants);
  }

  async putReport(worker: string, report: string): Promise<void> {
    await this.client.runCommand('krsFlowPutReport', [this.keys.workers, this.keys.report(worker), worker, report, REPORT_FOR_MS]);
  }

  /** The reports of all workers that are alive. */
  async reports(): Promise<readonly WorkerReport[]> {
    const reply: unknown = await this.client.runCommand('krsFlowGetReports', [this.keys.workers, this.keys.reportBase, REPORT_FOR_MS]);
    const pairs = reply as string[];
    return Array.from({ length: pairs.length / 2 }, (_, nth) => ({ worker: pairs[2 * nth] ?? '', report: pairs[2 * nth + 1] === '' ? undefined : pairs[2 * nth + 1] }));
  }

  async #set(field: string, value: object | undefined): Promise<void> {
    await this.client.runCommand('krsFlowSet', [...this.#controlKeys(), field, value === undefined ? '' : JSON.stringify(value)]);
  }

  #controlKeys(): string[] {
    return [this.keys.controls, this.keys.changes, this.keys.version, this.keys.versions];
  }

  #limitKeys(name: string): string[] {
    return [this.keys.leases(name), this.keys.pace(name), this.keys.claims(name)];
  }
}

function limitsOf({ maxConcurrency = ANY, ratePerSecond = 0, burst = 1 }: FlowPolicy): number[] {
  return [maxConcurrency, ratePerSecond, burst];
}

function readControls(changes: readonly ControlChange[]): Pick<FlowSnapshot, 'policies' | 'circuits'> {
  const policies = new Map<string, FlowPolicy>();
  const circuits = new Map<string, Circuit>();
  for (const change of changes) {
    if (change.kind === 'policy' && change.policy !== undefined) policies.set(change.name, change.policy);
    if (change.kind === 'circuit' && change.circuit !== undefined) circuits.set(change.name, change.circuit);
  }
  return { policies, circuits };
}

function readControl(field: string, value: string | null | undefined): ControlChange {
  const name = field.slice(POLICY.length);
  return field.startsWith(POLICY) ? { kind: 'policy', name, policy: readPolicy(value) } : { kind: 'circuit', name, circuit: readCircuit(value) };
}

// Both are written by this file only.
function readPolicy(text: string | null | undefined): FlowPolicy | undefined {
  return isNothing(text) ? undefined : (JSON.parse(text) as FlowPolicy);
}

function readCircuit(text: string | null | undefined): Circuit | undefined {
  return isNothing(text) ? undefined : (JSON.parse(text) as Circuit);
}

function isNothing(text: string | null | undefined): text is undefined | null | '' {
  return text === undefined || text === null || text === '';
}
