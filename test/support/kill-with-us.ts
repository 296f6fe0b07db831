import type { ChildProcess } from 'node:child_process';

const children = new Set<ChildProcess>();

// One listener for all: Node takes more than ten of them for a leak, and a rolling restart has that many children.
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Kills the child when this process ends before it. A test run that is cut short leaves nothing running. */
export function killWithUs(child: ChildProcess): void {
  children.add(child);
  const forget = (): void => { children.delete(child); };
  child.once('exit', forget);
  child.once('error', forget);
}
