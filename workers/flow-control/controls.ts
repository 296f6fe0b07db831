import type { Circuit, LastProbe } from '../../shared/domain/flow/circuit.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';
import { endOfPause, joinedPolicy, policyAt, policyOf, type FlowPolicy, type Pause } from '../../shared/domain/flow/flow-policy.js';
import type { ControlChange, ControlChanges, FlowStore } from '../../shared/queue/flow/flow-store.js';
import type { RedisClock } from '../../shared/redis/redis-clock.js';

/** What people ask the workers for, beside what the copy holds: see ControlChanges. */
export type Asked = Pick<ControlChanges, 'testSends' | 'bulkActions'>;

/**
 * This process' copy of what the fleet shares: what operators set, and which circuits are open. It is read for every send
 * without waiting, and brought up to date by `refresh`. What this process finds out itself holds here at once.
 */
export class Controls {
  readonly #policies = new Map<string, FlowPolicy>();
  /** The same by the names under which they are stored: one that is hidden by now holds for its hidden name, too. */
  readonly #stored = new Map<string, FlowPolicy>();
  /** Of a hidden name the open ones under which something was set. */
  readonly #openNames = new Map<string, Set<string>>();
  /** The pauses that are over by themselves, and when, by Redis' clock. */
  readonly #endsOfPauses = new Map<string, number>();
  readonly #circuits = new Map<string, Circuit>();
  #version = -1;
  #workers = 1;

  constructor(
    private readonly store: FlowStore,
    /** It learns with each refresh. */
    private readonly clock: RedisClock,
    /** Monotonic milliseconds, as the clock reads them. */
    private readonly monotonic: () => number,
    /** A pause is over by itself. One worker of the fleet is told of each. */
    private readonly onPauseOver: (name: string, pause: Pause) => void,
    /** Told with each refresh. */
    private readonly onAsked: (asked: Asked) => void = () => undefined,
    /** A stored name as this process spells it now. */
    private readonly spelled: (name: string) => string = (name) => name,
  ) {}

  /** Workers of the whole fleet, this one included; >= 1. */
  get workers(): number {
    return this.#workers;
  }

  /** The time of Redis' clock, estimated, ms since the epoch: the clocks of the workers that share circuits differ. */
  now(): number {
    return this.clock.now();
  }

  /** The policy that holds for a flow, and which of its names it was set for; undefined: nothing was set. */
  policyFor(flow: Flow): { readonly name: string; readonly policy: FlowPolicy } | undefined {
    return this.#policies.size === 0 ? undefined : policyOf(this.#policies, flow);
  }

  isPaused(name: string): boolean {
    return this.#policies.get(name)?.isPaused === true;
  }

  /** Was something set for this name? */
  hasPolicy(name: string): boolean {
    return this.#policies.size > 0 && this.#policies.has(name);
  }

  circuit(host: string): Circuit | undefined {
    return this.#circuits.size === 0 ? undefined : this.#circuits.get(host);
  }

  circuits(): ReadonlyMap<string, Circuit> {
    return this.#circuits;
  }

  /** @returns the changes since the last call, pauses that are over among them. @throws when Redis fails */
  async refresh(): Promise<readonly ControlChange[]> {
    const askedAt = this.monotonic();
    const { version, isEverything, changes, now, workers, testSends, bulkActions } = await this.store.changesSince(this.#version);
    this.clock.learn(now, askedAt);
    this.#workers = Math.max(1, workers);
    if (isEverything) {
      this.#policies.clear();
      this.#stored.clear();
      this.#openNames.clear();
      this.#endsOfPauses.clear();
      this.#circuits.clear();
    }
    for (const change of changes) this.#adopt(change);
    this.#version = version;
    this.onAsked({ testSends, bulkActions });
    return this.#endsOfPauses.size === 0 ? changes : [...changes, ...this.#endPauses(now)];
  }

  /** Other paths are hidden now. */
  namesHaveChanged(): void {
    this.#openNames.clear();
    for (const [name, policy] of this.#stored) this.#setPolicy(name, policy);
  }

  /** Opens a circuit: here at once, for the others as soon as Redis has it. */
  async open(host: string, circuit: Circuit): Promise<void> {
    this.#circuits.set(host, circuit);
    const holding = await this.store.openCircuit(host, circuit);
    // A circuit that was closed here meanwhile stays closed: the later decision counts.
    if (this.#circuits.has(host)) this.#circuits.set(host, holding);
  }

  /** Who has probed an open circuit, and what came of it: here at once, for the others as soon as Redis has it. */
  async noteProbe(name: string, lastProbe: LastProbe): Promise<void> {
    const open = this.#circuits.get(name);
    if (open === undefined) return;
    const noted = { ...open, lastProbe };
    this.#circuits.set(name, noted);
    await this.store.noteProbe(name, noted);
  }

  /** Takes over a circuit that another worker opened, before the next refresh. */
  learn(host: string, circuit: Circuit): void {
    this.#circuits.set(host, circuit);
  }

  async close(host: string): Promise<void> {
    if (this.#circuits.delete(host)) await this.store.closeCircuits([host]);
  }

  #adopt(change: ControlChange): void {
    switch (change.kind) {
      case 'policy':
        this.#setPolicy(change.name, change.policy);
        break;
      case 'circuit':
        if (change.circuit === undefined) this.#circuits.delete(change.name);
        else this.#circuits.set(change.name, change.circuit);
        break;
    }
  }

  /** Each worker ends a pause by itself, so it does not matter which of them live, or whether Redis takes writes. */
  #endPauses(now: number): ControlChange[] {
    const ended = [...this.#endsOfPauses].filter(([, until]) => until <= now).map(([name]) => name);
    return ended.map((name) => {
      const before = this.#policies.get(name);
      const policy = policyAt(before, now);
      if (this.#stored.has(name)) this.#setPolicy(name, policy);
      else this.#hold(name, policy);
      void this.#removeEnded(name, before?.pause ?? {});
      return { kind: 'policy', name, policy };
    });
  }

  async #removeEnded(name: string, pause: Pause): Promise<void> {
    try {
      if (await this.store.removeEndedPause(name)) this.onPauseOver(name, pause);
    } catch {
      // Redis is away or full. The pause is over all the same, and a worker that starts later tries again.
    }
  }

  #setPolicy(name: string, policy: FlowPolicy | undefined): void {
    if (policy === undefined) this.#stored.delete(name);
    else this.#stored.set(name, policy);
    const spelled = this.spelled(name);
    if (spelled !== name) {
      this.#hold(name, policy);
      this.#openNames.set(spelled, (this.#openNames.get(spelled) ?? new Set()).add(name));
    }
    this.#hold(spelled, this.#joined(spelled));
  }

  /** What is stored under a name, and under the open ones that are hidden behind it. */
  #joined(name: string): FlowPolicy | undefined {
    let joined = this.#stored.get(name);
    for (const open of this.#openNames.get(name) ?? []) {
      const policy = this.#stored.get(open);
      if (policy !== undefined) joined = joined === undefined ? policy : joinedPolicy(joined, policy);
    }
    return joined;
  }

  #hold(name: string, policy: FlowPolicy | undefined): void {
    if (policy === undefined) this.#policies.delete(name);
    else this.#policies.set(name, policy);
    const until = endOfPause(policy);
    if (until === undefined) this.#endsOfPauses.delete(name);
    else this.#endsOfPauses.set(name, until);
  }
}
