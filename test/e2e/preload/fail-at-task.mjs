// Loaded into a worker by NODE_OPTIONS: it fails, in the way that FAULT says, each time when it has sent the task FAULT_AT.
import { Socket } from 'node:net';

const { write } = Socket.prototype;

Socket.prototype.write = function (chunk, ...rest) {
  const result = write.call(this, chunk, ...rest);
  if (isSent(chunk)) fail();
  return result;
};

/** @param {unknown} chunk the head of a request, alone or with its body behind it */
function isSent(chunk) {
  const text = chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1') : String(chunk);
  return text.startsWith('POST ') && text.includes(process.env.FAULT_AT);
}

function fail() {
  switch (process.env.FAULT) {
    case 'exception':
      setImmediate(() => {
        throw new Error('thrown by a test');
      });
      break;
    case 'rejection':
      void Promise.reject(new Error('thrown by a test'));
      break;
    case 'undefined':
      setImmediate(() => {
        throw undefined;
      });
      break;
    case 'null':
      setImmediate(() => {
        throw null;
      });
      break;
    case 'text':
      void Promise.reject('thrown by a test');
      break;
    case 'nothing':
      void Promise.reject();
      break;
    case 'unprintable':
      setImmediate(() => {
        throw new Proxy({}, { get: () => { throw new Error('it cannot be looked at'); }, getPrototypeOf: () => { throw new Error('it cannot be looked at'); } });
      });
      break;
    default:
      throw new Error(`FAULT is ${process.env.FAULT}`);
  }
}
