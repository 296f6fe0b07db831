import type { Flow } from '../../shared/domain/destinations/flow.js';
import { averageLatencyMs, endingSoon, hasHostRoom, hasRoom, isFullOfUnproven, mayStart, roomOfEndpoint, roomOfHost, speedOf, type Speed } from '../../shared/domain/flow/bulkhead-rules.js';
import { firstWindow, mayGrowInSilence, windowAfter, windowAtStart, windowInSilence } from '../../shared/domain/flow/send-window.js';
import type { EndpointSlots, Held, HostSlots, Slot } from './endpoint-slots.js';
import { FullWindows } from './full-windows.js';
import { KnownEndpoints } from './known-endpoints.js';
import { SlotLoads, type SlotLoadsOptions } from './slot-loads.js';

/** How many more tasks may be woken: they will start at once, or be held for a moment. */
export interface Room {
  readonly ofFlow: number;
  /** All flows of the host together. */
  readonly ofHost: number;
}

/** What a send says: failures in a row, or 0 where it was answered. */
export interface FailuresInARow {
  readonly ofEndpoint: number;
  readonly ofHost: number;
}

/** Endpoints of one host that are looked at for each slot that gets free: a thousand paths may wait, and each end of a send asks. */
const LOOKED_AT_ONCE = 8;

export interface SlotsOptions extends SlotLoadsOptions {
  /** Number of workers in the fleet, this one included; default 1. */
  readonly workers?: () => number;
  /** More sends may start, though none has ended: the window of this endpoint, or of its host, has grown. */
  readonly onGrown?: (endpoint: { readonly keyId: string; readonly hostId: string }) => void;
}

/**
 * Shares the slots of this process among hosts, and those of a host among its endpoints: gives a slot at once, after a short
 * hold, or not at all. The rules are pure and stand in shared/domain/flow (bulkhead-rules.ts, send-window.ts).
 */
export class Slots {
  readonly #known = new KnownEndpoints(() => this.#firstWindow);
  readonly #loads: SlotLoads;
  /** Hosts with tasks that wait in their slots. */
  readonly #holding = new Set<HostSlots>();
  readonly #fullWindows = new FullWindows<EndpointSlots>((endpoint) => this.#lookAtWindows(endpoint), (full, ms) => this.#wasDeaf(full, ms));
  #inFlight = 0;

  constructor(private readonly options: SlotsOptions) {
    this.#loads = new SlotLoads(options);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Endpoints remembered; bounded. */
  get remembered(): number {
    return this.#known.size;
  }

  /** Hosts remembered: not one more than endpoints. */
  get rememberedHosts(): number {
    return this.#known.hosts;
  }

  /**
   * @param ignoresWindow true: windows do not count, only shares of the slots
   * @returns undefined: the task has to be put back
   */
  enter(flow: Flow, ignoresWindow = false): Slot | undefined | Promise<Slot | undefined> {
    const endpoint = this.#known.of(flow);
    const { host } = endpoint;
    const { rules, now } = this.options;
    const at = now();
    if (endpoint.inFlight === 0) endpoint.window = windowAtStart(endpoint.window, at - endpoint.idleSince, this.#firstWindow);
    if (host.inFlight === 0) host.window = windowAtStart(host.window, at - host.idleSince, this.#firstWindow);
    this.#growInSilence(endpoint);
    const start = mayStart(this.#loads.ofEndpoint(endpoint, ignoresWindow, at), this.#loads.ofHost(host, ignoresWindow), this.#inFlight, rules);
    switch (start.kind) {
      case 'start':
        return this.#start(endpoint, at);
      case 'defer':
        endpoint.refused += 1;
        return undefined;
      case 'hold':
        endpoint.refused += 1;
        return this.#hold(endpoint, start.holdMs);
    }
  }

  /** Gives a slot whatever the rules say: for a single probe. */
  force(flow: Flow): Slot {
    return this.#start(this.#known.of(flow));
  }

  /** The send of the slot begins only now: it had to wait for a permission. */
  begin(slot: Slot): void {
    // Taken out and put back, because the first of the set has to be the oldest.
    if (!slot.endpoint.delete(slot)) return;
    slot.startedAt = this.options.now();
    slot.endpoint.add(slot);
  }

  /** @param failures this send included. @param at monotonic ms */
  leave(slot: Slot, failures: FailuresInARow, at = this.options.now()): void {
    const { endpoint } = slot;
    const { host } = endpoint;
    const inFlight = endpoint.inFlight;
    if (!this.#take(slot)) return;
    const { rules } = this.options;
    endpoint.failuresInARow = failures.ofEndpoint;
    host.failuresInARow = failures.ofHost;
    endpoint.latencyMs = averageLatencyMs(endpoint.latencyMs, at - slot.startedAt);
    endpoint.window = windowAfter(endpoint.window, inFlight, failures.ofEndpoint, rules.slots);
    host.window = windowAfter(host.window, host.inFlight, failures.ofHost, rules.slots);
    this.#freed(endpoint, at);
  }

  /** Gives a slot back from which nothing can be learnt: nothing was sent, or the failure was ours. */
  discard(slot: Slot): void {
    if (this.#take(slot)) this.#freed(slot.endpoint, this.options.now());
  }

  /** Windows grow no more by themselves, and held tasks are put back. */
  close(): void {
    this.#fullWindows.close();
    this.releaseHeld();
  }

  /** Refuses all tasks that are held: they are put back. */
  releaseHeld(): void {
    for (const host of this.#holding) {
      for (const { held } of host.holding) {
        for (const { timer, admit } of held.splice(0)) {
          clearTimeout(timer);
          admit(undefined);
        }
      }
      host.holding.clear();
      host.forgetTurns();
      host.held = 0;
    }
    this.#holding.clear();
  }

  room(flow: Flow, ignoresWindow = false): Room {
    const { rules } = this.options;
    const endpoint = this.#known.endpoint(flow.keyId);
    const host = this.#known.host(flow.hostId);
    if (endpoint !== undefined) this.#growInSilence(endpoint);
    const load = endpoint === undefined ? this.#loads.ofUnknownEndpoint(this.#firstWindow, ignoresWindow) : this.#loads.ofEndpoint(endpoint, ignoresWindow);
    const hostLoad = host === undefined ? this.#loads.ofUnknownHost(this.#firstWindow, ignoresWindow) : this.#loads.ofHost(host, ignoresWindow);
    const ending = endingSoon(load, rules);
    return {
      ofFlow: Math.max(0, roomOfEndpoint(load, hostLoad, this.#inFlight, rules) + ending - load.held),
      ofHost: Math.max(0, roomOfHost(load, hostLoad, this.#inFlight, rules) + ending - (host?.held ?? 0)),
    };
  }

  /** How soon it answers, as far as this process knows. */
  speedOf(flow: Flow): Speed {
    const endpoint = this.#known.endpoint(flow.keyId);
    return endpoint === undefined ? 'unknown' : speedOf(this.#loads.ofEndpoint(endpoint), this.options.rules);
  }

  /** @param id the `hostId` of a host, or the `keyId` of a flow. Sends to it begin slowly again, and its failures are forgotten. */
  restart(id: string): void {
    for (const one of [this.#known.host(id), this.#known.endpoint(id)]) {
      if (one === undefined) continue;
      one.window = Math.min(one.window, this.#firstWindow);
      one.failuresInARow = 0;
    }
  }

  get #firstWindow(): number {
    return firstWindow(this.options.workers?.() ?? 1);
  }

  /** @param at monotonic ms */
  #start(endpoint: EndpointSlots, at = this.options.now()): Slot {
    const { host, isQuick } = endpoint;
    const isTry = !isQuick && isFullOfUnproven(this.#loads.ofHost(host, true), this.#inFlight, this.options.rules);
    const slot: Slot = { endpoint, isTry, startedAt: at, older: undefined, newer: undefined };
    endpoint.add(slot);
    endpoint.refused = 0;
    if (host.inFlight === 0) host.busySince = slot.startedAt;
    host.inFlight += 1;
    if (!isQuick) host.unproven += 1;
    if (isTry) host.tries += 1;
    this.#inFlight += 1;
    if (this.#mayGrow(endpoint)) this.#fullWindows.add(endpoint);
    return slot;
  }

  /** @returns false: it had been given back before */
  #take(slot: Slot): boolean {
    const { endpoint, isTry } = slot;
    if (!endpoint.delete(slot)) return false;
    if (!endpoint.isQuick) endpoint.host.unproven -= 1;
    if (isTry) endpoint.host.tries -= 1;
    return true;
  }

  #freed(endpoint: EndpointSlots, at: number): void {
    const { host } = endpoint;
    this.#inFlight -= 1;
    host.inFlight -= 1;
    if (endpoint.inFlight === 0) endpoint.idleSince = at;
    if (host.inFlight === 0) host.idleSince = at;
    if (this.#holding.size === 0) return;
    this.#admitHeld(endpoint, at);
    if (this.#isAloneToHold(endpoint)) return;
    // One slot less in use raises the threshold of all hosts.
    for (const other of this.#holding) this.#admitHeldOf(other, at);
  }

  /** No other endpoint waits that would have to be looked at. */
  #isAloneToHold({ held, host }: EndpointSlots): boolean {
    return this.#holding.size === 1 && host.holding.size === 1 && held.length > 0;
  }

  /** Is one of its windows full, so that it grows when nothing is heard for a while? */
  #mayGrow(endpoint: EndpointSlots): boolean {
    const { host } = endpoint;
    const { rules, hasWindows } = this.options;
    return hasWindows && (mayGrowInSilence(endpoint.window, endpoint.inFlight, endpoint.failuresInARow, rules.slots) || mayGrowInSilence(host.window, host.inFlight, host.failuresInARow, rules.slots));
  }

  /** @returns whether one of its windows may still grow by itself */
  #lookAtWindows(endpoint: EndpointSlots): boolean {
    const { host } = endpoint;
    const before = [endpoint.window, host.window] as const;
    this.#growInSilence(endpoint);
    if (endpoint.window > before[0] || host.window > before[1]) {
      this.#admitHeld(endpoint);
      this.#admitHeldOf(host);
      this.options.onGrown?.({ keyId: endpoint.id, hostId: host.id });
    }
    return this.#mayGrow(endpoint);
  }

  /** For so long no answer could be heard, so it was no silence. */
  #wasDeaf(full: readonly EndpointSlots[], ms: number): void {
    const now = this.options.now();
    for (const endpoint of full) {
      endpoint.silentFrom = Math.min(now, Math.max(endpoint.silentFrom, endpoint.oldest?.startedAt ?? now) + ms);
    }
    for (const host of new Set(full.map((endpoint) => endpoint.host))) host.silentFrom = Math.min(now, Math.max(host.silentFrom, host.busySince) + ms);
  }

  #growInSilence(endpoint: EndpointSlots): void {
    const { host } = endpoint;
    if ((endpoint.inFlight < endpoint.window && host.inFlight < host.window) || this.#fullWindows.isDeaf) return;
    const { slots } = this.options.rules;
    if (endpoint.inFlight >= endpoint.window) {
      const at = this.options.now();
      const grown = windowInSilence(endpoint.window, endpoint.inFlight, endpoint.failuresInARow, at - Math.max(endpoint.oldest?.startedAt ?? at, endpoint.silentFrom), slots);
      if (grown > endpoint.window) [endpoint.window, endpoint.silentFrom] = [grown, at];
    }
    if (host.inFlight >= host.window) {
      const at = this.options.now();
      const grown = windowInSilence(host.window, host.inFlight, host.failuresInARow, at - Math.max(host.busySince, host.silentFrom), slots);
      if (grown > host.window) [host.window, host.silentFrom] = [grown, at];
    }
  }

  #hold(endpoint: EndpointSlots, holdMs: number): Promise<Slot | undefined> {
    const { host } = endpoint;
    return new Promise((admit) => {
      const held: Held = {
        admit,
        timer: setTimeout(() => {
          endpoint.held.splice(endpoint.held.indexOf(held), 1);
          host.held -= 1;
          this.#dropIfNoneIsHeld(endpoint);
          admit(undefined);
        }, holdMs),
      };
      endpoint.held.push(held);
      host.held += 1;
      host.hold(endpoint);
      this.#holding.add(host);
    });
  }

  /** The endpoints of a host take turns. @param at monotonic ms */
  #admitHeldOf(host: HostSlots, at = this.options.now()): void {
    for (let left = Math.min(host.holding.size, LOOKED_AT_ONCE); left > 0; left -= 1) {
      if (!hasHostRoom(this.#loads.ofHost(host), this.#inFlight, this.options.rules)) return;
      const endpoint = host.nextHolding();
      if (endpoint === undefined) return;
      this.#admitHeld(endpoint, at);
      if (!host.holding.delete(endpoint)) continue;
      host.holding.add(endpoint);
    }
  }

  /** @param at monotonic ms */
  #admitHeld(endpoint: EndpointSlots, at = this.options.now()): void {
    const { held, host } = endpoint;
    while (held.length > 0 && hasRoom(this.#loads.ofEndpoint(endpoint, false, at), this.#loads.ofHost(host), this.#inFlight, this.options.rules)) {
      const first = held.shift();
      host.held -= 1;
      clearTimeout(first?.timer);
      first?.admit(this.#start(endpoint, at));
    }
    this.#dropIfNoneIsHeld(endpoint);
  }

  #dropIfNoneIsHeld(endpoint: EndpointSlots): void {
    if (endpoint.held.length > 0) return;
    const { host } = endpoint;
    host.holding.delete(endpoint);
    if (host.holding.size > 0) return;
    host.forgetTurns();
    this.#holding.delete(host);
  }
}
