// SPDX-License-Identifier: GPL-2.0-only
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['harness/**/*.test.ts'], exclude: ['**/*.integration.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          name: 'integration',
          include: ['harness/**/*.integration.test.ts'],
          // Kernels are built and guests booted: one file at a time, and slow machines are waited for.
          fileParallelism: false,
          testTimeout: 1_200_000,
          hookTimeout: 2_400_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
