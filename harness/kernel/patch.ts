// SPDX-License-Identifier: GPL-2.0-only
import { parsePatch } from 'diff';
import { InputError } from '../host/errors.ts';

export interface Patch {
  /** File name, or the subject where it came by mail. */
  readonly name: string;
  readonly title: string;
  /** A unified diff, its bytes as latin1; what precedes it is ignored by patch(1). */
  readonly text: string;
  /** As it came, with its message; absent for a bare diff. */
  readonly mail?: string;
  /** Paths below the tree that it reads or writes. */
  readonly files: readonly string[];
}

/**
 * A mail's signature ("-- ", then git's version or a list's footer) looks like removed lines once a hunk is over:
 * what stands between the end of one hunk and the next header is dropped from there on.
 */
export function withoutSignature(text: string): string {
  const kept: string[] = [];
  let [old, fresh] = [0, 0];
  let signature = false;
  for (const line of text.split('\n')) {
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (old <= 0 && fresh <= 0) {
      if (hunk !== null || /^(?:diff |--- \S|Index: )/.test(line)) signature = false;
      else if (line === '-- ') signature = true;
    }
    if (signature) continue;
    kept.push(line);
    if (hunk !== null) [old, fresh] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
    else if (old > 0 || fresh > 0) {
      if (!line.startsWith('+') && !line.startsWith('\\')) old--;
      if (!line.startsWith('-') && !line.startsWith('\\')) fresh--;
    }
  }
  const joined = kept.join('\n');
  return joined.endsWith('\n') ? joined : `${joined}\n`;
}

/** @throws InputError where the text holds no diff, or names a file outside the tree. */
export function makePatch(name: string, title: string, whole: string): Patch {
  const text = withoutSignature(whole);
  const files = new Set<string>();
  let parsed: ReturnType<typeof parsePatch>;
  try {
    parsed = parsePatch(text);
  } catch (cause) {
    throw new InputError('series.unreadable', `${name} is no unified diff (${cause instanceof Error ? cause.message : ''})`, {
      hint: 'make it with git format-patch or diff -u',
      cause,
    });
  }
  for (const { oldFileName, newFileName } of parsed)
    for (const file of [oldFileName, newFileName]) {
      if (file === undefined || file === '/dev/null') continue;
      const path = file.replace(/\t.*$/, '').split('/').slice(1).join('/');
      if (path === '' || path.split('/').includes('..'))
        throw new InputError('series.unreadable', `${name} changes ${file}, which is outside the tree`, { hint: 'patches apply with -p1' });
      files.add(path);
    }
  if (files.size === 0) throw new InputError('series.empty', `${name} changes nothing`, { hint: 'give a patch that holds a diff' });
  return { name, title, text, files: [...files] };
}
