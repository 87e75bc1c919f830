// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKtap } from '../suite/ktap.ts';
import { kcidbSchema } from '../report/nightly/kcidb.ts';
import { NIGHTLY_REPORTS } from '../report/nightly/reports.ts';
import { findingsOf, headlineOf, nightlyExitCode, nightlySchema, type Cell, type CellResult } from '../results/nightly.ts';
import { shardsOf } from './cells.ts';
import { mergeNights, runNight, type NightPlan } from './nightly.ts';
import { caseResult, cellNamed, judged } from './testing.ts';

const cells = Array.from({ length: 7 }, (_, index) => cellNamed(`s${index}`));
const seconds = new Map(cells.map(({ id }, index) => [id, [300, 5, 60, 60, 10, 200, undefined][index]]));
const outcomes: readonly CellResult['outcome'][] = ['green', 'red', 'unchanged', 'no-verdict', 'green', 'red', 'green'];
const judge = (cell: Cell) => Promise.resolve(judged(cell, outcomes[cells.indexOf(cell)] ?? 'green', { startedAt: `2026-11-20T0${cells.indexOf(cell)}:00:00.000Z` }));

const plan = (of?: number, index = 1): NightPlan => ({ command: 'fuselage nightly --config n.yaml', cells, ...(of === undefined ? {} : { shard: { index, of, cells: shardsOf(cells, of, (id) => seconds.get(id))[index - 1] ?? [] } }) });
const night = (of?: number, index?: number) => runNight(plan(of, index), judge, () => undefined);
const shards = (of: number) => Promise.all(Array.from({ length: of }, async (_, index) => ({ file: `${index + 1}.json`, night: await night(of, index + 1) })));

describe('shards', () => {
  it('hold every cell once, and none has much more to do than the others', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 8 }), (durations, of) => {
        const many = durations.map((_, index) => cellNamed(`c${index}`));
        const cut = shardsOf(many, of, (id) => durations[many.findIndex((cell) => cell.id === id)]);
        expect(cut.flat().map(({ id }) => id).sort()).toEqual(many.map(({ id }) => id).sort());
        const loads = cut.map((shard) => shard.reduce((sum, { id }) => sum + (durations[many.findIndex((cell) => cell.id === id)] ?? 0), 0));
        // Graham's bound for any list: the shard that ends last was the one with least to do when it got its last cell.
        const total = durations.reduce((sum, one) => sum + one, 0);
        expect(Math.max(...loads)).toBeLessThanOrEqual(total / of + (1 - 1 / of) * Math.max(...durations) + 1e-6);
        expect(shardsOf(many, of, (id) => durations[many.findIndex((cell) => cell.id === id)])).toEqual(cut);
      }),
    );
  });

  it('are balanced by what was measured', () => {
    const load = (shard: readonly Cell[]) => shard.reduce((sum, { id }) => sum + (seconds.get(id) ?? 120), 0);
    const loads = shardsOf(cells, 2, (id) => seconds.get(id)).map(load);
    expect(Math.max(...loads) / Math.min(...loads)).toBeLessThan(1.1);
  });

  it('merged are the night that was not cut, whatever the order they come in', async () => {
    const whole = await night();
    for (const of of [1, 2, 3, 7, 9]) expect(mergeNights((await shards(of)).reverse())).toEqual(whole);
    for (const render of Object.values(NIGHTLY_REPORTS)) expect(render(mergeNights(await shards(3)))).toBe(render(whole));
  });

  it('one missing, one twice, or one of another night is refused by name', async () => {
    const [three, four, whole] = [await shards(3), await shards(4), await night()];
    expect(() => mergeNights(three.slice(0, 2))).toThrow('shard 3/3 is missing');
    expect(() => mergeNights([...three, ...three.slice(1, 2).map((one) => ({ ...one, file: 'again.json' }))])).toThrow('again.json and 2.json are both shard 2/3');
    expect(() => mergeNights([...three.slice(0, 2), ...four.slice(2, 3)])).toThrow('are of different nights');
    expect(() => mergeNights([{ file: 'whole.json', night: whole }])).toThrow('whole.json is no shard');
    expect(() => mergeNights([])).toThrow('no shard to merge');
    const other = await runNight({ ...plan(3, 3), shard: { index: 3, of: 3, cells: plan(3, 1).shard?.cells ?? [] } }, judge, () => undefined);
    expect(() => mergeNights([...three.slice(0, 2), { file: '3.json', night: other }])).toThrow(/no shard judged|2 shards judged/);
  });
});


describe('a night', () => {
  it('is valid, says what is new, known and fixed, and fails only for what is new', async () => {
    const document = await night();
    expect(nightlySchema.parse(JSON.parse(NIGHTLY_REPORTS.json(document)))).toEqual(document);
    expect(headlineOf(document)).toBe('2 new, 0 known, 0 fixed; 3 green, 2 red, 1 unchanged, 1 without a verdict');
    expect(nightlyExitCode(document)).toBe(1);
    const without = (outcome: CellResult['outcome']) => ({ ...document, cells: document.cells.filter((one) => one.outcome !== outcome) });
    expect(nightlyExitCode(without('red'))).toBe(3);
    expect(nightlyExitCode({ cells: without('red').cells.filter((one) => one.outcome !== 'no-verdict') })).toBe(0);
    expect(nightlyExitCode({ cells: [judged(cellNamed('k'), 'green', { issues: [{ class: 'known', name: 'a/b' }] })] })).toBe(0);
    expect(nightlyExitCode({ cells: [] })).toBe(3);
  });

  it('findings are subtests, and the case where it says more', () => {
    const of = (one: ReturnType<typeof caseResult>) => findingsOf({ cases: [one] }).map((finding) => [finding.class, finding.subtest]);
    expect(of(caseResult('fail'))).toEqual([['new', 'a rename']]);
    expect(of(caseResult('pass'))).toEqual([]);
    expect(of(caseResult('xfail'))).toEqual([['known', 'a rename']]);
    expect(of(caseResult('xpass'))).toEqual([['fixed', 'a rename']]);
    expect(of(caseResult('crash', { subtests: [] }))).toEqual([['new', undefined]]);
    expect(of(caseResult('not-exercised', { subtests: [] }))).toEqual([['new', undefined]]);
    expect(of(caseResult('skip', { subtests: [] }))).toEqual([]);
  });
});

describe('reports of a night', () => {
  it('the mail is plain text of 72 columns with what is new first', async () => {
    const mail = NIGHTLY_REPORTS.mail(await night());
    for (const line of mail.split('\n').filter((text) => !text.startsWith('    ') && !text.startsWith('Subject:'))) expect(line.length).toBeLessThanOrEqual(72);
    expect(mail).toMatch(/New\n---\n\n- stable\/master\/fast\/device-dax\/s1: dax-reclaim\/gate \/ a rename: fails 3\n {2}of 3; since night 4; it waited\n/);
    expect(mail).toContain('the disk is full');
  });

  it('GitHub is told of new ones as errors, in one line each', async () => {
    const text = NIGHTLY_REPORTS.github({ ...(await night()), cells: [judged(cellNamed('s'), 'red', { issues: [{ class: 'new', name: 'a/b', subtest: '100%, of: it\n::error::forged', reason: 'x' }] }), judged(cellNamed('t'), 'no-verdict')] });
    expect(text).toBe('::error title=stable/master/fast/device-dax/s%3A a/b / 100%25%2C of%3A it%0A%3A%3Aerror%3A%3Aforged::x\n::warning title=stable/master/fast/device-dax/t::the disk is full\n');
  });

  it('KTAP can be parsed, and JUnit names cells', async () => {
    const document = await night();
    const report = parseKtap(NIGHTLY_REPORTS.ktap(document));
    expect(report.problems).toEqual([]);
    expect(report.subtests.filter(({ status }) => status === 'fail').map(({ name }) => name)).toContain('stable/master/fast/device-dax/s1 dax-reclaim/gate');
    expect(NIGHTLY_REPORTS.junit(document)).toContain('<testsuite name="stable/master/fast/device-dax/s0.dax-reclaim/gate" tests="2" failures="0"');
  });

  it('KCIDB gets each checkout and build once, and a test a subtest', async () => {
    const document = kcidbSchema.parse(JSON.parse(NIGHTLY_REPORTS.kcidb(await night())));
    expect([document.checkouts.length, document.builds.length, document.tests.length]).toEqual([1, 1, 10]);
    expect(new Set(document.tests.map(({ id }) => id)).size).toBe(10);
    expect(document.tests.map(({ path, status }) => `${status} ${path}`)).toContain('FAIL fuselage.dax-reclaim.gate.a_rename');
    const unbuilt = kcidbSchema.parse(JSON.parse(NIGHTLY_REPORTS.kcidb({ ...(await night()), cells: [judged(cellNamed('s'), 'red', { issues: [{ class: 'new', name: 'build', reason: 'x' }], reason: 'does not build' })] })));
    expect(unbuilt.builds).toMatchObject([{ status: 'FAIL', comment: 'does not build' }]);
  });

  it('the page escapes what comes from guests', async () => {
    const page = NIGHTLY_REPORTS.html({ ...(await night()), cells: [judged(cellNamed('s'), 'red', { issues: [{ class: 'new', name: 'a/b', subtest: '<script>alert(1)</script>' }] })] });
    expect(page).not.toContain('<script>');
    expect(page).toContain('&lt;script&gt;');
  });
});
