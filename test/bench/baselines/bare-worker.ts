import { Worker } from 'bullmq';
import { Agent, request } from 'undici';

/** The least that delivers: a BullMQ Worker whose processor is one undici request. No records, no log. */
const [redisPort = 0, prefix = '', concurrency = 0, db = 0] = process.argv.slice(2);
const dispatcher = new Agent();

const worker = new Worker<{ url: string; body: string }>(
  'bare',
  async (job) => {
    const { statusCode, body } = await request(job.data.url, {
      method: 'POST',
      body: job.data.body,
      headers: { 'content-type': 'application/json', 'x-message-key': `${job.id}|${job.attemptsMade}` },
      dispatcher,
    });
    await body.dump();
    if (statusCode >= 300) throw new Error(`HTTP ${statusCode}`);
  },
  { connection: { host: '127.0.0.1', port: Number(redisPort), db: Number(db), maxRetriesPerRequest: null }, prefix, concurrency: Number(concurrency) },
);
worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)));
