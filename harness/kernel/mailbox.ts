// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { attempt, run } from '../host/command.ts';
import { InputError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { temporaryDirectory } from '../host/temporary.ts';
import { makePatch, type Patch } from './patch.ts';

/** Patches in their order, and what the cover letter says they are, where there is one. */
export interface Mailbox {
  readonly patches: readonly Patch[];
  readonly cover?: string;
  /** The commit that the series was made on, where git format-patch --base or b4 wrote it down. */
  readonly baseCommit?: string;
}

/** The trailer of `git format-patch --base`. */
const BASE_COMMIT = /^base-commit: ([0-9a-f]{40})\s*$/m;

/** A file of one diff or of mails. */
export async function readPatchFile(path: string): Promise<Mailbox> {
  const content = await readFile(path).catch((cause: unknown) => {
    throw new InputError('series.unreadable', `can not read the patch ${path}`, { hint: 'check the path', cause });
  });
  if (content.subarray(0, 5).toString('latin1') === 'From ')
    return await splitMails(content, basename(path));
  const title = /^Subject: (?:\[[^\]]*\] *)?(.+)$/m.exec(content.toString('utf8'))?.[1] ?? basename(path);
  const text = content.toString('latin1');
  return { patches: [{ ...makePatch(basename(path), title, text), mail: text }], ...baseOf([text]) };
}

/** A maildir, as `b4 am --maildir` leaves it: mails are files of new/ and cur/. */
export const isMaildir = (path: string): boolean => ['new', 'cur'].every((name) => existsSync(join(path, name)));

const baseOf = (mails: readonly string[]): { readonly baseCommit?: string } => {
  const found = mails.map((mail) => BASE_COMMIT.exec(mail)?.[1]).find((commit) => commit !== undefined);
  return found === undefined ? {} : { baseCommit: found };
};

/**
 * Lets git take mails apart: it knows transfer encodings, scissors and CR LF.
 * @param mailbox an mbox, or the path of a maildir
 */
export async function splitMails(mailbox: Buffer | string, name: string): Promise<Mailbox> {
  return await Scope.run(async (scope) => {
    const directory = await temporaryDirectory(scope, 'mail');
    if (typeof mailbox === 'string') await run(['git', 'mailsplit', `-o${directory}`, '--', mailbox]);
    else await run(['git', 'mailsplit', `-o${directory}`], { input: mailbox });
    const raws: string[] = [];
    const found: { order: number; patch: Patch }[] = [];
    let cover: string | undefined;
    for (const [index, mail] of (await readdir(directory)).sort().entries()) {
      const [message, body] = [join(directory, `${mail}.msg`), join(directory, `${mail}.diff`)];
      const info = await attempt(['git', 'mailinfo', message, body], { input: await readFile(join(directory, mail)), cwd: directory });
      const text = await readFile(body, 'latin1').catch(() => '');
      const raw = await readFile(join(directory, mail), 'latin1');
      raws.push(raw);
      const subject = /^Subject: ((?:.+)(?:\n[ \t].+)*)$/m.exec(raw)?.[1] ?? '';
      const number = Number(/\b(\d+)\/\d+\]/.exec(subject)?.[1] ?? index + 1);
      const title = /^Subject: (.+)$/m.exec(info.stdout)?.[1] ?? name;
      // A reply is no patch, even if it proposes one.
      if (/^re:/i.test(subject)) continue;
      if (info.exitCode !== 0 || !/^(?:diff |--- )/m.test(text)) {
        // A cover letter is number nought.
        if (number === 0) cover ??= title;
        continue;
      }
      found.push({ order: number, patch: { ...makePatch(title, title, text), mail: raw } });
    }
    return { patches: found.sort((a, b) => a.order - b.order).map(({ patch }) => patch), ...(cover === undefined ? {} : { cover }), ...baseOf(raws) };
  });
}
