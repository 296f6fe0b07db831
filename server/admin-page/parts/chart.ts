import uPlot from 'uplot';
import { useEffect, useRef } from 'preact/hooks';
import type { VNode } from 'preact';

import { html } from '../html.js';
import { localTime } from '../state/format.js';

export interface Line {
  readonly label: string;
  /** The name of a colour of page.css, such as `--good`. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** ms since the epoch */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly print: (value: number) => string;
}

const HEIGHT = 160;

/** A chart over time. The legend below it shows the numbers under the pointer. */
export function Chart({ title, times, lines, print }: ChartProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const data = [times.map((at) => at / 1_000), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const shape = lines.map(({ label, colour }) => `${label} ${colour}`).join();

  useEffect(() => {
    const box = place.current;
    if (box === null) return undefined;
    const make = (): void => {
      chart.current?.destroy();
      chart.current = new uPlot(optionsFor({ width: box.clientWidth, lines, print }), data, box);
    };
    make();
    const watched = new ResizeObserver(() => chart.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    watched.observe(box);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', make);
    return () => {
      watched.disconnect();
      scheme.removeEventListener('change', make);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [shape]);
  useEffect(() => chart.current?.setData(data), [times, lines]);

  const latest = lines.map(({ label, values }) => `${label} ${print(values.findLast((value) => value !== null) ?? 0)}`).join(', ');
  return html`<figure class="chart"><figcaption>${title}</figcaption><div ref=${place} role="img" aria-label=${`${title}: now ${latest}`}></div></figure>`;
}

/** @param at seconds since the epoch */
const timeOfDay = (at: number): string => localTime(new Date(at * 1_000), new Date()).replace(/:\d\d(?:\.\d+)?$/, '');

function optionsFor({ width, lines, print }: Pick<ChartProps, 'lines' | 'print'> & { readonly width: number }): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = '11px system-ui, sans-serif';
  const axis = { stroke: colour('--soft'), font, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_chart, _min, max) => [0, Math.max(max * 1.1, 1)] } },
    axes: [{ ...axis, space: 70, values: (_chart, ticks) => ticks.map(timeOfDay) }, { ...axis, size: 72, values: (_chart, ticks) => ticks.map((tick) => print(tick)) }],
    series: [
      { label: 'at', value: (_chart, at: number | null) => (at === null ? '–' : timeOfDay(at)) },
      ...lines.map((line) => ({ label: line.label, stroke: colour(line.colour), width: 1.5, points: { show: false }, value: (_chart: uPlot, value: number | null) => (value === null ? '–' : print(value)) })),
    ],
  };
}
