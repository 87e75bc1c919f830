// SPDX-License-Identifier: GPL-2.0-only

/** Text that is HTML already. */
export class Markup {
  constructor(readonly text: string) {}
}

type Value = Markup | string | number | false | undefined | readonly Value[];

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

function textOf(value: Value): string {
  if (value instanceof Markup) return value.text;
  if (isList(value)) return value.map(textOf).join('');
  return value === false || value === undefined ? '' : escape(String(value));
}

/** HTML from a template: whatever is put in is escaped, but for markup that this has made. Names and log lines come from guests. */
export const html = (strings: TemplateStringsArray, ...values: readonly Value[]): Markup => new Markup(strings.map((part, index) => part + (index < values.length ? textOf(values[index]) : '')).join(''));
