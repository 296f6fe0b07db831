// Preloaded (--import) into every process the launcher starts, so that server and workers need not know of it:
// when the launcher is killed (kill -9, closed laptop, out of memory) they drain and leave as if told to, instead of
// holding the port and working on behind the next start's back.
const leave = () => process.kill(process.pid, 'SIGTERM');
// Killed while this process was still loading, the launcher is gone before anybody could listen for it.
if (process.connected) process.once('disconnect', leave);
else leave();
// The listener alone would keep a process alive that has nothing else to do.
process.channel?.unref();

// The terminal may be gone with the launcher; a log line that nobody can read must not cut the draining short.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}
