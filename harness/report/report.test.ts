// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { REPORTS } from './report.ts';
import { sampleResults } from './sample.ts';

describe('a reply by mail', () => {
  const text = REPORTS.mail(sampleResults());
  const prose = text.split('\n').filter((line) => !line.startsWith('    '));

  it('is 72 columns wide; only commands and source lines, which are indented, are wider', () => {
    expect(prose.filter((line) => line.length > 72)).toEqual([]);
    expect(text).toContain('\n    fuselage check --tree 6.12 --series v2.mbox');
  });

  it('says the verdict first, then each patch, what differs, the wire and what was never run', () => {
    const order = ['REGRESSED: fuse: two patches', '- 1/2 fuse: dax: first', '- regressed: device-dax dax-reclaim/stream', '80 -> 8', 'Changed lines that no case ran', 'fs/fuse/dax.c:11: continue;'];
    const places = order.map((words) => text.replaceAll(/\n {2}/g, ' ').indexOf(words));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(Math.min(...places)).toBeGreaterThanOrEqual(0);
  });

  it('of a plain run it lists what failed', () => {
    const { check, ...run } = sampleResults();
    expect(check).toBeDefined();
    expect(REPORTS.mail(run)).toContain('- fail: device-dax dax-reclaim/stream: <b>bytes</b> differ');
  });
});

describe('checks for b4', () => {
  it('one for the series, one for each patch', () => {
    const checks = JSON.parse(REPORTS.b4(sampleResults())) as { tool: string; status: string; summary: string; url: string; details: string }[];
    expect(checks.map(({ tool, status }) => [tool, status])).toEqual([['fuselage', 'fail'], ['fuselage patch 1', 'pass'], ['fuselage patch 2', 'fail']]);
    expect(checks[0]?.summary).toBe('regressed: 1 regressed, 7 same');
    expect(checks[2]?.details).toContain('error: implicit declaration');
    for (const check of checks) expect(Object.keys(check).sort()).toEqual(['details', 'status', 'summary', 'tool', 'url']);
  });
});

describe('the page', () => {
  const page = REPORTS.html(sampleResults());

  it('is one file that asks nobody for anything', () => {
    expect(page).not.toMatch(/(?:src|href)=|@import|url\(|https?:/);
  });

  it('what guests and patches say can not become markup', () => {
    expect(page).toContain('&lt;b&gt;bytes&lt;/b&gt; differ');
    expect(page).not.toContain('<b>bytes');
    expect(page).not.toContain('<script');
  });
});
