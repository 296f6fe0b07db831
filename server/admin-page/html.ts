import htm from 'htm';
import { h, type VNode } from 'preact';

/** Markup as a template; what is put into it is text, never markup. */
export const html = htm.bind(h) as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;

/** What a component may be given, and may show. */
export type Shown = VNode | string | number | null | false | undefined | Shown[];
