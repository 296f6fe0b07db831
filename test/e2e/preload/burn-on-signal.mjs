// Loaded into a process by NODE_OPTIONS: when a test wants it, its event loop does nothing else for BURN_MS of CPU time.
process.on('SIGUSR2', () => {
  const until = performance.now() + Number(process.env.BURN_MS);
  while (performance.now() < until);
  process.stdout.write('the event loop goes on\n');
});
