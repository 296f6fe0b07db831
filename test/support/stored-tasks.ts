import { readFile } from 'node:fs/promises';

/**
 * Fields of jobs, copied from a Redis that 0.1.0 wrote to. They never change; each later version adds its own file.
 * @param receiverUrl without a slash at the end: they go to its /hook, and dead to its /dead
 */
export async function tasksOf010(receiverUrl: string): Promise<(kind: 'retrying' | 'parked', id: string) => Record<string, string>> {
  const text = await readFile(new URL('../chaos/stored/by-0.1.0.json', import.meta.url), 'utf8');
  return (kind, id) => {
    // Written by hand beside the chaos tests.
    const jobs = JSON.parse(text.replaceAll('@RECEIVER@', receiverUrl).replaceAll('@ID@', id)) as Record<typeof kind, Record<string, string>>;
    return jobs[kind];
  };
}
