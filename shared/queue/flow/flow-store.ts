import type { Actor } from '../../domain/actor.js';
import { canonicalHostPattern } from '../../domain/destinations/host-pattern.js';
import type { Circuit } from '../../domain/flow/circuit.js';
import { joinedPolicy, policyAt, type FlowLimits, type FlowPolicy } from '../../domain/flow/flow-policy.js';
import { printLife, readLife, type SilentWorker, type WorkerLife } from '../../domain/flow/dead-worker.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { FlowKeys } from '../fleet-keys.js';
import { ReportGap } from './report-gap.js';

/** A change of the settings or the circuit of one name; undefined means that they were removed. */
export type ControlChange =
  | { readonly kind: 'policy'; readonly name: string; readonly policy: FlowPolicy | undefined }
  | { readonly kind: 'circuit'; readonly name: string; readonly circuit: Circuit | undefined };

export interface ControlChanges {
  readonly version: number;
  /** true: the changes are everything there is. false: only what changed since. */
  readonly isEverything: boolean;
  readonly changes: readonly ControlChange[];
  /** Redis' clock, ms since the epoch. The times of circuits are by this clock. */
  readonly now: number;
  /** The workers that reported within the last 5 s. */
  readonly workers: number;
  /** false: Redis takes no writes there, so no worker can report, and those that did are all that is known. Asked for only with no version known. */
  readonly isReportTaken: boolean;
  /** Test sends that wait for a worker. */
  readonly testSends: number;
  /** Bulk actions whose numbers may still change. */
  readonly bulkActions: number;
}

/** The answer for a limited destination. */
export interface Permission {
  /** How many of the jobs may start now, counted from the first. */
  readonly granted: number;
  /** Until the next one may start, ms; undefined: when a place gets free. 0: no job was refused. */
  readonly waitMs: number | undefined;
  /** The number of workers that share the limit. */
  readonly claimants: number;
}

/** What an operator says with a pause. */
export interface PauseOrder {
  /** The time at which it is over by itself, ms since the epoch; undefined: an operator resumes the name. */
  readonly until: number | undefined;
  readonly by: Actor;
  readonly reason: string | undefined;
}

/** The report of one worker about its destinations: see flow-report.ts. */
export interface WorkerReport {
  readonly worker: string;
  /** The report as the worker wrote it; undefined when it has lapsed. */
  readonly report: string | undefined;
}

export interface SilentWorkers {
  /** Redis' clock, ms since the epoch. */
  readonly now: number;
  readonly silent: readonly SilentWorker[];
}

/** The settings and circuits of destinations now, and the number of workers. */
export interface FlowSnapshot {
  /** A pause that is over by itself is not among them. */
  readonly policies: ReadonlyMap<string, FlowPolicy>;
  readonly circuits: ReadonlyMap<string, Circuit>;
  /** The workers that reported within the last 5 s; undefined: Redis takes no writes there, or none has reported since it does again. So they may run. */
  readonly workers: number | undefined;
  /** Redis' clock, ms since the epoch. The times of circuits are by this clock. */
  readonly now: number;
}

const POLICY = 'p:';
const CIRCUIT = 'c:';
const ANY = -1;
/** A report counts for this long, ms; workers report each second. */
const REPORT_FOR_MS = 5_000;
const CLOSED_AT_ONCE = 500;

/**
 * The store that all workers and the API share about destinations: limits, open circuits, and how much of a limit each
 * worker uses. Every method fails when Redis fails.
 */
export class FlowStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: FlowKeys,
    /** A stored name as this process spells it now: it may hide more than the process that stored it. */
    private readonly spelled: (name: string) => string = (name) => name,
    /** Of the process: stores of one process share it. */
    private readonly reportGap = new ReportGap(),
  ) {}

  /** @param known version that the last call returned, -1 for the first call */
  async changesSince(known: number): Promise<ControlChanges> {
    const reply: unknown = await this.client.runCommand('krsFlowChanges', [...this.#controlKeys(), this.keys.workers, this.keys.testSendRequests, this.keys.bulkActions, this.keys.neverThere, known, REPORT_FOR_MS]);
    // The script's own answer: see control-scripts.ts.
    const [version, everything, pairs, now, workers, testSends, bulkActions, takesReports] = reply as [number, number, string[], number, number, number, number, number];
    const changes: ControlChange[] = [];
    for (let at = 0; at + 1 < pairs.length; at += 2) changes.push(readControl(pairs[at] ?? '', pairs[at + 1] ?? ''));
    return { version, isEverything: everything === 1, changes, now, workers, isReportTaken: takesReports === 1, testSends, bulkActions };
  }

  /** The snapshot of these names only. */
  async snapshot(names: readonly string[]): Promise<FlowSnapshot> {
    const fields = names.flatMap((name) => [POLICY + name, CIRCUIT + name]);
    const reply: unknown = await this.client.runCommand('krsFlowSnapshot', [this.keys.controls, this.keys.workers, this.keys.neverThere, REPORT_FOR_MS, ...fields]);
    // The script's own answer: see control-scripts.ts.
    const [workers, now, values, takesReports] = reply as [number, number, (string | null)[], number];
    return { ...readControls(fields.map((field, nth) => readControl(field, values[nth])), now, (name) => name), workers: this.reportGap.known(takesReports === 1 ? workers : undefined), now };
  }

  /** The snapshot of all names for which an operator set something, or whose circuit is not closed. */
  async snapshotOfAll(): Promise<FlowSnapshot> {
    const { changes, now, workers, isReportTaken } = await this.changesSince(-1);
    return { ...readControls(changes, now, this.spelled), workers: this.reportGap.known(isReportTaken ? workers : undefined), now };
  }

  /** Replaces the limits of a name. A pause stays as it is. @param limits undefined: it has none any more */
  async setLimits(name: string, limits: FlowLimits | undefined): Promise<void> {
    await this.client.runCommand('krsFlowLimits', [...this.#controlKeys(), POLICY + name, JSON.stringify(limits ?? {})]);
  }

  /**
   * Pauses a name, and leaves its limits as they are. One that is paused already stays so since then; the rest is replaced.
   * @returns false: `until` has passed by Redis' clock, and nothing was changed
   */
  async pause(name: string, { until, by, reason }: PauseOrder): Promise<boolean> {
    const done: unknown = await this.client.runCommand('krsFlowPause', [...this.#controlKeys(), POLICY + name, until ?? '', JSON.stringify(by), reason ?? '']);
    return done === 1;
  }

  /** Ends the pause of a name, and leaves its limits as they are. */
  async resume(name: string): Promise<void> {
    await this.client.runCommand('krsFlowEndPause', [...this.#controlKeys(), POLICY + name, '']);
  }

  /**
   * Removes a pause whose time is over, so that processes which know no such time send again, too.
   * @returns true for one of the callers
   */
  async removeEndedPause(name: string): Promise<boolean> {
    const done: unknown = await this.client.runCommand('krsFlowEndPause', [...this.#controlKeys(), POLICY + name, '1']);
    return done === 1;
  }

  /** @returns the circuit that is now open: another worker may have opened one before */
  async openCircuit(host: string, circuit: Circuit): Promise<Circuit> {
    const reply: unknown = await this.client.runCommand('krsFlowOpen', [...this.#controlKeys(), CIRCUIT + host, JSON.stringify(circuit)]);
    return readCircuit(String(reply)) ?? circuit;
  }

  /** In steps, the longest of which takes Redis some milliseconds. @param names of circuits */
  async closeCircuits(names: readonly string[]): Promise<void> {
    for (let from = 0; from < names.length; from += CLOSED_AT_ONCE) {
      await this.client.runCommand('krsFlowRemove', [...this.#controlKeys(), ...names.slice(from, from + CLOSED_AT_ONCE).map((name) => CIRCUIT + name)]);
    }
  }

  /** Nothing is written down of a circuit that was opened, prolonged or closed meanwhile. @param circuit with its newest `lastProbe` */
  async noteProbe(name: string, circuit: Circuit): Promise<void> {
    await this.client.runCommand('krsFlowNoteProbe', [...this.#controlKeys(), CIRCUIT + name, JSON.stringify(circuit)]);
  }

  /**
   * Gives the right to probe to one caller at a time in the whole fleet (`mine`), until it ends its probe or `ms` are
   * over.
   * @returns the circuit, if it is open for longer than the caller knows
   */
  async takeProbe(host: string, holder: string, ms: number): Promise<'mine' | 'taken' | Circuit> {
    const reply: unknown = await this.client.runCommand('krsFlowTakeProbe', [this.keys.probe(host), this.keys.controls, holder, ms, CIRCUIT + host]);
    if (typeof reply === 'number') return reply === 1 ? 'mine' : 'taken';
    return readCircuit(String(reply)) ?? 'taken';
  }

  async endProbe(host: string, holder: string): Promise<void> {
    await this.client.runCommand('krsFlowEndProbe', [this.keys.probe(host), holder]);
  }

  /** Ends all probes of a worker that is gone: they would lapse only after the longest send. */
  async endProbesOf(holder: string): Promise<void> {
    await this.client.runCommand('krsFlowEndProbesOf', [this.keys.controls, holder, this.keys.probeBase, CIRCUIT]);
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

  /** @returns how many sends the limit lets this worker start within `aheadMs`: its share of the whole limit */
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

  /**
   * Asks which workers are silent, and writes down what the caller knows of itself.
   * @param agoMs  how long ago the last report of a silent worker is, ms
   * @param caller undefined: it is no worker, or has not seen Redis before
   */
  async silentWorkers(agoMs: { readonly min: number; readonly max: number }, caller?: { readonly worker: string; readonly life: WorkerLife }): Promise<SilentWorkers> {
    const { keys } = this;
    const worker = caller?.worker ?? '';
    const [life, lockMs] = caller === undefined ? ['', ''] : [printLife(caller.life), caller.life.lockMs ?? ''];
    const reply: unknown = await this.client.runCommand('krsFlowSilent', [keys.workers, keys.life(worker), keys.lockTime(worker), life, lockMs, keys.lifeBase, keys.lockTimeBase, agoMs.min, agoMs.max]);
    // The script's own answer: see report-scripts.ts.
    const [now, found] = reply as [number, string[]];
    const silent: SilentWorker[] = [];
    for (let at = 0; at + 3 < found.length; at += 4) silent.push({ name: found[at] ?? '', reportedAt: Number(found[at + 1]), life: readLife(found[at + 2] ?? '', found[at + 3]) });
    return { now, silent };
  }

  /**
   * Tells the fleet whose paths this process hides by its own settings.
   * @returns those that any process has told of within the last hour
   */
  async shareSecretPathHosts(own: readonly string[]): Promise<readonly string[]> {
    // The script's own answer: see secret-path-scripts.ts.
    const listed = (await this.client.runCommand('krsSecretPathHosts', [this.keys.secretPathHosts, ...own])) as string[];
    return listed.filter((host) => canonicalHostPattern(host) === host);
  }

  /** A policy goes to another name, joined with the one that is there, and leaves its own. @returns false: there is none */
  async movePolicy(from: string, to: string): Promise<boolean> {
    return (await this.client.runCommand('krsFlowMove', [...this.#controlKeys(), POLICY + to, POLICY + from])) === 1;
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

function readControls(changes: readonly ControlChange[], now: number, spelled: (name: string) => string): Pick<FlowSnapshot, 'policies' | 'circuits'> {
  const policies = new Map<string, FlowPolicy>();
  const circuits = new Map<string, Circuit>();
  for (const change of changes) {
    const policy = change.kind === 'policy' ? policyAt(change.policy, now) : undefined;
    const name = spelledOf(change, spelled);
    const known = policies.get(name);
    // What is stored under the name itself comes first.
    if (policy !== undefined) policies.set(name, known === undefined ? policy : name === change.name ? joinedPolicy(policy, known) : joinedPolicy(known, policy));
    if (change.kind === 'circuit' && change.circuit !== undefined && (name === change.name || !circuits.has(name))) circuits.set(name, change.circuit);
  }
  return { policies, circuits };
}

/** The name of a circuit is that of its flow: names in lines. */
function spelledOf({ kind, name }: ControlChange, spelled: (name: string) => string): string {
  return kind === 'policy' ? spelled(name) : name.split('\n').map(spelled).join('\n');
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
