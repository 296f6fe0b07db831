// Loaded into a worker by NODE_OPTIONS: an uncaught bug, at the moment a test wants it.
process.on('SIGUSR2', () => {
  setTimeout(() => {
    throw new Error('thrown by a test');
  }, 1);
});
