/** One scrape: every series with its value, in the order of the text. */
export class Scrape {
  /** `kafka_retry_tasks{state="due"}` -> 3 */
  readonly series = new Map<string, number>();

  constructor(readonly text: string) {
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const at = line.lastIndexOf(' ');
      const name = line.slice(0, at);
      if (this.series.has(name)) throw new Error(`${name} stands twice in one scrape`);
      this.series.set(name, Number(line.slice(at + 1)));
    }
  }

  /** @throws Error when there is no such series */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = [...this.series].filter(([series]) => series === name || series.startsWith(`${name}{`)).filter(([series]) => hasLabels(series, labels));
    const [first, ...others] = found;
    if (first === undefined || others.length > 0) throw new Error(`${found.length} series of ${name} have ${JSON.stringify(labels)}`);
    return first[1];
  }

  /** The series of a metric that are not 0, as `{"http_server_error": 3}` by the values of their labels. */
  counted(name: string): Readonly<Record<string, number>> {
    const found = [...this.series].filter(([series, value]) => (series === name || series.startsWith(`${name}{`)) && value !== 0);
    return Object.fromEntries(found.map(([series, value]) => [[...series.matchAll(/="([^"]*)"/g)].map(([, label]) => label).join(' '), value]));
  }

  sum(name: string): number {
    return Object.values(this.counted(name)).reduce((sum, value) => sum + value, 0);
  }
}

function hasLabels(series: string, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => series.includes(`${name}="${value}"`));
}

/** @throws Error for another status than 200 */
export async function scrape(baseUrl: string, headers: Readonly<Record<string, string>> = {}): Promise<Scrape> {
  const answer = await fetch(`${baseUrl}/metrics`, { headers });
  if (answer.status !== 200) throw new Error(`/metrics answers ${answer.status}`);
  return new Scrape(await answer.text());
}
