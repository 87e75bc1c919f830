// SPDX-License-Identifier: GPL-2.0-only
import { create } from 'xmlbuilder2';
import { rolePrefix } from './words.ts';
import { BAD, type CaseResult, type Results, type Status } from '../results/schema.ts';

/** JUnit XML as CI systems read it: a suite a case run, a testcase a subtest. */
export function renderJunit(results: Results): string {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele('testsuites', { name: 'fuselage', time: results.seconds.toFixed(3) });
  for (const one of results.cases) {
    const rows = rowsOf(one);
    const suite = root.ele('testsuite', {
      name: `${rolePrefix(results, one, '.')}${one.share}.${one.name}`,
      tests: rows.length,
      failures: rows.filter(({ status }) => BAD.has(status)).length,
      skipped: rows.filter(({ status }) => isSkip(status)).length,
      time: one.seconds.toFixed(3),
    });
    for (const { name, status, reason } of rows) {
      const element = suite.ele('testcase', { classname: `${one.share}.${one.name}`, name: clean(name), time: (one.seconds / rows.length).toFixed(3) });
      if (BAD.has(status)) element.ele('failure', { message: clean(reason ?? status), type: status }).txt(clean(`${reason ?? ''}\n${one.reproduce}`));
      else if (isSkip(status)) element.ele('skipped', { message: clean(`${status}: ${reason ?? ''}`) });
    }
    if (one.splats.length > 0) suite.ele('system-err').txt(clean(one.splats.flatMap(({ lines }) => lines).join('\n')));
  }
  for (const text of results.infrastructure)
    root.ele('testsuite', { name: 'infrastructure', tests: 1, errors: 1 }).ele('testcase', { classname: 'infrastructure', name: 'machinery' }).ele('error', { message: clean(text) });
  return `${root.end({ prettyPrint: true })}\n`;
}

/** Subtests, and the case itself where it says more than they do. */
function rowsOf(one: CaseResult): { name: string; status: Status; reason?: string | undefined }[] {
  const explained = one.subtests.some(({ status }) => status === one.status);
  return explained ? one.subtests : [...one.subtests, { name: one.name, status: one.status, reason: one.reason }];
}

const isSkip = (status: Status): boolean => status === 'skip' || status === 'not-exercised' || status === 'xfail';

/** XML 1.0 has no way to say a control character. */
// eslint-disable-next-line no-control-regex
const clean = (text: string): string => text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
