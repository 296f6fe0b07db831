/**
 * Only this file spells the fields in a job's hash, for our Lua, our code and tests. The names are BullMQ's or are stored
 * in running installations, so a value never changes.
 */
export const jobField = {
  // ------------------------------------------------ BullMQ's
  /** The destination of a task, for people: see `jobNameOf` in task-codec.ts. */
  name: 'name',
  /** The task: see task-codec.ts. */
  data: 'data',
  /** Options as JSON; those of ours in it are `StoredOptions` of task-codec.ts. */
  options: 'opts',
  /** When it was submitted, ms since the epoch. */
  createdAt: 'timestamp',
  /** The wait that BullMQ last gave it, ms. */
  delay: 'delay',
  priority: 'priority',
  /** The task's log, a JSON array of texts: see log-codec.ts. */
  log: 'stacktrace',
  /** How often a worker fetched it; BullMQ's "attempts started". */
  fetches: 'ats',
  /** BullMQ's "attempts made". Failure fields are told by it from those that are out of date; else only people look at it. */
  attemptsMade: 'atm',
  /** How often a worker died with it; BullMQ never resets it. */
  stalls: 'stc',
  /** BullMQ's failure that a child of a flow left behind: our jobs have none, BullMQ looks for it all the same. */
  deferredFailure: 'defa',
  failedReason: 'failedReason',
  /** How a completed job ended: see `Completion` in log-codec.ts. */
  returnValue: 'returnvalue',
  /** When a worker last fetched it, ms since the epoch. */
  startedAt: 'processedOn',
  /** ms since the epoch. */
  finishedAt: 'finishedOn',
  /** Name of the worker that holds it, or held it last. */
  worker: 'pb',

  // ------------------------------------------------ ours
  /** Log entries of earlier runs. */
  history: 'history',
  /** How often it was redriven. */
  redrives: 'redrives',
  /** `fetches` at its last deferral: while both are the same it is still deferred. */
  deferredAt: 'deferred',
  /** Why it was last deferred. Older versions wrote it only for those that were deferred in bulk. */
  waitsFor: 'waitsFor',
  /** The waiting list it was last put into. */
  waitingList: 'lane',
  /** Since when it has had its place in a waiting list without a break, ms since the epoch by Redis' clock. It means nothing where it is in none. */
  heldAt: 'h',
  /** The `id` of its own flow in the dead phase, if it was last deferred among "the others" of its dead host: its search fields tell only that of its deliveries. */
  deadFlow: 'df',
  /** Its search fields: see search-fields.ts. */
  search: 'w',
  /** Its last failure: see failure-fields.ts. */
  failure: 'e',
  /** How often it was changed in its life; not there if never. The data has the same number. */
  edits: 'edits',
  /** By whom and when it was changed last: see edit-log.ts. */
  editLog: 'editlog',
  /** The Idempotency-Keys of its submissions, shortened, the one that began the run first: see admit-function.ts. */
  idempotencyKeys: 'ik',
  /** The bulk action that changed it last. */
  bulkAction: 'bulk',
  /** The bulk action that is told how its current run ends: see told-bulk-action.ts. */
  toldAction: 'told',
  /** The bulk action that has sent it now, until that send has ended: see told-bulk-action.ts. */
  sentNowBy: 'sn',
  /** The last count of the tasks of clients with a quota that has counted this one: see quota-lua.ts. */
  quotaMark: 'qm',
  /**
   * When something else than an attempt last moved or changed it (send now, redrive, the beginning and the end of a deferral, bulk deferral, edit), ms since the epoch by Redis' clock. Only
   * those that were have it.
   */
  movedAt: 'u',
} as const;
