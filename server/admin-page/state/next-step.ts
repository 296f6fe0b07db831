/** What a person does about a reason of GET /status that no view of this page shows more of. docs/OPERATIONS.md says it at length under "When an alert fires". */
const nextSteps: Readonly<Record<string, string>> = {
  no_worker: 'Start one: npm run worker. No task is lost meanwhile.',
  redis_unavailable: 'Look at Redis. The API and the workers go on by themselves when it is back: do not restart them.',
  shard_away: 'Look at those masters of Redis. Their tasks go on by themselves.',
  redis_memory: 'Give Redis more memory. What is delivered makes room as well.',
};

/** undefined where a view shows more, or the reason says what to do by itself. */
export const nextStepOf = (code: string): string | undefined => (Object.hasOwn(nextSteps, code) ? nextSteps[code] : undefined);
