#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
// Lets Node 20 run the TypeScript sources as they are, then hands over.
import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
