// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../host/command.ts';
import type { Context } from '../host/context.ts';
import { contentId, sha256, sha256OfFile } from '../host/hash.ts';
import { repositoryRoot } from '../host/paths.ts';
import { withStep } from '../host/progress.ts';
import type { Toolbox } from '../toolbox/toolbox.ts';
import { deviceTags } from './super-block.ts';
import { DEFAULT_MTIME_SECONDS, manifestOf, tarOf, type Tree } from './tree.ts';
import { layerTrees, manyTree, merged, standardTree } from './trees.ts';

export const CHUNK_BYTES = 1024 * 1024;

/** An image as a guest finds it: files of the remote disk. */
export interface Image {
  readonly name: ImageName;
  /** The file with the super block. */
  readonly file: string;
  /** Extra devices in the order of the device table; empty where the image is complete in itself. */
  readonly devices: readonly string[];
  readonly manifest: string;
  readonly compressed: boolean;
}

const IMAGES = {
  plain: { file: 'plain.img', devices: [], manifest: 'standard.manifest', compressed: false },
  /** Metadata and data apart, data cut into chunks of 1 MiB. */
  chunked: { file: 'chunked.img', devices: ['chunked.blob'], manifest: 'standard.manifest', compressed: false },
  /** RAFS v6 in short: a metadata image over layers that are left as they were. */
  'merged-one': { file: 'merged-one.img', devices: ['layer-base.img', 'layer-one.img'], manifest: 'merged-one.manifest', compressed: false },
  'merged-two': { file: 'merged-two.img', devices: ['layer-base.img', 'layer-two.img'], manifest: 'merged-two.manifest', compressed: false },
  compressed: { file: 'compressed.img', devices: [], manifest: 'standard.manifest', compressed: true },
  many: { file: 'many.img', devices: [], manifest: 'many.manifest', compressed: false },
} as const satisfies Record<string, Omit<Image, 'name'>>;

export type ImageName = keyof typeof IMAGES;

/** All images, made once and cached: a directory of files, and the same as a read-only disk. */
export interface ImageSet {
  readonly directory: string;
  /** A raw ext4 disk image with the directory's files. */
  readonly disk: string;
}

export function imageNamed(name: ImageName): Image {
  return { name, ...IMAGES[name] };
}

/** Below which share of itself a disk may be filled with files. */
const SLACK = 1.3;
const SOURCES = ['content.ts', 'images.ts', 'tree.ts', 'trees.ts'];

/** @throws CommandError where mkfs.erofs or mke2fs fails. */
export async function makeImages(context: Context, toolbox: Toolbox): Promise<ImageSet> {
  const parts: Record<string, string> = { toolbox: basename(toolbox.root) };
  for (const name of SOURCES) parts[name] = await sha256OfFile(join(repositoryRoot, 'harness/erofs', name));
  const { path } = await context.cache.obtain({ kind: 'images', key: contentId(parts), title: 'EROFS images', ...context }, async (directory) => {
    await withStep(context.emit, 'EROFS images', async () => {
      const files = join(directory, 'files');
      await mkdir(files);
      await makeFiles(toolbox, files, directory, context.signal);
      await makeDisk(toolbox, files, join(directory, 'disk.img'), context.signal);
    });
  });
  return { directory: join(path, 'files'), disk: join(path, 'disk.img') };
}

/** What `plain`, `chunked` and `compressed` are made from. */
export async function standardTreeOf(toolbox: Toolbox): Promise<Tree> {
  const hostFile = toolbox.file('usr/bin/busybox');
  return standardTree({ hostFile, sizeBytes: (await stat(hostFile)).size });
}

async function makeFiles(toolbox: Toolbox, files: string, scratch: string, signal: AbortSignal): Promise<void> {
  const standard = await standardTreeOf(toolbox);
  const layers = layerTrees();
  const mkfs = async (image: string, options: readonly string[], sources: readonly string[]) => {
    const program = toolbox.program('usr/bin/mkfs.erofs');
    await run([...program.command, '--quiet', '-U', uuidOf(image), ...options, join(files, image), ...sources], { env: program.env, signal });
  };
  const fromTree = async (image: string, tree: Tree, options: readonly string[]) => {
    const tar = join(scratch, 'tree.tar');
    await pipeline(tarOf(tree), createWriteStream(tar));
    await mkfs(image, ['--tar=f', ...options], [tar]);
    await rm(tar);
  };
  await fromTree('plain.img', standard, []);
  await fromTree('compressed.img', standard, ['-zlz4']);
  // mkfs.erofs opens the blob device without creating it.
  await writeFile(join(files, 'chunked.blob'), '');
  await fromTree('chunked.img', standard, [`--chunksize=${CHUNK_BYTES}`, `--blobdev=${join(files, 'chunked.blob')}`]);
  await fromTree('many.img', manyTree(), []);
  for (const [name, tree] of Object.entries(layers)) await fromTree(`layer-${name}.img`, tree, ['-E', 'noinline_data']);
  for (const top of ['one', 'two'] as const) {
    await mkfs(`merged-${top}.img`, ['-T', String(DEFAULT_MTIME_SECONDS), '--mkfs-time'], [join(files, 'layer-base.img'), join(files, `layer-${top}.img`)]);
    await writeFile(join(files, `merged-${top}.manifest`), manifestOf(merged(layers.base, layers[top])));
  }
  await writeFile(join(files, 'standard.manifest'), manifestOf(standard));
  await writeFile(join(files, 'many.manifest'), manifestOf(manyTree()));
}

/** Of the name alone: the same tree gives the same bytes, and layers, which are asked for by it, differ. */
function uuidOf(name: string): string {
  const digits = sha256(name);
  return [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`, digits.slice(20, 32)].join('-');
}

async function makeDisk(toolbox: Toolbox, files: string, disk: string, signal: AbortSignal): Promise<void> {
  const used = Number((await run(['du', '-sb', files])).split('\t')[0]);
  await writeFile(disk, '');
  await truncate(disk, Math.ceil((used * SLACK) / CHUNK_BYTES) * CHUNK_BYTES);
  const mke2fs = toolbox.program('usr/sbin/mke2fs');
  await run([...mke2fs.command, '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-d', files, disk], { env: { MKE2FS_CONFIG: toolbox.file('etc/mke2fs.conf') }, signal });
}

/** The names by which an image's own device table asks for its devices. */
export async function tagsOf(set: ImageSet, image: Image): Promise<string[]> {
  return deviceTags(await readFile(join(set.directory, image.file)));
}
