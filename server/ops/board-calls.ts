/**
 * Every call that the router of Bull Board knows, and which role may make it. `nobody`: it would break tasks, or means
 * nothing here; such a change is 405 for those who may make others.
 *
 * This is the list of what is allowed: a path that is not in it leads nowhere. A test compares it with the board's own router, so a call that
 * a new version brings fails the test until somebody has decided about it.
 */
export const boardCalls = {
  'GET /': 'read',
  'GET /metrics-history': 'nobody',
  'GET /job-schedulers': 'nobody',
  'GET /queue/:queueName': 'read',
  'GET /queue/:queueName/:jobId': 'read',

  'GET /api/redis/stats': 'read',
  'GET /api/queues': 'read',
  'GET /api/job-schedulers': 'nobody',
  'GET /api/queues/:queueName/metrics': 'read',
  'GET /api/queues/:queueName/default-job-options': 'read',
  'GET /api/queues/:queueName/workers': 'read',
  'GET /api/queues/:queueName/rate-limit': 'read',
  'GET /api/queues/:queueName/job-data-schema': 'read',
  'GET /api/queues/:queueName/:jobId': 'read',
  'GET /api/queues/:queueName/:jobId/logs': 'read',
  'GET /api/queues/:queueName/:jobId/flow': 'read',

  'PUT /api/queues/:queueName/:jobId/retry': 'operate',
  // Of the failed ones alone.
  'PUT /api/queues/:queueName/retry/:queueStatus': 'operate',

  'PUT /api/queues/pause': 'nobody',
  'PUT /api/queues/resume': 'nobody',
  'POST /api/queues/:queueName/add': 'nobody',
  'PUT /api/queues/:queueName/promote': 'nobody',
  'PUT /api/queues/:queueName/clean/:queueStatus': 'nobody',
  'PUT /api/queues/:queueName/pause': 'nobody',
  'PUT /api/queues/:queueName/resume': 'nobody',
  'PUT /api/queues/:queueName/concurrency': 'nobody',
  'PUT /api/queues/:queueName/rate-limit': 'nobody',
  'PUT /api/queues/:queueName/rate-limit/release': 'nobody',
  'PUT /api/queues/:queueName/empty': 'nobody',
  'PUT /api/queues/:queueName/obliterate': 'nobody',
  'PUT /api/queues/:queueName/job-schedulers/:schedulerId/remove': 'nobody',
  'PATCH /api/queues/:queueName/job-schedulers/:schedulerId': 'nobody',
  'PUT /api/queues/:queueName/job-schedulers/:schedulerId/run': 'nobody',
  'PUT /api/queues/:queueName/:jobId/clean': 'nobody',
  'PUT /api/queues/:queueName/:jobId/promote': 'nobody',
  'PATCH /api/queues/:queueName/:jobId/update-data': 'nobody',
  'PATCH /api/queues/:queueName/:jobId/delay': 'nobody',
  'PATCH /api/queues/:queueName/:jobId/priority': 'nobody',
  'PUT /api/queues/:queueName/:jobId/remove-unprocessed-children': 'nobody',
} as const satisfies Readonly<Record<string, 'read' | 'operate' | 'nobody'>>;
