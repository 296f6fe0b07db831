import type { Redis } from 'ioredis';

/** Microseconds of CPU that the Redis server has used since its start, its background threads included. */
export async function redisCpuUs(redis: Redis): Promise<number> {
  const info = parseInfo(await redis.info('cpu'));
  return (Number(info.get('used_cpu_user')) + Number(info.get('used_cpu_sys'))) * 1_000_000;
}

export async function usedMemoryBytes(redis: Redis): Promise<number> {
  return Number(parseInfo(await redis.info('memory')).get('used_memory'));
}

export interface CommandReading {
  readonly command: string;
  readonly calls: number;
  readonly us: number;
}

/** Since CONFIG RESETSTAT, the most expensive first. Time inside a script is the script's, and its commands' once more. */
export async function commandReadings(redis: Redis): Promise<CommandReading[]> {
  const readings = [...parseInfo(await redis.info('commandstats'))].map(([name, text]) => {
    const fields = new Map(text.split(',').map((field) => field.split('=') as [string, string]));
    return { command: name.replace('cmdstat_', ''), calls: Number(fields.get('calls')), us: Number(fields.get('usec')) };
  });
  return readings.sort((a, b) => b.us - a.us);
}

function parseInfo(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^([^:#\r\n]+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]));
}
