/** What a variable is for that only one REDIS_MODE reads. */
const readIn = {
  REDIS_ADDR: 'standalone',
  REDIS_SENTINEL_ADDRS: 'sentinel',
  REDIS_MASTER_NAME: 'sentinel',
  REDIS_SENTINEL_PASSWORD: 'sentinel',
  REDIS_SENTINEL_TLS: 'sentinel',
  REDIS_CLUSTER_ADDRS: 'cluster',
} as const;

type OfOneMode = keyof typeof readIn;
type Mode = (typeof readIn)[OfOneMode];

/** Values of the variables; undefined: not set. */
export type RedisModeValues = { readonly [N in OfOneMode]?: unknown } & { readonly REDIS_MODE?: Mode | undefined };

/**
 * What is set for a mode that is not in force. Addresses of sentinels or of a cluster alone are a fault: without REDIS_ADDR the
 * process would take what listens on 127.0.0.1:6379, and tasks would go there. With REDIS_ADDR, or under another mode that has its own
 * addresses, the operator has said where Redis is, and a warning is enough: settings may stand ready for all modes.
 */
export function settingsOfOtherModes(values: RedisModeValues): { readonly faults: readonly string[]; readonly warnings: readonly string[] } {
  const { REDIS_MODE: mode } = values;
  // It is wrong itself, and named as that.
  if (mode === undefined) return { faults: [], warnings: [] };
  const faults: string[] = [];
  const warnings: string[] = [];
  for (const other of (['standalone', 'sentinel', 'cluster'] as const).filter((each) => each !== mode)) {
    const names = (Object.keys(readIn) as OfOneMode[]).filter((name) => readIn[name] === other && isSet(values[name]));
    if (names.length === 0) continue;
    const isAstray = mode === 'standalone' && !isSet(values.REDIS_ADDR) && names.some((name) => name.endsWith('_ADDRS'));
    const [are, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them'];
    const unread = `${names.join(', ')}: ${are} set, and nothing reads ${them} with REDIS_MODE=${mode}`;
    if (isAstray) faults.push(`${unread}: set REDIS_MODE=${other}, or REDIS_ADDR if one Redis is meant`);
    else warnings.push(`${unread}: set REDIS_MODE=${other}, or take ${them} away`);
  }
  return { faults, warnings };
}

/** `REDIS_SENTINEL_TLS=false` asks for nothing. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== false;
}
