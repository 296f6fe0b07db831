import type { Circuit } from '../../shared/domain/flow/circuit.js';
import type { Flow } from '../../shared/domain/flow/flow-key.js';
import { policyOf, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { ControlChange, FlowStore } from '../../shared/queue/flow/flow-store.js';

/**
 * This process' copy of what the fleet knows together: what operators set, and which circuits are open. Read without
 * waiting, for every send; brought up to date by `refresh`. What this process itself finds holds here at once.
 */
export class Controls {
  readonly #policies = new Map<string, FlowPolicy>();
  readonly #circuits = new Map<string, Circuit>();
  #version = -1;
  #aheadMs = 0;
  #workers = 1;

  constructor(
    private readonly store: FlowStore,
    private readonly clock: Clock,
  ) {}

  /** Of the whole fleet, this one included; >= 1. */
  get workers(): number {
    return this.#workers;
  }

  /** What Redis' clock says, as far as known: circuits are shared by workers whose own clocks differ. */
  now(): number {
    return this.clock() + this.#aheadMs;
  }

  /** What holds for a flow, and under which of its names; undefined: nothing was set. */
  policyFor({ key, host }: Flow): { readonly name: string; readonly policy: FlowPolicy } | undefined {
    return this.#policies.size === 0 ? undefined : policyOf(this.#policies, key, host);
  }

  circuit(host: string): Circuit | undefined {
    return this.#circuits.size === 0 ? undefined : this.#circuits.get(host);
  }

  circuits(): ReadonlyMap<string, Circuit> {
    return this.#circuits;
  }

  /** @returns what is new */
  async refresh(): Promise<readonly ControlChange[]> {
    const { version, isEverything, changes, now, workers } = await this.store.changesSince(this.#version);
    this.#aheadMs = now - this.clock();
    this.#workers = Math.max(1, workers);
    if (isEverything) {
      this.#policies.clear();
      this.#circuits.clear();
    }
    for (const change of changes) this.#adopt(change);
    this.#version = version;
    return changes;
  }

  /** Here at once, and for the others as soon as Redis has it. */
  async open(host: string, circuit: Circuit): Promise<void> {
    this.#circuits.set(host, circuit);
    const holding = await this.store.openCircuit(host, circuit);
    // Closed here meanwhile: the later word counts.
    if (this.#circuits.has(host)) this.#circuits.set(host, holding);
  }

  /** What somebody else wrote, seen before the next refresh. */
  learn(host: string, circuit: Circuit): void {
    this.#circuits.set(host, circuit);
  }

  async close(host: string): Promise<void> {
    if (this.#circuits.delete(host)) await this.store.closeCircuit(host);
  }

  #adopt(change: ControlChange): void {
    switch (change.kind) {
      case 'policy':
        if (change.policy === undefined) this.#policies.delete(change.name);
        else this.#policies.set(change.name, change.policy);
        break;
      case 'circuit':
        if (change.circuit === undefined) this.#circuits.delete(change.name);
        else this.#circuits.set(change.name, change.circuit);
        break;
    }
  }
}
