// SPDX-License-Identifier: GPL-2.0-only
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { contentId, sha256OfFile } from '../host/hash.ts';
import { repositoryRoot } from '../host/paths.ts';
import { withStep } from '../host/progress.ts';
import { Toolbox, type GuestTool } from '../toolbox/toolbox.ts';
import type { Program } from './compile.ts';

const PROGRAMS = join(repositoryRoot, 'harness/guest/programs');
const DROPBEAR = ['usr/sbin/dropbear', 'usr/bin/dropbearkey'] as const;
const DIRECTORIES = ['bin', 'dev', 'etc', 'fuselage/bin', 'fuselage/cases', 'lib64', 'mnt/share', 'proc', 'root/.ssh', 'sys', 'tmp', 'usr/lib/x86_64-linux-gnu', 'usr/sbin'];

/** Where a case's program lies in the guest. */
export const guestProgramPath = (name: string): string => `/fuselage/cases/${name}`;

/**
 * The initramfs: busybox, dropbear with its libraries, our programs and the compiled cases; cached by
 * content. Uncompressed, for decompression under emulation costs more than the copy.
 */
export async function makeInitramfs(
  context: Context,
  toolbox: Toolbox,
  programs: readonly Program[],
  modulesDirectory: string | undefined,
  tools: readonly GuestTool[] = [],
): Promise<string> {
  const toolboxes = await Promise.all(tools.map(async (set) => [set, await Toolbox.open(context, { set })] as const));
  const scripts = ['init.sh', 'run-case.sh'];
  const parts: Record<string, string> = { toolbox: basename(toolbox.root), modules: modulesDirectory ?? '' };
  for (const name of [...scripts, 'heartbeat.c', 'actor.c']) parts[name] = await sha256OfFile(join(PROGRAMS, name));
  for (const [set, { root }] of toolboxes) parts[`tool ${set}`] = basename(root);
  for (const { name, id } of programs) parts[`program ${name}`] = id;
  // This file says what goes where: a change of it is a change of the image.
  parts['layout'] = await sha256OfFile(join(repositoryRoot, 'harness/guest/image.ts'));
  const { path } = await context.cache.obtain({ kind: 'guests', key: contentId(parts), title: 'guest image', ...context }, async (directory) => {
    await withStep(context.emit, `guest image with ${programs.length} programs`, async () => {
      const root = join(directory, 'root');
      await stage(root, toolbox, programs, modulesDirectory);
      for (const [tool, { root: unpacked }] of toolboxes) await addTool(root, tool, unpacked);
      const names = ['.', ...(await readdir(root, { recursive: true })).sort()];
      await run(['cpio', '--create', '--quiet', '--format=newc', '--reproducible', '--owner=0:0', `--file=${join(directory, 'initramfs.cpio')}`], {
        cwd: root,
        input: `${names.join('\n')}\n`,
        signal: context.signal,
      });
      await rm(root, { recursive: true });
    });
  });
  return join(path, 'initramfs.cpio');
}

async function stage(root: string, toolbox: Toolbox, programs: readonly Program[], modulesDirectory: string | undefined): Promise<void> {
  for (const directory of DIRECTORIES) await mkdir(join(root, directory), { recursive: true });
  await chmod(join(root, 'root'), 0o700);
  await chmod(join(root, 'root/.ssh'), 0o700);
  await chmod(join(root, 'tmp'), 0o1777);

  const busybox = toolbox.file('usr/bin/busybox');
  await copyFile(busybox, join(root, 'bin/busybox'));
  for (const applet of (await run([busybox, '--list'])).split('\n').filter(Boolean))
    if (applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet));

  for (const file of DROPBEAR) await copyFile(toolbox.file(file), join(root, 'usr/sbin', basename(file)));
  for (const library of await librariesOf(toolbox, DROPBEAR[0])) await copyFile(library, join(root, 'usr/lib/x86_64-linux-gnu', basename(library)));
  await copyFile(join(toolbox.libraryDirectory, 'ld-linux-x86-64.so.2'), join(root, 'lib64/ld-linux-x86-64.so.2'));
  await symlink('usr/lib', join(root, 'lib'));

  await writeFile(join(root, 'etc/passwd'), 'root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/:/bin/sh\n');
  await writeFile(join(root, 'etc/group'), 'root:*:0:\nnogroup:*:65534:\n');
  await writeFile(join(root, 'root/.profile'), 'export PATH=/bin:/sbin:/usr/sbin:/fuselage/bin\n');

  await copyFile(join(PROGRAMS, 'init.sh'), join(root, 'init'));
  await copyFile(join(PROGRAMS, 'run-case.sh'), join(root, 'fuselage/bin/run-case'));
  for (const { name, file, tool } of programs) {
    const target = join(root, tool ? 'fuselage/bin' : 'fuselage/cases', name);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(file, target);
    await chmod(target, 0o755);
  }
  for (const file of ['init', 'fuselage/bin/run-case', 'bin/busybox']) await chmod(join(root, file), 0o755);
  if (modulesDirectory !== undefined) await cp(modulesDirectory, join(root, 'fuselage/modules'), { recursive: true });
}

/** A dynamically linked tool with libraries of its own beside it, started through their loader. */
async function addTool(root: string, tool: GuestTool, unpacked: string): Promise<void> {
  const libraries = join(unpacked, 'usr/lib/x86_64-linux-gnu');
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  // librados, which fio is linked with, keeps a part of itself in a directory of its own.
  const listing = await run([loader, '--library-path', `${libraries}:${join(libraries, 'ceph')}`, '--list', join(unpacked, 'usr/bin', tool)]);
  const target = join(root, 'fuselage/tools', tool);
  await mkdir(target, { recursive: true });
  for (const library of [loader, ...[...listing.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? '')]) await copyFile(library, join(target, basename(library)));
  await copyFile(join(unpacked, 'usr/bin', tool), join(target, tool));
  const start = `#!/bin/sh\nexec /fuselage/tools/${tool}/ld-linux-x86-64.so.2 --library-path /fuselage/tools/${tool} /fuselage/tools/${tool}/${tool} "$@"\n`;
  await writeFile(join(root, 'fuselage/bin', tool), start, { mode: 0o755 });
}

/** The shared libraries of a toolbox program, as its loader finds them. */
async function librariesOf(toolbox: Toolbox, relative: string): Promise<string[]> {
  const loader = join(toolbox.libraryDirectory, 'ld-linux-x86-64.so.2');
  const listing = await run([loader, '--library-path', toolbox.libraryDirectory, '--list', toolbox.file(relative)]);
  const libraries = [...listing.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? '').filter((path) => path.startsWith(toolbox.libraryDirectory));
  for (const path of libraries) await readFile(path); // a dangling link is better met here than in the guest
  return libraries;
}
