// SPDX-License-Identifier: GPL-2.0-only
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { inWorkshop, type BuildRequest } from './build.ts';

/** "fuse_init+0x1a/0x60", as %pS prints it. */
const FRAME = /(?<![\w.])([A-Za-z_][\w.]*)\+(0x[0-9a-f]+)\/0x[0-9a-f]+/g;

interface Frame {
  readonly symbol: string;
  readonly offset: number;
  /** A return address lies behind the call that it is about. */
  readonly isReturn: boolean;
}

/** The places in the code that lines of a kernel log name. */
export function framesOf(lines: readonly string[]): Frame[] {
  return lines.flatMap((line) => [...line.matchAll(FRAME)].map(([, symbol = '', offset = '']) => ({ symbol, offset: Number(offset), isReturn: !line.includes('RIP:') })));
}

const keyOf = ({ symbol, offset, isReturn }: Frame): string => `${symbol}+${offset}${isReturn ? ' return' : ''}`;

/**
 * Puts "(fs/fuse/dax.c:123)" behind what lines of a kernel log name of the code in some directories: what a reviewer of a
 * series there wants to see. Does what scripts/decode_stacktrace.sh does, for kernels without debug information.
 */
export async function decodeLines(context: Context, build: BuildRequest, directories: readonly string[], lines: readonly string[]): Promise<string[]> {
  const wanted = framesOf(lines);
  if (wanted.length === 0 || directories.length === 0) return [...lines];
  const places = new Map<string, string>();
  const frames = new Map<string, Frame[]>();
  await inWorkshop(context, build, async (objects, make) => {
    // A kernel that came from the cache was not made here; and what is taken away below is made again.
    const whole = () => make(directories.map((directory) => `${directory}/`));
    await whole();
    for (const directory of directories)
      for (const name of await readdir(join(objects, directory)).catch(() => [])) {
        if (!name.endsWith('.o')) continue;
        const symbols = await symbolsOf(join(objects, directory, name));
        const own = wanted.filter(({ symbol }) => symbols.has(symbol));
        if (own.length > 0) frames.set(join(directory, name), own);
      }
    if (frames.size === 0) return;
    try {
      // With debug information, which our builds do without; the code is the same.
      await make(['KCFLAGS=-g', ...frames.keys()]);
      for (const [object, own] of frames) {
        const symbols = await symbolsOf(join(objects, object));
        for (const frame of own) {
          const begin = symbols.get(frame.symbol);
          const place = begin === undefined ? undefined : await lineOf(join(objects, object), begin.section, begin.start + frame.offset - (frame.isReturn ? 1 : 0));
          if (place !== undefined) places.set(keyOf(frame), place);
        }
      }
    } finally {
      for (const object of frames.keys()) await rm(join(objects, object), { force: true });
      if (!context.signal.aborted) await whole();
    }
  });
  return lines.map((line) => line.replaceAll(FRAME, (text, symbol: string, offset: string) => {
    const place = places.get(keyOf({ symbol, offset: Number(offset), isReturn: !line.includes('RIP:') }));
    return place === undefined ? text : `${text} (${place})`;
  }));
}

interface Place {
  readonly section: string;
  readonly start: number;
}

/** Functions of an object file by name, with where in which section they begin. */
async function symbolsOf(file: string): Promise<ReadonlyMap<string, Place>> {
  const { stdout } = await attempt(['objdump', '--syms', file]);
  return new Map([...stdout.matchAll(/^([0-9a-f]+) .{5}[ F]F (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)$/gm)].map(([, start = '', section = '', name = '']) => [name, { section, start: Number.parseInt(start, 16) }]));
}

async function lineOf(file: string, section: string, address: number): Promise<string | undefined> {
  const { stdout } = await attempt(['addr2line', '-e', file, '-j', section, `0x${address.toString(16)}`]);
  return /^(?:\S*\/source\/)?((?:[\w.-]+\/)*[\w.-]+\.[chS]:\d+)/.exec(stdout)?.[1];
}
