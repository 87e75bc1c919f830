// SPDX-License-Identifier: GPL-2.0-only
import { join } from 'node:path';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules/', 'fuselage-out/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: join(import.meta.dirname, '..') } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      // Promises and the like are passed about freely; classes here do not hand out their methods.
      '@typescript-eslint/unbound-method': 'off',
      'no-control-regex': 'error',
      eqeqeq: 'error',
    },
  },
);
