import { Worker } from 'bullmq';
import { connectBatchingProducer } from './kafka-batches.js';

/** A BullMQ Worker whose processor is one message to Kafka. Arguments: Redis port, prefix, concurrency, broker, topic. */
const [redisPort = 0, prefix = '', concurrency = 0, broker = '', topic = ''] = process.argv.slice(2);
const send = await connectBatchingProducer(broker, topic);

const worker = new Worker<{ body: string }>('bare', (job) => send(`${job.id}|${job.attemptsMade}`, job.data.body), {
  connection: { host: '127.0.0.1', port: Number(redisPort), maxRetriesPerRequest: null },
  prefix,
  concurrency: Number(concurrency),
});
worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)));
