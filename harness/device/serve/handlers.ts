// SPDX-License-Identifier: GPL-2.0-only
import { attributeHandlers } from './attributes.ts';
import type { Handlers } from './call.ts';
import { dataHandlers } from './data.ts';
import { lockHandlers } from './locking.ts';
import { mountHandlers } from './mount.ts';
import { nameHandlers } from './names.ts';

/** The whole server, on the store in memory. */
export const HANDLERS: Handlers = { ...mountHandlers, ...nameHandlers, ...attributeHandlers, ...dataHandlers, ...lockHandlers };
