// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';
import type { CellResult, Nightly } from '../../results/nightly.ts';
import { BAD, type Status } from '../../results/schema.ts';

const ORIGIN = 'fuselage';

const id = z.string().regex(/^[a-z0-9_]+:.*$/);
const timestamp = z.iso.datetime({ offset: true });
const status = z.enum(['FAIL', 'ERROR', 'MISS', 'PASS', 'DONE', 'SKIP']);

/** What we use of KCIDB's I/O schema, major version 5 (kcidb-io, kcidb_io/schema): a submission of checkouts, builds and tests. */
export const kcidbSchema = z.strictObject({
  version: z.strictObject({ major: z.literal(5), minor: z.literal(0) }),
  checkouts: z.array(z.strictObject({ id, origin: z.string(), tree_name: z.string(), git_commit_hash: z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/).optional(), git_commit_name: z.string().optional(), patchset_hash: z.string().optional(), start_time: timestamp, valid: z.boolean() })),
  builds: z.array(z.strictObject({ id, checkout_id: id, origin: z.string(), architecture: z.string(), config_name: z.string(), start_time: timestamp, status, comment: z.string().optional() })),
  tests: z.array(z.strictObject({ id, build_id: id, origin: z.string(), path: z.string().regex(/^[.a-zA-Z0-9_-]*$/), comment: z.string(), start_time: timestamp, duration: z.number().nonnegative(), status, environment: z.strictObject({ comment: z.string() }) })),
});

/** Ours for theirs: a skip said why, a case that proved nothing did not run, and what expectation files know is no failure. */
const statusOf = (ours: Status): z.infer<typeof status> => (BAD.has(ours) ? 'FAIL' : ours === 'skip' ? 'SKIP' : ours === 'not-exercised' ? 'MISS' : 'PASS');

const slug = (text: string): string => text.replaceAll(/[^a-zA-Z0-9_-]+/g, '_').replaceAll(/^_+|_+$/g, '').slice(0, 60);

/** A night as KCIDB takes it: a checkout a tree and ref, a build a flavor of it, a test a subtest. */
export function renderKcidb(night: Nightly): string {
  const stamp = night.startedAt.replaceAll(/[-:.]/g, '');
  const ran = night.cells.filter(({ outcome }) => outcome === 'green' || outcome === 'red');
  const checkoutOf = ({ cell }: CellResult) => `${ORIGIN}:${stamp}:${cell.tree}:${cell.ref}`;
  const buildOf = (one: CellResult) => `${checkoutOf(one)}:${one.cell.flavor}`;
  const first = (key: (one: CellResult) => string) => [...new Map([...ran].reverse().map((one) => [key(one), one])).values()].reverse();
  const isBuilt = (one: CellResult) => !one.issues.some((issue) => issue.name === 'build');
  const document: z.infer<typeof kcidbSchema> = {
    version: { major: 5, minor: 0 },
    checkouts: first(checkoutOf).map((one) => ({ id: checkoutOf(one), origin: ORIGIN, tree_name: one.cell.tree, ...(one.commit === undefined ? {} : { git_commit_hash: one.commit.id, git_commit_name: one.commit.title, patchset_hash: '' }), start_time: one.startedAt, valid: true })),
    builds: first(buildOf).map((one) => ({ id: buildOf(one), checkout_id: checkoutOf(one), origin: ORIGIN, architecture: 'x86_64', config_name: one.cell.flavor, start_time: one.startedAt, status: isBuilt(one) ? 'PASS' : 'FAIL', ...(isBuilt(one) || one.reason === undefined ? {} : { comment: one.reason }) })),
    tests: ran.flatMap((one) =>
      (one.results?.cases ?? []).flatMap((result, at) =>
        (result.subtests.length > 0 ? result.subtests : [{ name: '', status: result.status }]).map((subtest, index) => ({
          id: `${buildOf(one)}:${slug(one.cell.share)}:${slug(one.cell.suite)}:${at}.${index}`,
          build_id: buildOf(one),
          origin: ORIGIN,
          path: [ORIGIN, ...result.name.split('/').map(slug), ...(subtest.name === '' ? [] : [slug(subtest.name)])].join('.'),
          comment: subtest.name === '' ? result.name : subtest.name,
          start_time: one.startedAt,
          duration: result.seconds,
          status: statusOf(subtest.status),
          environment: { comment: `QEMU ${one.results?.qemu.version ?? ''}, ${one.results?.accelerator.name ?? ''}, share ${one.cell.share}` },
        })),
      ),
    ),
  };
  return `${JSON.stringify(kcidbSchema.parse(document), undefined, 2)}\n`;
}
