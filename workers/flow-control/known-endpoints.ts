import type { Flow } from '../../shared/domain/destinations/flow.js';
import { EndpointSlots, HostSlots } from './endpoint-slots.js';

/** How many endpoints are remembered while nothing is sent to them: one costs some 500 bytes. */
const MAX_REMEMBERED = 10_000;
const FORGOTTEN_AT_ONCE = 1_000;

/** The endpoints that have slots or had some lately, and their hosts; bounded. */
export class KnownEndpoints {
  readonly #endpoints = new Map<string, EndpointSlots>();
  readonly #hosts = new Map<string, HostSlots>();

  /** @param firstWindow the window that an unknown endpoint or host begins with */
  constructor(private readonly firstWindow: () => number) {}

  get size(): number {
    return this.#endpoints.size;
  }

  /** Hosts: not one more than endpoints. */
  get hosts(): number {
    return this.#hosts.size;
  }

  endpoint(keyId: string): EndpointSlots | undefined {
    return this.#endpoints.get(keyId);
  }

  host(hostId: string): HostSlots | undefined {
    return this.#hosts.get(hostId);
  }

  of({ keyId, hostId }: Flow): EndpointSlots {
    const known = this.#endpoints.get(keyId);
    if (known !== undefined) return known;
    this.#forgetSome();
    const host = this.#hostOf(hostId);
    host.endpoints += 1;
    const made = new EndpointSlots(keyId, host, this.firstWindow());
    this.#endpoints.set(keyId, made);
    return made;
  }

  #hostOf(id: string): HostSlots {
    const known = this.#hosts.get(id);
    if (known !== undefined) return known;
    const made = new HostSlots(id, this.firstWindow());
    this.#hosts.set(id, made);
    return made;
  }

  /** Many at once, oldest first: the search for the oldest entry of a Map gets slower with each one deleted before it. */
  #forgetSome(): void {
    if (this.#endpoints.size < MAX_REMEMBERED) return;
    let left = FORGOTTEN_AT_ONCE;
    for (const [id, endpoint] of this.#endpoints) {
      if (!endpoint.isIdle) continue;
      this.#endpoints.delete(id);
      const { host } = endpoint;
      host.endpoints -= 1;
      if (host.endpoints === 0) this.#hosts.delete(host.id);
      left -= 1;
      if (left === 0) return;
    }
  }
}
