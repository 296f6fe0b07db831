import { isMap, isScalar, parseDocument } from 'yaml';

/** `api.replicas`, its default as JSON, and what the file says of it. */
type Row = readonly [name: string, value: string, about: string];

/** The values of a chart as a table in Markdown, by its values.yaml. */
export function valuesTable(yaml: string): string {
  const rows = rowsOf(parseDocument(yaml).contents, [], '').map(([name, value, about]) => `| \`${name}\` | \`${value}\` | ${about} |`);
  return `| value | default | |\n|---|---|---|\n${rows.join('\n')}`;
}

/** @param about comments of the maps that begin with this node */
function rowsOf(node: unknown, at: readonly string[], about: string): Row[] {
  if (!isMap(node) || node.items.length === 0) return [[at.join('.'), JSON.stringify(node), about]];
  return node.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`a name that is none below ${at.join('.')}`);
    // The comment of the first pair of a map belongs to the map, to the library.
    const comments = [...(index === 0 ? [about, node.commentBefore] : []), key.commentBefore];
    const text = comments.filter((comment) => typeof comment === 'string' && comment !== '').join(' ');
    return rowsOf(value, [...at, String(key.value)], text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim());
  });
}
