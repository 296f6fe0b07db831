import { Queue } from 'bullmq';
import express from 'express';

/** What one writes first: Express, express.json, queue.add. Checks nothing, knows no duplicates. */
const [redisPort = 0, prefix = ''] = process.argv.slice(2);
const queue = new Queue('bare', { connection: { host: '127.0.0.1', port: Number(redisPort) }, prefix });
const app = express();
app.post('/tasks', express.json({ limit: '6mb' }), async (req, res) => {
  // The baseline trusts its caller: that is what makes it a baseline.
  const task = req.body as { id: string; base_delay: number };
  await queue.add('task', task, { jobId: task.id, delay: task.base_delay * 1000 });
  res.status(201).json({ message: `Task ${task.id} scheduled successfully` });
});
await queue.waitUntilReady();
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
process.on('disconnect', () => process.exit(0));
