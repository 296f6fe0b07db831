/** How much a scenario does: the short form belongs to `npm test`, the long one is `npm run chaos`. */
export interface Profile {
  readonly name: 'short' | 'long';
  readonly workerKills: number;
  readonly apiKills: number;
  readonly redisKills: number;
  /** Deliberate outage, in seconds. */
  readonly outageSeconds: number;
  /** Tasks whose worker is killed at one exact moment. */
  readonly exactKills: number;
  readonly finishedRecords: number;
  /** Requests to misbehaving receivers, all kinds together. */
  readonly badAnswers: number;
  /** Of single calls whose time is limited, how many may be late: the short form runs on machines that do other things, too. */
  readonly shareOfNoise: number;
  /** From one version to the other and back. */
  readonly rollingUpdates: number;
  /** Tasks of a scenario in which the number matters little. */
  readonly tasks: number;
  /** Tasks of a bulk action, over how many seconds its rate spreads them, and how often a process is killed meanwhile. */
  readonly redrivenTasks: number;
  readonly bulkSeconds: number;
  readonly bulkKills: number;
  /** For how long each attacker of neighbours/ goes on, if it needs no more. */
  readonly attackSeconds: number;
  /** Requests a second of each client that is beside an attacker; there are twenty. */
  readonly innocentRequestsPerSecond: number;
}

const profiles: Readonly<Record<Profile['name'], Profile>> = {
  short: { name: 'short', workerKills: 4, apiKills: 2, redisKills: 1, outageSeconds: 6, exactKills: 2, finishedRecords: 20_000, badAnswers: 1_000, shareOfNoise: 0.03, rollingUpdates: 1, tasks: 100, redrivenTasks: 240, bulkSeconds: 4, bulkKills: 5, attackSeconds: 1.25, innocentRequestsPerSecond: 25 },
  long: { name: 'long', workerKills: 20, apiKills: 10, redisKills: 3, outageSeconds: 60, exactKills: 20, finishedRecords: 1_000_000, badAnswers: 10_000, shareOfNoise: 0, rollingUpdates: 3, tasks: 1_000, redrivenTasks: 5_000, bulkSeconds: 60, bulkKills: 40, attackSeconds: 5, innocentRequestsPerSecond: 50 },
};

/** CHAOS_PROFILE: short (the default) or long. */
export const profile: Profile = profiles[process.env['CHAOS_PROFILE'] === 'long' ? 'long' : 'short'];
