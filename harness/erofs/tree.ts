// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import { pack, type Pack } from 'tar-stream';
import { seededBytes } from './content.ts';

/** A part of a file; what no segment covers is a hole. Offsets and lengths in bytes. */
export type Segment =
  | { readonly offset: number; readonly length: number; readonly seed: number }
  /** The bytes of a program: where the host has it, and where every guest has the same. */
  | { readonly offset: number; readonly length: number; readonly hostFile: string; readonly guestFile: string };

interface Common {
  /** Below the root, without a leading slash; "" is the root itself. */
  readonly path: string;
  /** Permission bits, set-id and sticky bits included. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtimeSeconds?: number;
  readonly mtimeNanoseconds?: number;
  readonly xattrs?: Readonly<Record<string, Buffer>>;
  /** Where an image has other bytes than getxattr(2) gives; bytes below 0x80 only, like those of `xattrs`. */
  readonly storedXattrs?: Readonly<Record<string, Buffer>>;
}

export type Entry = Common &
  (
    | { readonly type: 'directory' | 'fifo' }
    | { readonly type: 'file'; readonly sizeBytes: number; readonly segments: readonly Segment[] }
    | { readonly type: 'symlink'; readonly target: string }
    | { readonly type: 'character' | 'block'; readonly major: number; readonly minor: number }
    /** Another name of an earlier file. */
    | { readonly type: 'link'; readonly target: string }
  );

/** A described tree: what an image is made from, and what the mounted image is compared with. Parents come first. */
export type Tree = readonly Entry[];

export const DEFAULT_MTIME_SECONDS = 1_700_000_000;
const TAR_TYPES = { directory: 'directory', fifo: 'fifo', file: 'file', symlink: 'symlink', character: 'character-device', block: 'block-device', link: 'link' } as const;

/** A file of one seed. */
export const file = (path: string, sizeBytes: number, seed: number, rest: Partial<Common> = {}): Entry => ({
  type: 'file',
  path,
  mode: 0o644,
  sizeBytes,
  segments: sizeBytes === 0 ? [] : [{ offset: 0, length: sizeBytes, seed }],
  ...rest,
});

export async function contentOf(entry: Entry & { readonly type: 'file' }): Promise<Buffer> {
  const content = Buffer.alloc(entry.sizeBytes);
  for (const segment of entry.segments) {
    const bytes = 'seed' in segment ? seededBytes(segment.seed, segment.offset, segment.length) : (await readFile(segment.hostFile)).subarray(0, segment.length);
    bytes.copy(content, segment.offset);
  }
  return content;
}

/** The tree as a tar archive (pax), which needs no privileges to hold owners, devices and trusted xattrs. */
export function tarOf(tree: Tree): Pack {
  const archive = pack();
  const write = async () => {
    for (const entry of tree) await add(archive, entry);
    archive.finalize();
  };
  write().catch((error: unknown) => {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return archive;
}

async function add(archive: Pack, entry: Entry): Promise<void> {
  const header: Parameters<Pack['entry']>[0] = {
    name: `./${entry.path}`,
    type: TAR_TYPES[entry.type],
    mode: entry.mode,
    uid: Math.min(entry.uid ?? 0, LARGEST_OCTAL_ID),
    gid: Math.min(entry.gid ?? 0, LARGEST_OCTAL_ID),
    pax: paxOf(entry),
    ...(entry.type === 'symlink' ? { linkname: entry.target } : entry.type === 'link' ? { linkname: `./${entry.target}` } : {}),
    ...(entry.type === 'character' || entry.type === 'block' ? { devmajor: entry.major, devminor: entry.minor } : {}),
  };
  const content = entry.type === 'file' ? await contentOf(entry) : undefined;
  await new Promise<void>((resolve, reject) => {
    const done = (error?: Error | null) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    };
    if (content === undefined) archive.entry(header, done);
    else archive.entry({ ...header, size: content.length }, content, done);
  });
}

/** What seven octal digits of ustar hold. */
const LARGEST_OCTAL_ID = 0o7777777;

/** What ustar has no room for: parts of seconds, large ids, xattrs (as star and GNU tar write them). @throws RangeError */
function paxOf(entry: Entry): Record<string, string> {
  const pax: Record<string, string> = {
    mtime: `${entry.mtimeSeconds ?? DEFAULT_MTIME_SECONDS}.${String(entry.mtimeNanoseconds ?? 0).padStart(9, '0')}`,
    uid: String(entry.uid ?? 0),
    gid: String(entry.gid ?? 0),
  };
  for (const [name, value] of Object.entries({ ...entry.xattrs, ...entry.storedXattrs })) {
    // tar-stream writes these records as UTF-8 text.
    if (value.some((byte) => byte > 0x7f)) throw new RangeError(`xattr ${name} of ${entry.path} has a byte beyond ASCII`);
    pax[`SCHILY.xattr.${name}`] = value.toString('latin1');
  }
  return pax;
}

/**
 * The tree as tree-compare reads it: a line an entry, then a line for each xattr and segment of it. Fields are
 * separated by spaces; in names everything but letters, digits and "/._-" is percent-encoded; "-" is empty.
 */
export function manifestOf(tree: Tree): string {
  const links = new Map<string, number>();
  for (const entry of tree) if (entry.type === 'link') links.set(entry.target, (links.get(entry.target) ?? 1) + 1);
  const files = new Map(tree.filter(({ type }) => type !== 'link').map((entry) => [entry.path, entry]));
  const lines: string[] = [];
  for (const named of tree) {
    const entry = named.type === 'link' ? files.get(named.target) : named;
    if (entry === undefined || entry.type === 'link') throw new Error(`${named.path} links to nothing`);
    const size = entry.type === 'file' ? entry.sizeBytes : entry.type === 'symlink' ? Buffer.byteLength(entry.target) : 0;
    const [major, minor] = entry.type === 'character' || entry.type === 'block' ? [entry.major, entry.minor] : [0, 0];
    const nlink = entry.type === 'directory' ? 0 : (links.get(entry.path) ?? 1);
    const xattrs = Object.entries(entry.xattrs ?? {});
    const segments = entry.type === 'file' ? entry.segments : [];
    const target = entry.type === 'symlink' ? entry.target : '';
    lines.push(['e', encoded(named.path), LETTERS[entry.type], entry.mode, entry.uid ?? 0, entry.gid ?? 0, entry.mtimeSeconds ?? DEFAULT_MTIME_SECONDS, entry.mtimeNanoseconds ?? 0, nlink, size, major, minor, encoded(target), xattrs.length, segments.length].join(' '));
    for (const [name, value] of xattrs) lines.push(`x ${encoded(name)} ${value.length === 0 ? '-' : value.toString('hex')}`);
    for (const segment of segments)
      lines.push('seed' in segment ? `s ${segment.offset} ${segment.length} ${segment.seed}` : `g ${segment.offset} ${segment.length} ${encoded(segment.guestFile)}`);
  }
  return `${lines.join('\n')}\n`;
}

const LETTERS = { directory: 'd', fifo: 'p', file: 'f', symlink: 'l', character: 'c', block: 'b' } as const;

function encoded(text: string): string {
  if (text === '') return '-';
  return [...Buffer.from(text)].map((byte) => (/[A-Za-z0-9/._-]/.test(String.fromCharCode(byte)) && text !== '-' ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`)).join('');
}
