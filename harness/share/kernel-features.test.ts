// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { whyMissing } from './kernel-features.ts';

const KALLSYMS = 'ffffffff81280b00 T cachefiles_ondemand_daemon_read\nffffffff8128ccb0 T erofs_fscache_register_fs\n';

describe('kernel features', () => {
  it('are there when their symbols are, whatever the version', () => {
    expect(whyMissing('erofs-on-demand', '9.9', KALLSYMS)).toBeUndefined();
  });

  it('say why they are not: too old, too new, not built', () => {
    expect(whyMissing('erofs-on-demand', '7.3.4', '')).toMatch(/^7\.3\.4 has no erofs-on-demand: .*removed in 7\.2/);
    expect(whyMissing('erofs-file-backed', '6.1.176', '')).toBe('6.1.176 has no erofs-file-backed: it came with 6.12');
    expect(whyMissing('erofs-on-demand', '6.12.107', KALLSYMS.split('\n')[0] ?? '')).toBe('6.12.107 was built without erofs-on-demand (CONFIG_EROFS_FS_ONDEMAND)');
  });

  it('are not found in part of a symbol', () => {
    expect(whyMissing('loop', '6.12.107', 'ffffffff81280b00 T loop_added\n')).toMatch(/built without loop/);
  });
});
