import { createServer } from 'node:http';
import { Queue } from 'bullmq';

/** The least that takes a batch over HTTP: node:http, JSON.parse, queue.addBulk. Checks nothing, knows no duplicates. */
const [redisPort = 0, prefix = ''] = process.argv.slice(2);
const queue = new Queue('bare', { connection: { host: '127.0.0.1', port: Number(redisPort) }, prefix });
await queue.waitUntilReady();
const server = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    // The baseline trusts its caller: that is what makes it a baseline.
    const tasks = JSON.parse(Buffer.concat(chunks).toString()) as { id: string; base_delay: number }[];
    const jobs = tasks.map((task) => ({ name: 'task', data: task, opts: { jobId: task.id, delay: task.base_delay * 1000 } }));
    void queue.addBulk(jobs).then((added) => {
      const answer = JSON.stringify({ counts: { created: added.length, refused: 0 } });
      res.writeHead(207, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
      res.end(answer);
    });
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
process.on('disconnect', () => process.exit(0));
