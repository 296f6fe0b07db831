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

/**
 * The policy for a flow. Either of its two names (key and host) may be paused. Limits of the key outrank those of the host.
 * @returns the policy, and the name whose limits they are
 */
export function policyOf(byName: ReadonlyMap<string, FlowPolicy>, key: string, host: string): { readonly name: string; readonly policy: FlowPolicy } | undefined {
  const own = byName.get(key);
  const ofHost = key === host ? undefined : byName.get(host);
  if (own === undefined) return ofHost === undefined ? undefined : { name: host, policy: ofHost };
  const isPaused = own.isPaused === true || ofHost?.isPaused === true;
  if (isLimited(own) || !isLimited(ofHost)) return { name: key, policy: { ...own, isPaused } };
  return { name: host, policy: { ...ofHost, isPaused } };
}
