import type { Flow } from '../destinations/flow.js';

/** What an operator set for one destination. An absent field means that there is no such limit. */
export interface FlowPolicy {
  /** Sends in flight, all workers together, >= 1. */
  readonly maxConcurrency?: number;
  /** Starts of sends in any second, all workers together, > 0; a fraction is a send every few seconds. */
  readonly ratePerSecond?: number;
  /** Sends beyond the even pace that may start at once after a lull, >= 1. Default 1: an even pace. */
  readonly burst?: number;
  /** Nothing is sent. */
  readonly isPaused?: boolean;
}

/** @returns true when each send needs a permission from Redis */
export function isLimited(policy: FlowPolicy | undefined): policy is FlowPolicy {
  return policy !== undefined && (policy.maxConcurrency !== undefined || policy.ratePerSecond !== undefined);
}

/** The names that something can be set for: key, endpoint and host. */
export type FlowNames = Pick<Flow, 'key' | 'endpoint' | 'host'>;

/**
 * The policy for a flow. Each of its names may be paused. Limits of the key outrank those of the endpoint, and these outrank
 * those of the host.
 * @returns the policy, and the name whose limits they are
 */
export function policyOf(byName: ReadonlyMap<string, FlowPolicy>, { key, endpoint, host }: FlowNames): { readonly name: string; readonly policy: FlowPolicy } | undefined {
  const own = byName.get(key);
  const ofEndpoint = endpoint === key ? undefined : byName.get(endpoint);
  const ofHost = host === key ? undefined : byName.get(host);
  const isPaused = own?.isPaused === true || ofEndpoint?.isPaused === true || ofHost?.isPaused === true;
  const nearestLimited = isLimited(own) ? key : isLimited(ofEndpoint) ? endpoint : isLimited(ofHost) ? host : undefined;
  const nearest = own !== undefined ? key : ofEndpoint !== undefined ? endpoint : host;
  const name = nearestLimited ?? nearest;
  const policy = byName.get(name);
  return policy === undefined ? undefined : { name, policy: { ...policy, isPaused } };
}
