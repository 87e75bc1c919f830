// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:os';

const EXTRA = { ENODATA: 61, EOPNOTSUPP: 95, ESTALE: 116, EREMOTEIO: 121, ENOTSUP: 95, ENOSYS: 38, ENXIO: 6 } as const;
export type Errno = keyof typeof constants.errno | keyof typeof EXTRA;

const numbers: Readonly<Record<string, number>> = { ...constants.errno, ...EXTRA };
const names = new Map(Object.entries(numbers).map(([name, number]) => [number, name]));

export const errnoNumber = (name: Errno): number => {
  const number = numbers[name];
  if (number === undefined) throw new Error(`no errno ${name}`);
  return number;
};
export const errnoName = (number: number): string => names.get(number) ?? `errno ${number}`;

/** What an operation is answered with instead of a result. */
export class FuseError extends Error {
  constructor(readonly errno: Errno) {
    super(errno);
  }
}

/** A failure of the host's own calls (EFBIG, ENOSPC) is the guest's answer as well; anything else is EIO. */
export function errnoOf(error: unknown): Errno | undefined {
  if (error instanceof FuseError) return error.errno;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code in numbers) return error.code as Errno;
  return undefined;
}
