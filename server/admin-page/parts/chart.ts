import uPlot from 'uplot';
import { useEffect, useRef, useState } from 'preact/hooks';
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
  /** What may lie between two lines of the grid, rising. Default: decimal steps. */
  readonly steps?: readonly number[];
}

const HEIGHT = 148;
/** Fewer points than these make no line that can be seen. */
const DOTS_BELOW = 4;

/** A chart over time. Its head shows the newest numbers, or those under the pointer. */
export function Chart({ title, times, lines, print, steps }: ChartProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const data = [times.map((at) => at / 1_000), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const shape = lines.map(({ label, colour }) => `${label} ${colour}`).join();

  useEffect(() => {
    const box = place.current;
    if (box === null) return undefined;
    const make = (): void => {
      chart.current?.destroy();
      chart.current = new uPlot(optionsFor({ width: box.clientWidth, lines, print, steps, point: setPointed }), data, box);
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

  const numberOf = ({ values }: Line): number | null => (pointed === null ? values.findLast((value) => value !== null) : values[pointed]) ?? null;
  const numbers = lines.map((line) => ({ ...line, number: numberOf(line) }));
  const at = pointed === null ? undefined : times[pointed];
  return html`<figure class="chart">
    <figcaption><strong>${title}</strong><span class="at">${at === undefined ? '' : timeOfDay(at / 1_000)}</span>
      <span class="legend">${numbers.map(({ label, colour, number }) => html`<span key=${label}><i class=${`line${colour}`}></i>${label} <b>${number === null ? '–' : print(number)}</b></span>`)}</span></figcaption>
    <div ref=${place} role="img" aria-label=${`${title}: ${numbers.map(({ label, number }) => `${label} ${number === null ? 'unknown' : print(number)}`).join(', ')}`}></div></figure>`;
}

/** @param at seconds since the epoch */
const timeOfDay = (at: number): string => localTime(new Date(at * 1_000), new Date()).replace(/:\d\d(?:\.\d+)?$/, '');

function optionsFor({ width, lines, print, steps, point }: Pick<ChartProps, 'lines' | 'print'> & { readonly steps: readonly number[] | undefined; readonly width: number; readonly point: (nth: number | null) => void }): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour('--soft'), font, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    padding: [8, 20, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    legend: { show: false },
    scales: { y: { range: (_chart, _min, max) => [0, Math.max(max * 1.15, 1)] } },
    axes: [
      { ...axis, space: 80, size: 24, grid: { show: false }, values: (_chart, ticks) => ticks.map(timeOfDay) },
      { ...axis, ...(steps === undefined ? {} : { incrs: [...steps] }), size: (_chart, ticks: string[] | null) => 20 + 6.5 * Math.max(4, ...(ticks ?? []).map(({ length }) => length)), space: 36, gap: 8, grid: { stroke: colour('--line'), width: 1 }, values: (_chart, ticks) => ticks.map((tick) => print(tick)) },
    ],
    series: [
      {},
      ...lines.map((line, nth) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.75,
        ...(nth === 0 ? { fill: `${colour(line.colour)}1c` } : {}),
        points: { show: (chart: uPlot) => (chart.data[nth + 1] ?? []).filter((value) => value !== null).length < DOTS_BELOW, size: 5 },
      })),
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => point(idx ?? null)] },
  };
}
