// SPDX-License-Identifier: GPL-2.0-only
/** struct erofs_super_block and erofs_deviceslot (fs/erofs/erofs_fs.h), as far as cases look at them. */

export const SUPER_OFFSET = 1024;
const DEVICE_SLOT_BYTES = 128;
const TAG_BYTES = 64;
const MAGIC = 0xe0f5_e1e2;

/** Fields by name: offset in the image and width, in bytes. */
export const SUPER_FIELDS = {
  magic: { offset: SUPER_OFFSET, width: 4 },
  checksum: { offset: SUPER_OFFSET + 4, width: 4 },
  feature_compat: { offset: SUPER_OFFSET + 8, width: 4 },
  blkszbits: { offset: SUPER_OFFSET + 12, width: 1 },
  sb_extslots: { offset: SUPER_OFFSET + 13, width: 1 },
  root_nid: { offset: SUPER_OFFSET + 14, width: 2 },
  inos: { offset: SUPER_OFFSET + 16, width: 8 },
  blocks: { offset: SUPER_OFFSET + 36, width: 4 },
  meta_blkaddr: { offset: SUPER_OFFSET + 40, width: 4 },
  xattr_blkaddr: { offset: SUPER_OFFSET + 44, width: 4 },
  feature_incompat: { offset: SUPER_OFFSET + 80, width: 4 },
  extra_devices: { offset: SUPER_OFFSET + 86, width: 2 },
  devt_slotoff: { offset: SUPER_OFFSET + 88, width: 2 },
  dirblkbits: { offset: SUPER_OFFSET + 90, width: 1 },
} as const;

/** EROFS_FEATURE_COMPAT_SB_CHKSUM: the first block has a checksum. */
export const CHECKSUM_BIT = 1;

export type SuperField = keyof typeof SUPER_FIELDS;

/** The tags of an image's extra devices: the names under which a kernel asks for them when no option names them. */
export function deviceTags(image: Buffer): string[] {
  if (image.readUInt32LE(SUPER_OFFSET) !== MAGIC) throw new Error('no EROFS image');
  const count = image.readUInt16LE(SUPER_FIELDS.extra_devices.offset);
  const slots = image.readUInt16LE(SUPER_FIELDS.devt_slotoff.offset) * DEVICE_SLOT_BYTES;
  return Array.from({ length: count }, (_, index) => {
    const tag = image.subarray(slots + index * DEVICE_SLOT_BYTES, slots + index * DEVICE_SLOT_BYTES + TAG_BYTES);
    return tag.subarray(0, tag.indexOf(0) < 0 ? TAG_BYTES : tag.indexOf(0)).toString();
  });
}

const SLOT_BYTES = 32;
const EXTENDED_INODE_BYTES = 64;
const COMPACT_INODE_BYTES = 32;
const DIRENT_BYTES = 12;
const LAYOUT_CHUNK_BASED = 4;
const XATTR_HEADER_BYTES = 12;

/**
 * Where the first chunk index of a file in the root directory lies, in bytes (struct erofs_inode_extended,
 * erofs_dirent, erofs_inode_chunk_index; erofs_map_blocks(), fs/erofs/data.c). @throws Error where there is none.
 */
export function chunkIndexOf(image: Buffer, name: string): number {
  const blockBytes = 1 << image.readUInt8(SUPER_FIELDS.blkszbits.offset);
  const metadata = image.readUInt32LE(SUPER_FIELDS.meta_blkaddr.offset) * blockBytes;
  const inode = (nid: number) => {
    const at = metadata + nid * SLOT_BYTES;
    const format = image.readUInt16LE(at);
    const bytes = (format & 1) === 1 ? EXTENDED_INODE_BYTES : COMPACT_INODE_BYTES;
    const xattrCount = image.readUInt16LE(at + 2);
    const body = at + bytes + (xattrCount === 0 ? 0 : XATTR_HEADER_BYTES + 4 * (xattrCount - 1));
    return { layout: (format >> 1) & 7, body, sizeBytes: image.readUInt32LE(at + 8), blockAddress: image.readUInt32LE(at + 16) };
  };
  const root = inode(image.readUInt16LE(SUPER_FIELDS.root_nid.offset));
  const nid = entriesOf(image, root.layout === 2 ? [root.body, root.sizeBytes] : [root.blockAddress * blockBytes, root.sizeBytes]).get(name);
  const found = nid === undefined ? undefined : inode(nid);
  if (found?.layout !== LAYOUT_CHUNK_BASED) throw new Error(`${name} is no chunk-based file of the image's root`);
  return Math.ceil(found.body / 8) * 8;
}

/** Names and node ids of a directory's only block. */
function entriesOf(image: Buffer, [start, length]: readonly [number, number]): Map<string, number> {
  const count = image.readUInt16LE(start + 8) / DIRENT_BYTES;
  const offset = (index: number) => (index < count ? image.readUInt16LE(start + index * DIRENT_BYTES + 8) : length);
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const name = image.subarray(start + offset(index), start + offset(index + 1));
      return [name.subarray(0, name.indexOf(0) < 0 ? name.length : name.indexOf(0)).toString(), Number(image.readBigUInt64LE(start + index * DIRENT_BYTES))] as const;
    }),
  );
}
