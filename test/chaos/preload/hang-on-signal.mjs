// Loaded into a worker by NODE_OPTIONS: from SIGUSR2 on no fetch of a job is answered, as if a promise of a library never settled.
import { RedisQueueBackend } from 'bullmq';

let isHanging = false;
process.on('SIGUSR2', () => {
  isHanging = true;
});

const fetch = RedisQueueBackend.prototype.moveToActive;
RedisQueueBackend.prototype.moveToActive = function (...args) {
  // The start of a worker looks for this call in the text of the method.
  const call = 'this.execCommand(';
  return isHanging ? new Promise(() => call) : fetch.apply(this, args);
};
