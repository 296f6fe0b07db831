import type { Actor } from '../actor.js';
import type { Flow } from '../destinations/flow.js';

/** The key that stands for every send of the fleet, dead letters included. */
export const EVERYTHING = '*';

/** The limits that an operator set under one name. An absent field means that there is no such limit. */
export interface FlowLimits {
  /** Sends in flight, all workers together, >= 1. */
  readonly maxConcurrency?: number;
  /** Starts of sends in any second, all workers together, > 0; a fraction is a send every few seconds. */
  readonly ratePerSecond?: number;
  /** Sends beyond the even pace that may start at once after a lull, >= 1. Default 1: an even pace. */
  readonly burst?: number;
}

/** What is known of a pause. Times are milliseconds since the epoch, by Redis' clock. */
export interface Pause {
  /** Absent: a version that did not record it has paused the name. */
  readonly since?: number;
  /** The pause is over at this time by itself. Absent: it holds until an operator resumes the name. */
  readonly until?: number;
  readonly by?: Actor;
  readonly reason?: string;
}

/**
 * What an operator set for one name. The flag `isPaused` decides, and `pause` only describes: versions that know no
 * `pause` set and clear the flag alone.
 */
export interface FlowPolicy extends FlowLimits {
  /** Nothing is sent. */
  readonly isPaused?: boolean;
  readonly pause?: Pause;
}

/** @returns true when each send needs a permission from Redis */
export function isLimited(policy: FlowPolicy | undefined): policy is FlowPolicy {
  return policy !== undefined && (policy.maxConcurrency !== undefined || policy.ratePerSecond !== undefined);
}

/** The names that something can be set for, beside `*`. */
export type FlowNames = Pick<Flow, 'key' | 'endpoint' | 'host'>;

/**
 * The names whose settings hold for a flow, the nearest first. Some may be equal. A task that an older version took may have the
 * flow_key `*`: what was set for everything is not the nearest for it.
 */
export function namesOver({ key, endpoint, host }: FlowNames): readonly string[] {
  return key === EVERYTHING ? [endpoint, host, EVERYTHING] : [key, endpoint, host, EVERYTHING];
}

/**
 * The policy for a flow. Each of its names holds the send when it is paused. Of the limits only the nearest ones hold:
 * those of the key outrank those of the endpoint, these outrank those of the host, and all outrank those of `*`.
 * @returns the policy, and the name whose limits they are; undefined when nothing was set
 */
export function policyOf(byName: ReadonlyMap<string, FlowPolicy>, { key, endpoint, host }: FlowNames): { readonly name: string; readonly policy: FlowPolicy } | undefined {
  // No list of names is made here: this is asked for each send as soon as a single name has a policy.
  const ofKey = key === EVERYTHING ? undefined : byName.get(key);
  const ofEndpoint = endpoint === key ? undefined : byName.get(endpoint);
  const ofHost = host === key ? undefined : byName.get(host);
  const ofAll = byName.get(EVERYTHING);
  if (ofKey === undefined && ofEndpoint === undefined && ofHost === undefined && ofAll === undefined) return undefined;
  const isPaused = ofKey?.isPaused === true || ofEndpoint?.isPaused === true || ofHost?.isPaused === true || ofAll?.isPaused === true;
  if (isLimited(ofKey)) return { name: key, policy: { ...limitsIn(ofKey), isPaused } };
  if (isLimited(ofEndpoint)) return { name: endpoint, policy: { ...limitsIn(ofEndpoint), isPaused } };
  if (isLimited(ofHost)) return { name: host, policy: { ...limitsIn(ofHost), isPaused } };
  if (isLimited(ofAll)) return { name: EVERYTHING, policy: { ...limitsIn(ofAll), isPaused } };
  return { name: key, policy: { isPaused } };
}

/** The first of the names that has limits. */
export function limitsOver(byName: ReadonlyMap<string, FlowPolicy>, names: readonly string[]): { readonly name: string; readonly limits: FlowLimits } | undefined {
  for (const name of names) {
    const policy = byName.get(name);
    if (isLimited(policy)) return { name, limits: limitsIn(policy) };
  }
  return undefined;
}

/** The first of the names that is paused. */
export function pauseOver(byName: ReadonlyMap<string, FlowPolicy>, names: readonly string[]): { readonly name: string; readonly pause: Pause } | undefined {
  for (const name of names) {
    const policy = byName.get(name);
    if (policy?.isPaused === true) return { name, pause: policy.pause ?? {} };
  }
  return undefined;
}

/** When the pause is over by itself, in milliseconds since the epoch; undefined when it is not paused, or has no such end. */
export function endOfPause(policy: FlowPolicy | undefined): number | undefined {
  return policy?.isPaused === true ? policy.pause?.until : undefined;
}

/**
 * The policy as it holds at one time: without a pause that is over, be it by itself or by a version that clears the flag alone.
 * @returns undefined when nothing is left of it
 */
export function policyAt(policy: FlowPolicy | undefined, now: number): FlowPolicy | undefined {
  if (policy === undefined) return undefined;
  if (policy.isPaused === true && (endOfPause(policy) ?? now + 1) > now) return policy;
  const limits = limitsIn(policy);
  return Object.keys(limits).length === 0 ? undefined : limits;
}

/**
 * What holds where two names turn out to be one: a pause of either, and of two pauses the longer one; limits of the first, or those of the
 * second where the first has none. control-scripts.ts stores it by the same rule.
 */
export function joinedPolicy(first: FlowPolicy, second: FlowPolicy): FlowPolicy {
  const paused = [first, second].filter(({ isPaused }) => isPaused === true).sort((a, b) => (endOfPause(b) ?? Infinity) - (endOfPause(a) ?? Infinity) || 0)[0];
  return { ...limitsIn(isLimited(first) ? first : second), ...(paused === undefined ? {} : { isPaused: true, ...(paused.pause === undefined ? {} : { pause: paused.pause }) }) };
}

function limitsIn({ maxConcurrency, ratePerSecond, burst }: FlowLimits): FlowLimits {
  return {
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    ...(burst === undefined ? {} : { burst }),
  };
}
