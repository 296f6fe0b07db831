// Preloaded (--import) into every process the launcher starts, so that server and workers need not know of it:
// when the launcher is killed (kill -9, closed laptop, out of memory) they drain and leave as if told to, instead of
// holding the port, and working on while the next start does not know of them.
const leave = () => process.kill(process.pid, 'SIGTERM');
// The launcher may have been killed while this process was still loading: then there was no event to hear.
if (process.connected) process.once('disconnect', leave);
else leave();
// The listener alone would keep a process alive that has nothing else to do.
process.channel?.unref();

// The terminal may be gone with the launcher; a log line that cannot be written must not cut the draining short.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}
