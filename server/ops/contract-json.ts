import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

/** It is no file of its own, because a thread of Node 20 would not load one from the sources, which the tests run. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
parentPort.postMessage(JSON.stringify(require(workerData.library).parse(workerData.yaml)));
`;

/**
 * The contract as JSON. A thread of its own makes it: to parse the YAML takes up to half a second, in which this process would answer
 * no other request.
 * @param yaml docs/openapi.yaml
 */
export function contractAsJson(yaml: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(THREAD, { eval: true, workerData: { yaml, library: createRequire(import.meta.url).resolve('yaml') } });
    thread.once('message', (json: string) => resolve(json));
    thread.once('error', reject);
    // Behind a message this changes nothing.
    thread.once('exit', (code) => reject(new Error(`the thread that reads the contract ended with ${code}, without an answer`)));
  });
}
